"""An engine of a third party: the processes that make the runs are plain ones of this machine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from rethinkdc.contracts import STOPS, Crew, Engine, Method, hookimpl, last_words


class Processes(Engine):
    """Processes of this machine, with a priority of their own."""

    name: ClassVar[str] = "acme-processes"

    nice: int = Field(default=10, ge=0, le=19, description="How far they stand back behind other programs.")

    def start(self, command: Sequence[str], count: int, folder: Path) -> Crew:
        with (folder / "all.log").open("ab") as log:
            words = ["nice", "-n", str(self.nice), *command]
            return _Processes([subprocess.Popen(words, stdout=log, stderr=log) for _ in range(count)], folder)


class _Processes(Crew):
    def __init__(self, processes: list[subprocess.Popen[bytes]], folder: Path) -> None:
        self._processes, self._folder = processes, folder

    def running(self) -> int:
        return sum(process.poll() is None for process in self._processes)

    def said(self) -> str:
        return last_words(self._folder)

    def stop(self) -> None:
        until = time.monotonic() + STOPS
        while self.running() and time.monotonic() < until:
            time.sleep(0.1)
        for process in self._processes:
            process.kill()
            process.wait()


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the engine ``acme-processes``."""
    return [Processes]
