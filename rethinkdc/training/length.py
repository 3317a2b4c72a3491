"""Which rows make which batch: a pure function of the seed, so that a resumed run needs no generator state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.seeds import derive_seed, generator


class Step(NamedTuple):
    """One optimiser step: the 0-based epoch, the 0-based batch in it, and its rows (int64 [B])."""

    epoch: int
    batch: int
    rows: Tensor


def order(seed: int, epoch: int, rows: int) -> Tensor:
    """The order of ``rows`` rows in ``epoch``: a permutation, int64 [rows]."""
    return torch.randperm(rows, generator=generator(derive_seed(seed, "order", epoch)))


@dataclass(frozen=True)
class Length:
    """The length of a training run.

    Attributes:
        rows: images in the set.
        batch: images in a batch, at most ``rows``; the last batch of an epoch may be smaller.
        steps: optimiser steps in all.
        epochs: epochs begun; the last one is cut short when ``steps`` does not fill it.
    """

    rows: int
    batch: int
    steps: int
    epochs: int

    def on(self, rows: int) -> Length:
        """As many steps of as many images on a set of ``rows``, which is at least one batch of this length."""
        batches = -(-rows // self.batch)
        return Length(rows, self.batch, self.steps, -(-self.steps // batches))

    @property
    def batches(self) -> int:
        """Batches in a whole epoch."""
        return -(-self.rows // self.batch)

    @property
    def whole(self) -> bool:
        """Whether every epoch visits every row."""
        return self.steps == self.epochs * self.batches

    @property
    def views(self) -> int:
        """Images rendered in all, counting each as often as it is shown."""
        epochs, rest = divmod(self.steps, self.batches)
        return epochs * self.rows + rest * self.batch

    def walk(self, seed: int, first: int = 0) -> Iterator[Step]:
        """Steps ``first``, ``first + 1``, ... to the end."""
        for epoch in range(first // self.batches, self.epochs):
            rows = torch.split(order(seed, epoch, self.rows), self.batch)
            begin = max(first - epoch * self.batches, 0)
            end = min(self.steps - epoch * self.batches, self.batches)
            for batch in range(begin, end):
                yield Step(epoch, batch, rows[batch])
