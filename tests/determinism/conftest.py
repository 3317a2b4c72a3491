"""Runs that can be killed, and a folder of real images with a protocol of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.small import write_digits, write_short_protocol

SCRIPT = Path(__file__).parents[1] / "faults" / "served.py"


class Runs:
    """``rethinkdc`` in forked children of one process; every place is a cache and a folder of records of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(
        self, place: Path, *argv: str, stop: dict[str, Any] | None = None, every: float | None = None
    ) -> dict[str, Any]:
        """One command with ``place`` for its cache (and its records, where it takes them)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        place.mkdir(parents=True, exist_ok=True)
        given = [*argv, "--cache-dir", str(place / "cache"), "--device", "cpu"]
        if argv[0] in ("run", "evaluate"):
            given += ["--records", str(place / "records"), "--json"]
        request = {
            "argv": given,
            "out": str(place / "out.txt"),
            "err": str(place / "out.err"),
            "cwd": str(Path.cwd()),
            "shims": [
                ("shorten", {"checkpoint_every": every, "shard_bytes": 4000}),
                *([("kill", stop)] if stop else []),
            ],
            "ends": False,
        }
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return {**answer, "killed": answer["signal"] == signal.SIGKILL}

    def digest(self, place: Path, *argv: str, every: float | None = None) -> str:
        """The result digest of a run that ends well."""
        found: str = self.record(place, *argv, every=every)["result_digest"]
        return found

    def record(self, place: Path, *argv: str, every: float | None = None) -> dict[str, Any]:
        """The record of a run that ends well, as JSON data."""
        answer = self.run(place, *argv, every=every)
        assert answer["code"] == 0, answer["err"]
        found: dict[str, Any] = json.loads(answer["out"])[0]
        return found

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    served = Runs(tmp_path_factory.mktemp("runs"))
    yield served
    served.close()


@pytest.fixture(scope="session")
def small_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 training and 100 test digits as a Parquet folder, sorted by class as many copies are."""
    folder = tmp_path_factory.mktemp("small-digits")
    write_digits(folder / "data", 500, 100)
    return folder


@pytest.fixture(scope="session")
def short_protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits-hard``, shortened, for the folder of small digits."""
    return write_short_protocol(tmp_path_factory.mktemp("protocol") / "short.toml", "digits-hard", 500, 100, 3, 40)


@pytest.fixture(scope="session")
def soft_protocol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``digits-soft``, shortened, for the folder of small digits."""
    return write_short_protocol(tmp_path_factory.mktemp("soft") / "soft.toml", "digits-soft", 500, 100, 3, 40)
