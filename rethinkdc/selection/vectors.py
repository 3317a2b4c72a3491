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

    def kernel(self, position: int) -> Tensor:
        """Inner product of every vector with one of them: float [n]; float32 where that is much faster."""
        ...

    def dots(self, left: Tensor, right: Tensor, weights: Tensor) -> Tensor:
        """Inner products of the vectors at ``left`` with the weighted sum of those at ``right``: float64 [a].

        Args:
            left: int64 [a].
            right: int64 [b].
            weights: float64 [b].
        """
        ...


class Points:
    """Explicit vectors, such as features: rows of a table that may be memory-mapped."""

    def __init__(self, table: Tensor, rows: Tensor) -> None:
        """Takes a table float [N, D], and which of its rows (int64 [n]) are the vectors, in order."""
        self._table, self._rows = table, rows
        self._held: Tensor | None = None

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

    def kernel(self, position: int) -> Tensor:
        """See :class:`Vectors`: float32, from a copy of the rows that is made once and read at every pick."""
        if self._held is None:
            self._held = self._table[self._rows].to(torch.float32)
        return self._held @ self._held[position]

    def dots(self, left: Tensor, right: Tensor, weights: Tensor) -> Tensor:
        """See :class:`Vectors`."""
        total = torch.zeros(self._table.shape[1], dtype=torch.float64)
        for part in torch.arange(len(right)).split(CHUNK):
            total += weights[part] @ self._take(right[part])
        return torch.cat([self._take(part) @ total for part in left.split(CHUNK)])

    def _take(self, positions: Tensor) -> Tensor:
        return self._table[self._rows[positions]].to(torch.float64)


CHUNK = 2048
"""Vectors that are widened to float64 at a time: 8 MiB at 512 dimensions."""
