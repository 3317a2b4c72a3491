"""Many wrong inputs for one parser: each is read as what it says, or refused in one clean sentence.

A case fails where the parser raises anything but our own error, or tells it badly; where it takes long, asks for much
memory, warns in a library's words, starts a process, opens a connection or writes outside its folder.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rethinkdc.errors import RethinkError
from rethinkdc.texts import MOST_CHARACTERS
from tests.fuzz.mutation import Mutate, mutate_bytes

CPU_SECONDS = 5.0
"""Of a case: of the processor, so that a busy machine changes nothing."""
CLOCK_SECONDS = 120.0
"""Of a case that waits for something."""
ADDRESSES = 512 << 20
"""Bytes that a case may ask for."""
MEMORY = 384 << 20
"""Bytes that a case may fill."""
_PAGE = resource.getpagesize()
_SHOWN = 12
_STARVED = ("MemoryError", "DefaultCPUAllocator", "nable to allocate", "malloc", "bad_alloc")
"""What libraries say that were refused memory."""


class HungError(BaseException):
    """A case took too long; no ``except Exception`` of a parser holds it."""


@dataclass(frozen=True)
class Parser:
    """What reads one kind of input.

    Attributes:
        name: its own.
        file: the name of the input, relative to the folder of the series.
        seeds: valid inputs.
        parse: reads the file at a path.
        mutate: makes a seed wrong.
        agree: raises AssertionError where a value that was read is not what the file says.
        prepare: puts what lies beside the input into the folder, once.
        named: whether the error names the file.
        tells: whether a warning in our own words is due in some cases.
        costly: whether a case takes so long that fewer are run by default.
    """

    name: str
    file: str
    seeds: Callable[[], Sequence[bytes]]
    parse: Callable[[Path], Any]
    mutate: Mutate = mutate_bytes
    agree: Callable[[Path, Any], None] = lambda path, value: None
    prepare: Callable[[Path], None] = lambda folder: None
    named: bool = True
    tells: bool = False
    costly: bool = False


@dataclass
class Figures:
    """What a series of cases came to.

    Attributes:
        parser: its name.
        accepted: cases that were read.
        refused: cases that were refused.
        seconds: of the processor, of all.
        worst: of the processor, of the slowest.
        peak: bytes that the largest filled.
        faults: what is wrong, by kind; the number of its first case and how many there are.
    """

    parser: str
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    worst: float = 0.0
    peak: int = 0
    faults: dict[str, list[Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        cases = self.accepted + self.refused
        return (
            f"{self.parser:<28} {cases:>7,} {self.accepted:>7,} {self.refused:>7,} {self.seconds:>8.1f} "
            f"{self.worst:>7.3f} {self.peak / 2**20:>6.0f}"
        )


HEAD = f"{'parser':<28} {'cases':>7} {'read':>7} {'refused':>7} {'CPU s':>8} {'worst s':>7} {'MiB':>6}"


def run_series(parser: Parser, count: int, folder: Path) -> Figures:
    """Hands a parser its seeds, which it must read, and as many wrong inputs.

    Raises:
        AssertionError: a case failed; tells each kind of fault once, with the number that makes it again.
    """
    parser.prepare(folder)
    path = folder / parser.file
    path.parent.mkdir(parents=True, exist_ok=True)
    seeds = parser.seeds()
    for seed in seeds:
        _put(path, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser.agree(path, parser.parse(path))
    figures = Figures(parser.name)
    for number in range(count):
        draw = Random(f"{parser.name}/{number}")
        _put(path, parser.mutate(draw.choice(seeds), draw))
        if fault := _run_case(parser, path, folder, figures):
            figures.faults.setdefault(fault, [number, 0])[1] += 1
    if figures.faults:
        told = [f"case {first} and {more - 1} more: {fault}" for fault, (first, more) in figures.faults.items()]
        raise AssertionError(f"{parser.name}: {len(told)} kinds of fault\n" + "\n".join(told[:_SHOWN]))
    return figures


def case_of(parser: Parser, number: int) -> bytes:
    """The input of a case, to look at it."""
    draw = Random(f"{parser.name}/{number}")
    return parser.mutate(draw.choice(parser.seeds()), draw)


def _put(path: Path, content: bytes) -> None:
    """Another file in place of the last one, which may be mapped still."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _run_case(parser: Parser, path: Path, folder: Path, figures: Figures) -> str:
    """Runs one case and counts it; what is wrong with it, empty where nothing is."""
    before, begun = _reset_peak(), time.process_time()
    try:
        with _watched(folder) as seen, warnings.catch_warnings(record=True) as warned:
            # Behind the filters that the package itself sets.
            warnings.simplefilter("always", append=True)
            fault = _read(parser, path, figures)
    except HungError:
        fault = "it takes too long"
    spent, filled = time.process_time() - begun, _peak() - before
    figures.seconds += spent
    figures.worst = max(figures.worst, spent)
    figures.peak = max(figures.peak, filled)
    if fault:
        return fault
    if seen:
        return f"it does what reading needs not: {seen[0]}"
    if filled > MEMORY:
        return f"it fills {filled >> 20:,} MiB"
    if foreign := [each for each in warned if not parser.tells or not issubclass(each.category, UserWarning)]:
        return f"it warns: {foreign[0].category.__name__}: {str(foreign[0].message)[:200]} ({foreign[0].filename})"
    return next((told for each in warned if (told := _unclean(str(each.message)))), "")


def _read(parser: Parser, path: Path, figures: Figures) -> str:
    try:
        value = parser.parse(path)
    except RethinkError as error:
        figures.refused += 1
        return _badly_told(error, path if parser.named else None)
    except HungError:
        figures.refused += 1
        raise
    except BaseException as error:
        figures.refused += 1
        return f"{type(error).__name__}: {str(error)[:160]!r} at {_place(error)}"
    figures.accepted += 1
    try:
        parser.agree(path, value)
    except Exception as error:
        return f"it was read as something else: {type(error).__name__}: {str(error)[:300]} at {_place(error)}"
    return ""


def _badly_told(error: RethinkError, path: Path | None) -> str:
    text = str(error)
    if unclean := _unclean(text):
        return f"{unclean} at {_place(error)}"
    if path is not None and not any(each.name in text for each in (path, path.parent, path.parent.parent)):
        return f"the error does not name the file: {text[:200]!r} at {_place(error)}"
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, MemoryError) or any(word in str(each) for word in _STARVED):
            return f"memory was asked for before the size was seen: {text[:200]!r} at {_place(each)}"
        each = each.__cause__ or each.__context__
    return ""


def _unclean(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        return f"the text has {len(text):,} characters: {text[:80]!r}"
    odd = [one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    if odd:
        return f"the text holds {odd[0]!r}"
    return "" if text.strip() else "the text is empty"


def _place(error: BaseException) -> str:
    """Where in the package an error came from, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/rethinkdc/" in frame.filename or "/plugins/" in frame.filename]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(ours[-3:]))


_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "socket.connect")
_CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod")
_watch: dict[str, Any] = {"folder": None, "seen": []}


def _audit(event: str, values: tuple[Any, ...]) -> None:
    folder = _watch["folder"]
    if folder is None:
        return
    if event in _FORBIDDEN or event.startswith("socket.getaddrinfo"):
        _watch["seen"].append(event)
    elif (event == "open" and _writes(values)) or event in _CHANGING:
        place = values[0]
        # Names below a folder that is open already are told by its number.
        within = event != "open" and isinstance(values[-1], int) and values[-1] >= 0
        if isinstance(place, str | bytes) and not within and not os.fsdecode(place).startswith((folder, "/dev/")):
            _watch["seen"].append(f"{event} {os.fsdecode(place)}")


def _writes(values: tuple[Any, ...]) -> bool:
    return bool(values[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if isinstance(values[2], int) else False


sys.addaudithook(_audit)


@contextmanager
def _watched(folder: Path) -> Iterator[list[str]]:
    seen: list[str] = []
    handlers = {number: signal.signal(number, _hang) for number in (signal.SIGPROF, signal.SIGALRM)}
    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_addresses() + ADDRESSES, limit[1]))
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, CLOCK_SECONDS)
    _watch.update(folder=str(folder), seen=seen)
    try:
        yield seen
    finally:
        _watch["folder"] = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limit)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _hang(*_: Any) -> None:
    raise HungError


def _addresses() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE


def _reset_peak() -> int:
    """Makes the kernel count the peak of memory anew; bytes that are filled now."""
    Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0
