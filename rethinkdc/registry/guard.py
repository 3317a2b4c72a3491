"""Judges third parties' plugins before this process imports them, and remembers how each was judged."""

from __future__ import annotations

import math
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rethinkdc.context.cache import default_cache_folder
from rethinkdc.data.dataset import FINGERPRINTS
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.registry.guarded import Answer, Request
from rethinkdc.registry.providers import Offer
from rethinkdc.registry.stamps import stamp_plugin, stamp_surroundings
from rethinkdc.registry.verdict import LIMIT, Verdict
from rethinkdc.storage import digest, read_sealed, remember

BOOK = f"{FINGERPRINTS}/plugins"
"""Folder of the cache that holds a file for each plugin."""
_SECONDS = 20.0
_PATIENCE = 10.0
"""Seconds without a word, where one comes every second, after which the process that watches was stopped."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from rethinkdc.registry.guarded import serve; serve()"


class _Kept(BaseModel):
    """A verdict in the cache, and the stamps for which it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stamp: str
    verdict: Verdict


@dataclass(frozen=True)
class Judged:
    """A verdict, of which code it was made, and whether it was remembered."""

    verdict: Verdict
    stamp: str
    remembered: bool = False


class Guard:
    """Judges plugins by importing them in processes of their own.

    What it finds is kept in the cache for as long as neither the plugin nor what is installed changes; where the cache
    cannot be written it is found anew each time.
    """

    def __init__(self, seconds: float, cache_folder: Path | None = None) -> None:
        self._folder = cache_folder
        self._seconds = seconds

    def judge(self, offers: Sequence[Offer], *, anew: bool = False) -> list[Judged]:
        """The verdict on each plugin.

        Args:
            offers: of any distributions.
            anew: whether what is remembered does not count.

        Raises:
            OSError: no process can be started to import them in.
        """
        if not offers:
            return []
        surroundings = stamp_surroundings()
        stamps = [digest([surroundings, stamp_plugin(offer.point)]) for offer in offers]
        found: dict[int, Judged] = {}
        for place, (offer, stamp) in enumerate(zip(offers, stamps, strict=True)):
            known = None if anew else self._recall(offer, stamp)
            if known is not None:
                found[place] = Judged(known, stamp, remembered=True)
        missing = [place for place in range(len(offers)) if place not in found]
        for place, verdict in zip(missing, self._ask([offers[place] for place in missing]), strict=True):
            found[place] = Judged(verdict, stamps[place])
            self._remember(offers[place], found[place])
        return [found[place] for place in range(len(offers))]

    def holds(self, judged: Judged, offer: Offer) -> bool:
        """Whether the plugin is still the one that was judged."""
        return judged.stamp == digest([stamp_surroundings(), stamp_plugin(offer.point)])

    def _ask(self, offers: list[Offer]) -> list[Verdict]:
        """All in one request; one by one those who were at it when one of them ended the process that watches."""
        server, values = _server(os.getpid()), [offer.point.value for offer in offers]
        found: dict[int, Verdict] = {}
        while waiting := [place for place in range(len(values)) if place not in found]:
            heard = server.ask([values[place] for place in waiting], self._seconds)
            found |= {place: said for place, said in zip(waiting, heard, strict=True) if isinstance(said, Verdict)}
            suspects = [place for place, said in zip(waiting, heard, strict=True) if said is _State.BEGUN]
            if len(found) < len(values) and not suspects:
                raise ChildProcessError("it ended before it began")
            for place in suspects:
                (alone,) = server.ask([values[place]], self._seconds)
                found[place] = alone if isinstance(alone, Verdict) else Verdict(outcome="unwatched")
        return [found[place] for place in range(len(values))]

    def _place(self, offer: Offer) -> Path:
        name = digest([sys.prefix, offer.provider.distribution, offer.point.value])
        return (self._folder or default_cache_folder()).expanduser() / BOOK / f"{name}.sealed"

    def _recall(self, offer: Offer, stamp: str) -> Verdict | None:
        try:
            kept = _Kept.model_validate_json(read_sealed(self._place(offer)))
        except (OSError, DamagedError, ValidationError):
            return None
        longer = kept.verdict.ran_out_of_time and kept.verdict.number < self._seconds
        return kept.verdict if kept.stamp == stamp and not longer else None

    def _remember(self, offer: Offer, judged: Judged) -> None:
        kept = _Kept(stamp=judged.stamp, verdict=judged.verdict)
        remember(self._place(offer), kept.model_dump_json().encode())


def limit() -> float:
    """The seconds of :data:`LIMIT`; 0 = no guard.

    Raises:
        RequestError: it is no number of seconds.
    """
    given = os.environ.get(LIMIT, "")
    try:
        seconds = float(given or _SECONDS)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise RequestError(
            f"{LIMIT} must be a number of seconds, in which a plugin must be imported; found {given!r}. Leave it out "
            f"for {_SECONDS:g}."
        )
    return seconds


@cache
def _server(process: int) -> _Server:  # noqa: ARG001 - one for each process: a fork must not speak over its parent's
    return _Server()


class _State(Enum):
    """How far a plugin has come on which there is no verdict."""

    WAITING = 0
    BEGUN = 1


class _Server:
    """The process that watches over imports: started when it is first needed, it goes with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, values: list[str], seconds: float) -> list[Verdict | _State]:
        """The verdicts, as far as there are any: none of who ended, or stopped, the process that watches.

        Raises:
            OSError: no process can be started.
        """
        here = str(Path.cwd())
        request = Request(
            values=values,
            path=[place or here for place in sys.path],
            folder=here,
            environment=dict(os.environ),
            seconds=seconds,
        )
        with self._lock:
            before = self._process
            found = self._heard(request)
            if before is not None and all(one is _State.WAITING for one in found):
                # It had been idle for long, and was ending when it was asked.
                found = self._heard(request)
        return found

    def _heard(self, request: Request) -> list[Verdict | _State]:
        found: list[Verdict | _State] = [_State.WAITING] * len(request.values)
        process = self._running(request.path)
        assert process.stdin
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(request.line())
                process.stdin.flush()
            for answer in _read(process, request):
                found[answer.place] = answer.verdict or _State.BEGUN
        except BaseException:
            self._stop()
            raise
        if not all(isinstance(one, Verdict) for one in found):
            self._stop()
        return found

    def _running(self, path: list[str]) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()


def _read(process: subprocess.Popen[bytes], request: Request) -> Iterator[Answer]:
    """The answers as they come, until there are as many as were asked for or nobody is there to give more."""
    assert process.stdout
    patience, rest, left = None, b"", len(request.values)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while left:
            # It imports nothing but the framework before its first word, which takes as long as it takes.
            block = os.read(process.stdout.fileno(), 1 << 16) if selector.select(patience) else b""
            if not block:
                return
            patience = _PATIENCE
            *lines, rest = (rest + block).split(b"\n")
            for line in filter(None, lines):
                answer = Answer.model_validate_json(line)
                left -= answer.verdict is not None
                yield answer
