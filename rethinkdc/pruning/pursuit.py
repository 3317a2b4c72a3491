"""Orthogonal matching pursuit of the full gradient (Killamsetty et al., GRAD-MATCH, ICML 2021, arXiv 2103.00123)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.pruning.classwise import Choice
from rethinkdc.pruning.gradients import LastLayer
from rethinkdc.pruning.ties import descending, settled
from rethinkdc.training.checkpoint import Resumable

_ROUNDS = 10
"""How often rows that end up without weight are replaced by others."""

_DEPENDENT = 1e-10
"""Share of a squared gradient outside the span of those picked below which it adds nothing but rounding."""

_MOST_BYTES = 16 * 10**9
"""Bytes of numbers for each row and pick that are held at most; beyond, the machine's memory ends and not the work."""


def require_room(rows: int, count: int) -> None:
    """Refuses a pursuit of so many picks among so many rows at once that it would not fit into memory.

    It holds a float64 number for each row and pick, and twice as many more while its state is written.

    Raises:
        UnsupportedError: it takes more than 16 GB; says what to do.
    """
    held = 3 * 8 * rows * count
    if held > _MOST_BYTES:
        raise UnsupportedError(
            f"gradmatch: picking {count:,} of {rows:,} rows at once takes {held / 1e9:,.1f} GB of memory; "
            f"{_MOST_BYTES / 1e9:.0f} GB is the most. Pick class by class (balance=class, the default), or choose a "
            "smaller --ipc."
        )


def match_gradients(gradients: LastLayer, count: int, lam: float, kept: Resumable | None = None) -> Choice:
    """Picks rows whose weighted gradients add up to the sum of all (GRAD-MATCH, algorithm 2).

    Minimises ||sum_S w_i g_i - sum_V g_j||^2 + lam ||w||^2 over w >= 0 greedily: the row with the largest inner product
    with the residual is added, then all weights are solved for anew. Rows that the final non-negative least squares
    leaves without weight are given back, and the pursuit goes on. Memory: see :func:`require_room`.

    Args:
        gradients: of n rows, in the order in which ties are broken.
        count: rows to pick, at most n.
        lam: strength of the regulariser, for gradients as they are (not divided by n).
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Exactly ``count`` distinct positions and their weights, float64, as they are solved for: sum_S w_i g_i is what
        comes near the sum of all, so weights of two calls can be compared, and a class of small gradients weighs less
        the larger ``lam`` is. Where no further row brings the sum nearer, the rest are the next best ones, with weight
        0; where none weighs anything, all weigh n / count.

    Raises:
        UnsupportedError: it would not fit into memory.
    """
    require_room(len(gradients), count)
    pursuit = _Pursuit(gradients, count, lam, kept)
    weights = pursuit.extend()
    while pursuit.restarts < _ROUNDS and not bool((weights > 0).all()):
        pursuit.restart(pursuit.picks[weights > 0])
        weights = pursuit.extend()
    return _filled(pursuit, weights, count)


def _filled(pursuit: _Pursuit, weights: Tensor, count: int) -> Choice:
    rest = descending(pursuit.gains.masked_fill(pursuit.taken, -torch.inf))[: count - len(weights)]
    weights = torch.cat([weights, weights.new_zeros(len(rest))])
    if not bool(weights.any()):
        weights = torch.full_like(weights, len(pursuit.gains) / max(1, count))
    return Choice(torch.cat([pursuit.picks, rest]), weights)


class _Pursuit:
    """The rows picked so far, with a Cholesky factor that grows by one row with each pick.

    With K the inner products and L L^T = K_SS + lam: ``directions`` is L^-1 K_SV, so that its column of a new row is
    that row's part of L, and the residual's inner products lose ``direction * solution`` with each pick.

    Attributes:
        restarts: how often it was started again from some of its picks.
    """

    def __init__(self, gradients: LastLayer, count: int, lam: float, kept: Resumable | None) -> None:
        self._gradients, self._count, self._lam, self._kept = gradients, count, lam, kept
        self._products = gradients.against(gradients.total())
        self._scale = float(self._products.abs().max())
        self._directions = torch.empty((count, len(gradients)), dtype=torch.float64)
        self._factor = torch.zeros((count, count), dtype=torch.float64)
        self._solution = torch.empty(count, dtype=torch.float64)
        self.restarts = -1
        self.restart(torch.empty(0, dtype=torch.int64))
        if kept is not None and (state := kept.restore()):
            self._restore(state)

    @property
    def picks(self) -> Tensor:
        """Int64 [s], in pick order."""
        return torch.tensor(self._picks, dtype=torch.int64)

    def restart(self, picks: Tensor) -> None:
        """Starts again from these picks (int64 [s]), which :meth:`extend` adds first."""
        self.restarts += 1
        self._picks: list[int] = []
        self._given: list[int] = picks.tolist()
        self.gains = self._products.clone()
        self.taken = torch.zeros(len(self.gains), dtype=torch.bool)
        # Those that were tried and add nothing count as well.
        self._spent = self.taken.clone()

    def extend(self) -> Tensor:
        """Picks up to the budget, or until no row gains; returns the weights of all picks, float64 [s], none negative.

        ``gains`` are then each row's inner products with the residual.
        """
        while self._given:
            position = self._given.pop(0)
            self._add(position)
            # One that adds nothing now may be tried once more.
            self._spent[position] = self.taken[position]
            self._keep()
        while len(self._picks) < self._count:
            gains = settled(self.gains, self._scale).masked_fill(self._spent, -torch.inf)
            best = int(torch.argmax(gains))
            if not float(gains[best]) > 0:
                break
            self._add(best)
            self._spent[best] = True
            self._keep()
        return self._weights()

    def _add(self, position: int) -> None:
        at, column = len(self._picks), self._gradients.kernel(position)
        row = self._directions[:at, position].clone()
        left = float(column[position] + self._lam - row @ row)
        if left <= _DEPENDENT * float(column[position]):
            return
        pivot = left**0.5
        self._directions[at] = (column - row @ self._directions[:at]) / pivot
        self._solution[at] = (self._products[position] - row @ self._solution[:at]) / pivot
        self._factor[at, :at], self._factor[at, at] = row, pivot
        self.gains -= self._solution[at] * self._directions[at]
        self.taken[position] = True
        self._picks.append(position)

    def _keep(self) -> None:
        if self._kept is not None:
            self._kept.keep(self._state, done=len(self._picks))

    def _state(self) -> dict[str, Any]:
        size = len(self._picks)
        tensors = {
            "gains": self.gains,
            "taken": self.taken,
            "spent": self._spent,
            "directions": self._directions[:size].clone(),
            "factor": self._factor[:size, :size].clone(),
            "solution": self._solution[:size].clone(),
        }
        return {**tensors, "picks": list(self._picks), "given": list(self._given), "restarts": self.restarts}

    def _restore(self, state: dict[str, Any]) -> None:
        self._picks, self._given, self.restarts = list(state["picks"]), list(state["given"]), state["restarts"]
        self.gains, self.taken, self._spent = state["gains"], state["taken"], state["spent"]
        size = len(self._picks)
        self._directions[:size], self._solution[:size] = state["directions"], state["solution"]
        self._factor[:size, :size] = state["factor"]

    def _weights(self) -> Tensor:
        # Here, because it takes a moment to import.
        from scipy.optimize import nnls

        size = len(self._picks)
        if not size:
            return torch.empty(0, dtype=torch.float64)
        factor, solution = self._factor[:size, :size].numpy(), self._solution[:size].numpy()
        found, _ = nnls(np.ascontiguousarray(factor.T), solution, maxiter=30 * size)
        return torch.from_numpy(found)
