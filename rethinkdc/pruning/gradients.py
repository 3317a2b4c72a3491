"""Gradients of the cross-entropy with respect to the last layer, one per row, never written out.

The gradient of row i is the matrix b_i [1; h_i]^T of C x (D + 1) numbers, with b = p - y and the features h. Every
product that methods ask for factorises: <g_i, M> = b_i^T M [1; h_i] and <g_i, g_j> = <b_i, b_j> (1 + <h_i, h_j>).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rethinkdc.pruning.vectors import Points, Vectors
from rethinkdc.types import Predictions

_CHUNK_NUMBERS = 1 << 24
"""Float64 numbers of b and [1; h] that are held at a time: 128 MiB."""


class _Factors(NamedTuple):
    """Of some rows: b, float64 [m, C], and [1; h], float64 [m, D + 1]."""

    errors: Tensor
    inputs: Tensor


class LastLayer:
    """Last-layer gradients of given rows, in their order, read a bounded number at a time."""

    def __init__(self, predictions: Predictions, targets: Tensor, rows: Tensor) -> None:
        """Takes what the network says of all rows (memory-mapped), int64 targets [N], and rows int64 [n]."""
        self._predictions, self._targets, self._rows = predictions, targets, rows
        self.shape = (predictions.logits.shape[1], predictions.features.shape[1] + 1)
        self._step = max(1, _CHUNK_NUMBERS // sum(self.shape))
        self._chunks = torch.arange(len(rows)).split(self._step)
        self._held = self._read(self._chunks[0]) if len(self._chunks) == 1 else None

    def __len__(self) -> int:
        return len(self._rows)

    def total(self, moved: Tensor | None = None) -> Tensor:
        """Sum of all gradients: float64 [C, D + 1].

        Args:
            moved: float64 [C, D + 1], what the layer's weights were moved by; the features stay, so it is exact.
        """
        total = torch.zeros(self.shape, dtype=torch.float64)
        for errors, inputs in self._factors() if moved is None else (self._read(at, moved) for at in self._chunks):
            total.addmm_(errors.T, inputs)
        return total

    def sum_of(self, positions: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum of the gradients of some rows, int64 [m], weighted by float64 [m]: float64 [C, D + 1]."""
        total = torch.zeros(self.shape, dtype=torch.float64)
        for part in torch.arange(len(positions)).split(self._step):
            errors, inputs = self._of(positions[part])
            total.addmm_(errors.T if weights is None else errors.T * weights[part], inputs)
        return total

    def against(self, total: Tensor, positions: Tensor | None = None) -> Tensor:
        """Inner product of each gradient, or of those of some rows, with a matrix [C, D + 1]: float64 [m]."""
        factors = self._factors() if positions is None else (self._of(part) for part in positions.split(self._step))
        return torch.cat([(errors @ total * inputs).sum(1) for errors, inputs in factors])

    @property
    def precision(self) -> float:
        """How far off :meth:`kernel` may be, in units of the product of the two norms."""
        return sum(self.shape) * 2.0**-52

    def kernel(self, position: int) -> Tensor:
        """Inner product of each gradient with that of one row: float64 [n]."""
        error, value = self._of(torch.tensor([position]))
        return torch.cat([(errors @ error[0]) * (inputs @ value[0]) for errors, inputs in self._factors()])

    def squared_norms(self) -> Tensor:
        """Squared norm of each gradient, |b|^2 (1 + |h|^2): float64 [n]."""
        return torch.cat([errors.square().sum(1) * inputs.square().sum(1) for errors, inputs in self._factors()])

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner products of the gradients at ``left`` (int64 [a]) with those at ``right`` ([b]): float64 [a, b]."""
        ours, others = self._of(left), self._of(right)
        return (ours.errors @ others.errors.T) * (ours.inputs @ others.inputs.T)

    def _factors(self) -> Iterator[_Factors]:
        if self._held:
            yield self._held
        else:
            yield from map(self._read, self._chunks)

    def _of(self, positions: Tensor) -> _Factors:
        if self._held:
            return _Factors(self._held.errors[positions], self._held.inputs[positions])
        return self._read(positions)

    def _read(self, positions: Tensor, moved: Tensor | None = None) -> _Factors:
        rows = self._rows[positions]
        features = self._predictions.features[rows].to(torch.float64)
        inputs = torch.cat([torch.ones((len(rows), 1), dtype=torch.float64), features], 1)
        logits = self._predictions.logits[rows].to(torch.float64)
        if moved is not None:
            logits = torch.addmm(logits, inputs, moved.T)
        errors = torch.softmax(logits, 1)
        # Not p - 1, which is lost to rounding where the row is all but certain.
        own = self._targets[rows, None]
        errors.scatter_(1, own, 0).scatter_(1, own, -errors.sum(1, keepdim=True))
        return _Factors(errors, inputs)


Space = Literal["features", "gradients"]


def vectors_of(predictions: Predictions, targets: Tensor, space: Space) -> Callable[[Tensor], Vectors]:
    """Gives rows (int64 [n]) as vectors: the features, or the last layer's gradients, of what the network says."""
    if space == "features":
        return lambda rows: Points(predictions.features, rows)
    return lambda rows: LastLayer(predictions, targets, rows)
