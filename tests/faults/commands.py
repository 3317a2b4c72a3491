"""Commands that faults are tried on, and what is seen of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("served.py")

CUT_OFF = 141
"""The exit code of whoever prints to a pipe that nobody reads: 128 and SIGPIPE. There is nobody to tell."""

Shim = tuple[str, dict[str, Any]]
"""A function of ``shims.py`` that is called in the child, and its values."""
_SHORTENED: Shim = ("shorten", {"checkpoint_every": 0.0, "shard_bytes": 1000})


@dataclass(frozen=True)
class Seen:
    """How a command ended and what it printed.

    Attributes:
        code: exit code; -1 = a signal ended it.
        signal: that ended it; 0 = none.
        out: what it printed.
        err: what it said.
        seconds: of a processor.
    """

    code: int
    signal: int
    out: str
    err: str
    seconds: float

    def check_manners(self) -> None:
        """No trace, no signal, and an error is one message that begins with a word for it."""
        said = self.out + self.err
        ended = signal.Signals(self.signal).name if self.signal else ""
        assert not ended, f"ended by {ended}: {said[-2000:]}"
        for sign in ("Traceback", 'File "', "Exception ignored", "Fatal Python"):
            assert sign not in said, said[-6000:]
        errors = [line for line in said.splitlines() if line.startswith(("Error", "Usage:", "Interrupted"))]
        assert bool(self.code) == bool(errors) or self.code == CUT_OFF, f"exit code {self.code}: {said[-2000:]}"
        assert len(errors) <= 1, errors


@dataclass(frozen=True)
class Place:
    """A folder with a cache and records; what a user has lies beside it, unless the place has a copy of its own."""

    folder: Path

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def data(self) -> Path:
        return self._own("data")

    @property
    def protocol(self) -> Path:
        return self._own("brief.toml")

    def find(self, pattern: str) -> Path:
        """The first file or folder of a pattern below the place."""
        return sorted(self.folder.glob(pattern))[0]

    def take(self, name: str) -> Path:
        """A copy of its own of what lies beside it."""
        given, own = self.folder.parent / "given" / name, self.folder / name
        shutil.copytree(given, own) if given.is_dir() else shutil.copy2(given, own)
        return own

    def _own(self, name: str) -> Path:
        own = self.folder / name
        return own if os.path.lexists(own) else self.folder.parent / "given" / name


@dataclass(frozen=True)
class Commands:
    """``rethinkdc`` in forked children of one process that has imported everything."""

    process: subprocess.Popen[str] = field(repr=False)

    @classmethod
    def start(cls) -> Commands:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        return cls(
            subprocess.Popen(
                [sys.executable, str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )

    def call(self, place: Place, argv: Sequence[str], shims: Sequence[Shim] = (), *, ends: bool = False) -> Seen:
        """Calls one command in a place, whose folders stand for ``{cache}``, ``{records}``, ``{data}`` and so on."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        names = {name: str(getattr(place, name)) for name in ("folder", "cache", "records", "data", "protocol")}
        printed = place.folder.with_name(f"{place.folder.name}-printed")
        request = {
            "argv": [word.format(**names) for word in argv],
            "out": str(printed.with_suffix(".out")),
            "err": str(printed.with_suffix(".err")),
            "cwd": str(place.folder),
            "shims": [_SHORTENED, *shims],
            "ends": ends,
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Seen(**json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


@dataclass(frozen=True)
class Command:
    """A command, and what of its answer must be the same whatever happened on the way.

    Attributes:
        argv: its words; ``{cache}``, ``{records}``, ``{data}``, ``{protocol}``, ``{folder}`` stand for the place's.
        read: what it answered, in numbers and digests.
    """

    argv: tuple[str, ...]
    read: Callable[[Seen], Any]

    def with_own(self, name: str, word: str) -> Command:
        """The same of a copy of what the place is given."""
        return replace(self, argv=tuple(f"{{folder}}/{name}" if each == word else each for each in self.argv))


def numbers_of_runs(seen: Seen) -> list[dict[str, Any]]:
    """Of the records that a command printed: digests of result, predictions and sheet, and images by stage."""
    return [
        {
            "key": record["key"],
            "result": record["result_digest"],
            "predictions": record["predictions"]["sha256"],
            "sheet": record["sheet"]["sha256"],
            "images": record["cost"]["images_seen"],
        }
        for record in json.loads(seen.out)
    ]


def rows_of_boards(seen: Seen) -> list[tuple[str, dict[str, Any]]]:
    """Of the boards that a command printed: each row's method and what it measured."""
    boards = json.loads(seen.out)
    return [(row["compressor"], row["result"]) for board in boards for row in board["rows"]]


def nothing(seen: Seen) -> None:
    """Of a command whose files are looked at, not its answer."""


WHERE = ("--cache-dir", "{cache}", "--device", "cpu")
UNDER = ("--dataset", "{data}", "--protocol", "{protocol}")
SET = ("--compressor", "pca", "--ipc", "1", *UNDER)
RECORDED = ("--labeler", "soft-stored", *WHERE, "--records", "{records}", "--json")
RUN = Command(("run", *SET, *RECORDED), numbers_of_runs)
"""The run that leaves every kind of artefact: a proxy with its trace, scores, sets, a teacher, stored labels."""
RANDOM = Command(("run", "--compressor", "random", "--ipc", "1", *UNDER, *RECORDED), numbers_of_runs)
COMPRESS = Command(("compress", *SET, *WHERE, "--out", "{folder}/set"), nothing)
EVALUATE = Command(("evaluate", "{folder}/set", *UNDER, *RECORDED), numbers_of_runs)
BOARD = Command(("leaderboard", "--records", "{records}", "--json"), rows_of_boards)
