"""The command line, as a user of a method would type it, in an empty folder with records and a cache of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rethinkdc.context.cache import ENVIRONMENT
from rethinkdc.errors import RequestError
from rethinkdc.method import Method
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.deriving import find_protocol
from rethinkdc.testing.surroundings import shortened
from rethinkdc.testing.verdicts import BrokenError

_DATA = "digits"
"""Real images that come with a library that is installed."""
_IPC = 2
_STEPS = 5
_PROTOCOL, _STUDY, _RECORDS = "short.toml", "study.toml", "records"
_PROGRAM = """
import json, os, sys
sys.path[:] = json.loads(sys.argv[1])
import rethinkdc.api, rethinkdc.cli.tables, rethinkdc.studies.sweep
from rethinkdc.cli.main import main
for number, words in enumerate(json.loads(sys.argv[2])):
    child = os.fork()
    if not child:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{number}.{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
        sys.argv = ["rethinkdc", *words]
        main()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    open(f"{number}.code", "w").write(str(code))
    if code:
        break
"""
"""Imports once, and forks each command; one that fails is the last."""


@dataclass(frozen=True)
class Said:
    """How a command ended.

    Attributes:
        words: the command.
        code: its exit code; None = one before it failed, and it was not called.
        out: what it printed.
        error: what it said of its failure.
    """

    words: tuple[str, ...]
    code: int | None
    out: str
    error: str

    def json(self) -> Any:
        """What it printed.

        Raises:
            BrokenError: it failed, or printed no JSON.
        """
        command = f"rethinkdc {' '.join(self.words)}"
        if self.code != 0:
            told = (self.error.strip().splitlines() or ["nothing"])[-1]
            raise BrokenError(f"`{command}` ends with exit code {self.code}: {told}", differs=self.words[0])
        try:
            return json.loads(self.out)
        except ValueError:
            raise BrokenError(f"`{command}` prints no JSON: {self.out[:80]!r}", differs=self.words[0]) from None


@dataclass(frozen=True)
class Typed:
    """What names the method in a run and in a study.

    Attributes:
        words: options of ``run``.
        study: values of a study.
        dataset: on which.
        engine: of the sweep.
    """

    words: tuple[str, ...]
    study: Mapping[str, Any]
    dataset: str = _DATA
    engine: tuple[str, ...] = ()


def type_method(method: Method, label: str) -> Typed:
    """How a method is named; of a kind that is no compressor ``random`` is what it is tried with."""
    plain: dict[str, Any] = {"compressors": ["random"]}
    words = ("-c", "random")
    chosen = {
        "compressor": Typed(("-c", label), {"compressors": [label]}),
        "score": Typed(("-c", _selected(label)), {"compressors": [_selected(label)]}),
        "labeler": Typed((*words, "-l", label), {**plain, "labelers": [label]}),
        "teacher": Typed(
            (*words, "-l", f"soft:teachers=[{label}]"), {**plain, "labelers": [f"soft:teachers=[{label}]"]}
        ),
        "evaluator": Typed((*words, "-e", label), {**plain, "evaluator": label}),
        "model": Typed((*words, "--student", label), {**plain, "student": label}),
        "dataset": Typed(words, plain, dataset=label),
        "tracker": Typed((*words, "--tracker", label), plain),
        "engine": Typed(words, plain, engine=("--engine", label)),
    }
    return chosen[method.kind]


def call_commands(method: Method, label: str, protocol: Protocol, folder: Path) -> list[Said]:
    """What ``list-plugins``, ``show``, ``run``, ``sweep`` and ``leaderboard`` say of a method, in this order.

    Args:
        method: it.
        label: its reference.
        protocol: under which it runs, shortened.
        folder: that is made for it.
    """
    typed = type_method(method, label)
    folder.mkdir(parents=True)
    (folder / _PROTOCOL).write_text(write_toml(_renamed(protocol, typed.dataset, folder)), encoding="utf-8")
    study = {"dataset": typed.dataset, "protocol": _PROTOCOL, "ipc": [_IPC], "seeds": [0, 1], **typed.study}
    lines = [f"{key} = {json.dumps(value)}" for key, value in study.items()]
    (folder / _STUDY).write_text("\n".join(lines) + "\n", encoding="utf-8")
    common = ("--records", _RECORDS, "--device", "cpu", "--json")
    run = ("run", "-d", typed.dataset, "-p", _PROTOCOL, *typed.words, "--ipc", str(_IPC), "--small-cells", *common)
    sweep = ("sweep", _STUDY, *typed.engine, *common)
    shown = ("show", label, "--json")
    listed = ("list-plugins", "--kind", method.kind, "--json")
    return _call([listed, shown, run, sweep, ("leaderboard", "--records", _RECORDS, "--json")], folder)


def _selected(label: str) -> str:
    return f"{label}{',' if ':' in label else ':'}direction=easy"


def _renamed(protocol: Protocol, dataset: str, folder: Path) -> Protocol:
    """The protocol as one of its own; of other data than digits one that is derived of them."""
    if dataset != _DATA:
        from rethinkdc.context.cache import Cache

        protocol = shortened(find_protocol(Registry(), "auto-hard", dataset, Cache(folder / "cache")), _STEPS)
    return protocol.model_copy(update={"id": "short", "overrides": {}, "default": False, "default_dataset": None})


def _call(commands: Sequence[tuple[str, ...]], folder: Path) -> list[Said]:
    if not hasattr(os, "fork"):
        raise RequestError("This system forks no processes, which the commands are called in.")
    own = {ENVIRONMENT: str(folder / "cache"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    called = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), json.dumps(commands)],
        cwd=folder,
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if called.returncode:
        told = (called.stderr.strip().splitlines() or ["nothing"])[-1]
        raise BrokenError(f"the command line cannot be imported: {told}", differs="import")
    return [_read(tuple(words), folder, number) for number, words in enumerate(commands)]


def _read(words: tuple[str, ...], folder: Path, number: int) -> Said:
    code, out, error = (folder / f"{number}.{name}" for name in ("code", "out", "err"))
    if not code.is_file():
        return Said(words, None, "", "a command before it failed")
    return Said(words, int(code.read_text()), out.read_text(encoding="utf-8"), error.read_text(encoding="utf-8"))
