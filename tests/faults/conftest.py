"""Places in the states that faults meet, each made once and copied for every row."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import BOARD, COMPRESS, EVALUATE, RANDOM, RUN, Command, Commands, Place, Shim, nothing
from tests.faults.matrix import State, kill
from tests.small import write_digits, write_short_protocol

KILLS = {
    State.IN_PROXY: kill("rethinkdc.training.loop", "save_checkpoint", 2, "before"),
    State.IN_PARTS: kill("rethinkdc.context.sets", "save_working", 2, "before"),
    State.IN_LABELS: kill("rethinkdc.labels.shards", "_give_second_name", 1, "after"),
    State.IN_PASS: (("keep_chunks_at_once", {}), *kill("rethinkdc.context.chunks", "keep_part", 3, "after")),
    State.IN_STUDENT: kill("rethinkdc.evaluation.student_evaluator", "per_class_top1", 1, "before"),
}


@dataclass(frozen=True)
class Surroundings:
    """Where commands meet faults; every row has the same place, since what is kept may name it.

    Attributes:
        folder: of all this.
        commands: calls them.
    """

    folder: Path
    commands: Commands
    _answers: dict[tuple[str, ...], Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.folder / "place")

    def begin(self, state: State) -> Place:
        """The place, in a state."""
        kept = self.folder / state.name
        if not kept.exists():
            self._clear()
            self._reach(state)
            shutil.copytree(self.place.folder, kept, symlinks=True)
        self._clear()
        shutil.copytree(kept, self.place.folder, symlinks=True)
        if state is State.INDEXED:
            # Here, since the index knows files by their inodes.
            self._succeed(BOARD, (("settle_at_once", {}),))
        return self.place

    def answer(self, command: Command) -> Any:
        """What a command answers that nothing disturbs."""
        if command.read is nothing:
            return None
        if command.argv not in self._answers:
            self.begin({EVALUATE: State.EXPORTED, BOARD: State.RECORDED}.get(command, State.CACHED))
            self._answers[command.argv] = command.read(self._succeed(command))
        return self._answers[command.argv]

    def _reach(self, state: State) -> None:
        self.place.folder.mkdir()
        if state is State.EMPTY:
            return
        if state in KILLS:
            killed = self.commands.call(self.place, RUN.argv, KILLS[state])
            assert killed.signal == 9, killed
            return
        self._succeed(RUN)
        if state is State.CACHED:
            shutil.rmtree(self.place.records)
        if state is State.EXPORTED:
            self._succeed(COMPRESS)
        if state in (State.RECORDED, State.INDEXED):
            self._succeed(RANDOM)

    def _succeed(self, command: Command, shims: tuple[Shim, ...] = ()) -> Any:
        seen = self.commands.call(self.place, command.argv, shims)
        assert seen.code == 0, seen.err
        return seen

    def _clear(self) -> None:
        shutil.rmtree(self.place.folder, ignore_errors=True)
        assert not self.place.folder.exists()


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    folder = tmp_path_factory.mktemp("faults")
    (folder / "given").mkdir()
    write_digits(folder / "given" / "data", 100, 40)
    write_short_protocol(folder / "given" / "brief.toml", "digits-soft", 100, 40, 2, 6, curve=(2, 4))
    commands = Commands.start()
    yield Surroundings(folder, commands)
    commands.close()
