"""Greedy choices that a kill does not lose: the picks so far, and the running numbers that they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rethinkdc.training.checkpoint import Resumable


class Greedy:
    """Picks that are made one after another.

    ::

        greedy = Greedy(count, {"value": value}, kept)
        for index in greedy.left:
            value += ...
            greedy.add(best)

    Args:
        count: picks in all.
        running: what the choice changes in place, by name; where an earlier try was killed, it is put back here.
        kept: where a kill left off, and where the state goes now and then; None = a kill loses the picks.
    """

    def __init__(self, count: int, running: Mapping[str, Tensor], kept: Resumable | None = None) -> None:
        self._picks, self._made = torch.zeros(count, dtype=torch.int64), 0
        self._running, self._kept = running, kept
        if kept is not None and (state := kept.restore()):
            self._made = len(state["picks"])
            self._picks[: self._made] = state["picks"]
            for name, tensor in running.items():
                tensor.copy_(state["running"][name])

    @property
    def picks(self) -> Tensor:
        """Positions so far: int64 [made], in pick order."""
        return self._picks[: self._made]

    @property
    def left(self) -> range:
        """The 0-based numbers of the picks that are still to be made."""
        return range(self._made, len(self._picks))

    def taken(self, rows: int) -> Tensor:
        """Which of so many rows are picked: bool [rows]."""
        taken = torch.zeros(rows, dtype=torch.bool)
        taken[self.picks] = True
        return taken

    def add(self, picks: int | Tensor) -> None:
        """Adds a pick, or several (int64 [m]), and keeps the state where it is time to: all of it must go together."""
        further = torch.tensor([picks]) if isinstance(picks, int) else picks
        self._picks[self._made : self._made + len(further)] = further
        self._made += len(further)
        if self._kept is not None and self.left:
            self._kept.keep(self._state, done=self._made)

    def _state(self) -> dict[str, Any]:
        return {"picks": self.picks.clone(), "running": dict(self._running)}
