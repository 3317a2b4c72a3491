"""The process in which third parties' plugins are imported first, and the processes that it forks for each of them.

It imports the framework once. Of each plugin that it is asked for it forks a process of its own, with stdin closed, its
output caught, a limit of memory and no terminal, and watches how that ends. It speaks lines of JSON over its own stdin
and stdout, and ends when whoever started it is gone.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import resource
import select
import selectors
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint
from typing import NoReturn

from pydantic import BaseModel, ValidationError

from rethinkdc.contracts.hooks import GROUP
from rethinkdc.registry import patches
from rethinkdc.registry.answers import ask
from rethinkdc.registry.importing import ARGUMENTS, flush_c
from rethinkdc.registry.verdict import MOST_MEMORY, MOST_PRINTED, Verdict, explain

GUARDED = "RETHINKDC_GUARDED"
"""Environment: set where a plugin is imported under guard; what it starts itself is not guarded again."""
SIDE_BY_SIDE = 4
"""Plugins that are imported at one time."""
_IDLE = 30.0
"""Seconds without a request after which it ends: a run of days needs no process beside it."""
_HEARTBEAT = 1.0
"""Seconds after which it says, by an empty line, that it still watches."""
_POLL = 0.02
_END_WITH_PARENT = 1
"""``PR_SET_PDEATHSIG`` of Linux."""
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Request:
    """Which plugins to import, and where.

    Attributes:
        values: of their entry points.
        path: of modules, as in the process that asks.
        folder: the current one.
        environment: its variables.
        seconds: that each may take.
    """

    values: list[str]
    path: list[str]
    folder: str
    environment: dict[str, str]
    seconds: float

    def line(self) -> bytes:
        """As one line of JSON; names of files and variables may hold bytes that are no text."""
        return json.dumps(asdict(self)).encode() + b"\n"


class Answer(BaseModel):
    """The verdict on one of the values of a request, by its place in it; None when its import begins."""

    place: int
    verdict: Verdict | None = None


@dataclass
class _Ward:
    """A process that imports a plugin."""

    place: int
    process: int
    output: int
    result: int
    since: float
    printed: int = 0
    said: bytes = b""
    ended_for: str = ""
    open: set[int] = field(default_factory=set)

    def kill(self, reason: str = "") -> None:
        """Ends it and what it started; the first reason counts."""
        self.ended_for = self.ended_for or reason
        with suppress(OSError):
            os.killpg(self.process, signal.SIGKILL)
        with suppress(OSError):
            os.kill(self.process, signal.SIGKILL)

    def take(self, descriptor: int) -> bool:
        """Reads what is there; whether there may be more."""
        try:
            block = os.read(descriptor, _BLOCK)
        except BlockingIOError:
            return False
        if descriptor == self.output:
            self.printed += len(block)
        else:
            self.said += block
        return bool(block)

    def verdict(self, status: int, seconds: float) -> Verdict:
        """How it ended: what it said itself counts only of a process that ended as it should."""
        code = os.waitstatus_to_exitcode(status)
        said: Verdict | None = None
        with suppress(ValidationError):
            said = Verdict.model_validate_json(self.said)
        if self.ended_for == "printed":
            return Verdict(outcome="printed", number=MOST_PRINTED)
        if self.ended_for:
            return Verdict(outcome="lingering" if said and said.fine else "slow", number=seconds)
        if said and not said.fine:
            return said
        if code < 0:
            return Verdict(outcome="killed", number=-code)
        return said if said and code == 0 else Verdict(outcome="exited", number=code)


def serve() -> None:
    """Answers one request after another, until nobody asks any more."""
    # What this process imports warns of nothing that concerns a user.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    known = patches.look()
    for line in _lines():
        request = Request(**json.loads(line))
        _Watch(request, known).run()


def _lines() -> Iterator[bytes]:
    rest = b""
    while select.select([0], [], [], _IDLE)[0] and (block := os.read(0, _BLOCK)):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole


def _say(answer: Answer) -> None:
    os.write(1, answer.model_dump_json().encode() + b"\n")


class _Watch:
    """The processes of one request."""

    def __init__(self, request: Request, known: patches.Known) -> None:
        self.request = request
        self.known = known
        self.wards: dict[int, _Ward] = {}
        self.selector = selectors.DefaultSelector()
        self.selector.register(0, selectors.EVENT_READ)

    def run(self) -> None:
        waiting, told = list(enumerate(self.request.values)), 0.0
        while waiting or self.wards:
            if time.monotonic() - told > _HEARTBEAT:
                told = time.monotonic()
                os.write(1, b"\n")
            while waiting and len(self.wards) < SIDE_BY_SIDE:
                self._start(*waiting.pop(0))
            self._listen()
            for ward in list(self.wards.values()):
                if time.monotonic() - ward.since > self.request.seconds:
                    ward.kill("slow")
                self._look(ward)
        self.selector.close()

    def _start(self, place: int, value: str) -> None:
        _say(Answer(place=place))
        (output, theirs), (result, told) = os.pipe(), os.pipe()
        process = os.fork()
        if process == 0:
            try:
                _import(self.request, value, self.known, theirs, told)
            finally:
                os._exit(1)
        os.close(theirs)
        os.close(told)
        ward = _Ward(place, process, output, result, time.monotonic())
        for descriptor in (output, result):
            os.set_blocking(descriptor, False)
            ward.open.add(descriptor)
            self.selector.register(descriptor, selectors.EVENT_READ, ward)
        self.wards[process] = ward

    def _listen(self) -> None:
        for key, _ in self.selector.select(_POLL):
            if key.data is None:
                # Nothing is asked before the last answer: whoever asked is gone.
                for ward in self.wards.values():
                    ward.kill()
                os._exit(0)
            ward, descriptor = key.data, int(key.fd)
            if not ward.take(descriptor):
                self._close(ward, descriptor)
            if ward.printed > MOST_PRINTED:
                ward.kill("printed")

    def _look(self, ward: _Ward) -> None:
        process, status = os.waitpid(ward.process, os.WNOHANG)
        if not process:
            return
        # What it started may go on, and hold the pipes open.
        with suppress(OSError):
            os.killpg(ward.process, signal.SIGKILL)
        for descriptor in list(ward.open):
            while ward.take(descriptor):
                pass
            self._close(ward, descriptor)
        del self.wards[ward.process]
        _say(Answer(place=ward.place, verdict=ward.verdict(status, self.request.seconds)))

    def _close(self, ward: _Ward, descriptor: int) -> None:
        self.selector.unregister(descriptor)
        ward.open.discard(descriptor)
        os.close(descriptor)


def _import(request: Request, value: str, known: patches.Known, output: int, result: int) -> None:
    """What the process of a plugin does."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(output, stream)
    result = os.dup2(result, 3)
    os.closerange(4, 1 << 12)
    _limit()
    os.environ.clear()
    os.environ.update({**request.environment, GUARDED: "1"})
    sys.path[:] = request.path
    sys.argv[:] = ARGUMENTS
    with suppress(OSError):
        os.chdir(request.folder)
    verdict = _judge(EntryPoint(name="", value=value, group=GROUP), known)
    os.write(result, verdict.model_dump_json().encode())
    _end()


def _judge(point: EntryPoint, known: patches.Known) -> Verdict:
    try:
        ask(point)
    except BaseException as error:
        return Verdict(outcome="raised", text=explain(error))
    return Verdict(outcome="fine", patches=patches.replaced(known))


def _end() -> NoReturn:
    """As Python ends, but for taking every module apart, which takes longer than all the rest."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads as Python does
        atexit._run_exitfuncs()
    finally:
        flush_c()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(0)


def _limit() -> None:
    """Ends with its guard; no dump of a crash; memory as far as the system holds processes to it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, ValueError, IndexError):
        with open("/proc/self/statm") as file:  # noqa: PTH123 - where there is none, there is no limit
            held = int(file.read().split()[5]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (held + MOST_MEMORY, hard))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")
