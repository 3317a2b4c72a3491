"""Rows as vectors with inner products: what methods of geometry and coverage ask of features and of gradients."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from rethinkdc.errors import RequestError


class Vectors(Protocol):
    """n vectors, in the order in which ties are broken; read a bounded number at a time."""

    def __len__(self) -> int: ...

    def squared_norms(self) -> Tensor:
        """Float64 [n]."""
        ...

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner products of the vectors at ``left`` (int64 [a]) with those at ``right`` ([b]): float64 [a, b]."""
        ...

    @property
    def precision(self) -> float:
        """How far off :meth:`kernel` may be, in units of the product of the two lengths."""
        ...

    def kernel(self, position: int) -> Tensor:
        """Inner product of every vector with one of them: float64 [n], rougher where that is much faster."""
        ...

    def sum_of(self, positions: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum of the vectors at some positions (int64 [m]), weighted by float64 [m]: float64, as large as a vector."""
        ...

    def against(self, total: Tensor, positions: Tensor | None = None) -> Tensor:
        """Inner products of the vectors at some positions, or of all, with such a sum: float64 [m]."""
        ...


class Points:
    """Explicit vectors, such as features: rows of a table that may be memory-mapped."""

    def __init__(self, table: Tensor, rows: Tensor) -> None:
        """Takes a table float [N, D], and which of its rows (int64 [n]) are the vectors, in order."""
        self._table, self._rows = table, rows
        self._held: Tensor | None = None
        self._unit = 1.0

    def __len__(self) -> int:
        return len(self._rows)

    def squared_norms(self) -> Tensor:
        """Float64 [n].

        Raises:
            RequestError: a vector is not finite; names its row.
        """
        norms = torch.cat([self._take(part).square().sum(1) for part in torch.arange(len(self)).split(CHUNK)])
        if not bool(torch.isfinite(norms).all()):
            row = int(self._rows[int((~torch.isfinite(norms)).nonzero()[0, 0])])
            raise RequestError(f"The features of training row {row} are not finite: look at that image.")
        return norms

    def products(self, left: Tensor, right: Tensor) -> Tensor:
        """See :class:`Vectors`."""
        return self._take(left) @ self._take(right).T

    @property
    def precision(self) -> float:
        """See :class:`Vectors`: the bound for float32 sums in any order, and for numbers narrowed to it."""
        return (self._table.shape[1] + 4) * 2.0**-24

    def kernel(self, position: int) -> Tensor:
        """See :class:`Vectors`: from a float32 copy of all rows, made once and read at every call."""
        if self._held is None:
            self._unit = max(float(self.squared_norms().max()) ** 0.5, torch.finfo(torch.float32).tiny)
            # One column for each row: a product with a single vector reads memory twice as fast as from rows.
            self._held = torch.empty((self._table.shape[1], len(self)))
            for part in torch.arange(len(self)).split(CHUNK):
                self._held[:, part] = (self._take(part) / self._unit).to(torch.float32).T
        products: Tensor = (self._held[:, position] @ self._held).to(torch.float64).mul_(self._unit**2)
        return products

    def sum_of(self, positions: Tensor, weights: Tensor | None = None) -> Tensor:
        """See :class:`Vectors`: float64 [D]."""
        total = torch.zeros(self._table.shape[1], dtype=torch.float64)
        for part in torch.arange(len(positions)).split(CHUNK):
            rows = self._take(positions[part])
            total += rows.sum(0) if weights is None else weights[part] @ rows
        return total

    def against(self, total: Tensor, positions: Tensor | None = None) -> Tensor:
        """See :class:`Vectors`."""
        positions = torch.arange(len(self)) if positions is None else positions
        return torch.cat([self._take(part) @ total for part in positions.split(CHUNK)])

    def _take(self, positions: Tensor) -> Tensor:
        return self._table[self._rows[positions]].to(torch.float64)


CHUNK = 512
"""Vectors that are widened to float64 at a time: 2 MiB at 512 dimensions."""
