"""Which batch of views belongs to which step, where labels were made before the training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rethinkdc.seeds import derive_seed, generator
from rethinkdc.training.length import Length, order
from rethinkdc.types import Drawn, ViewKey


@dataclass(frozen=True)
class LabelSchedule:
    """The batches of views that labels were made for, and which of them each step of a training is given.

    Batch n is batch ``n % batches`` of epoch ``n // batches``, its rows and its views drawn from the seeds: nothing
    about it is stored. A training of ``length.steps`` steps is given them in order; where only the first ``count`` have
    labels, each step draws one of them at random, with replacement, among those of its own size (LPLD, arXiv
    2410.15919, draws among the full ones alone).

    Attributes:
        length: length and batch size of the student's training.
        count: batches that have labels, at least one epoch's.
        order: seed of the order of the rows.
        views: seed of the views.
        draws: seed of what each step draws.
        distinct: an epoch draws no batch twice, but for the short ones (LPQLD, arXiv 2604.18135).
    """

    length: Length
    count: int
    order: int
    views: int
    draws: int = 0
    distinct: bool = False

    def start(self, batch: int) -> int:
        """Views in the batches before ``batch``."""
        epoch, place = divmod(batch, self.length.batches)
        return epoch * self.length.rows + min(place * self.length.batch, self.length.rows)

    def batch_of(self, step: int) -> int:
        """The batch that a 0-based step of the training is given."""
        if self.count >= self.length.steps:
            return step
        place = step % self.length.batches
        last = self.length.batches - 1
        # Batches of one size: all but the last of each epoch, and the last ones.
        short = place == last and self.length.rows % self.length.batch != 0
        whole, rest = divmod(self.count, self.length.batches)
        drawn = generator(derive_seed(self.draws, "batch", step))
        if short or last == 0:
            return int(torch.randint(whole, (), generator=drawn)) * self.length.batches + last
        full = last if self.length.rows % self.length.batch else self.length.batches
        stored = whole * full + min(rest, full)
        if self.distinct:
            chosen = int(_shuffled(derive_seed(self.draws, "epoch", step // self.length.batches), stored)[place])
        else:
            chosen = int(torch.randint(stored, (), generator=drawn))
        return chosen // full * self.length.batches + chosen % full

    def key(self, batch: int) -> ViewKey:
        """The views of a batch."""
        epoch, place = divmod(batch, self.length.batches)
        return ViewKey(self.views, epoch, place)

    def batch(self, key: ViewKey) -> int:
        """The batch that a key names."""
        return key.epoch * self.length.batches + key.batch

    def rows(self, batch: int) -> Tensor:
        """Int64 [B]: the rows of a batch."""
        epoch, place = divmod(batch, self.length.batches)
        return torch.split(_orders(self.order, epoch, self.length.rows), self.length.batch)[place]

    def drawn(self, step: int) -> Drawn:
        """The batch of views that a step is given."""
        batch = self.batch_of(step)
        return Drawn(self.key(batch), self.rows(batch))


@lru_cache(maxsize=8)
def _orders(seed: int, epoch: int, rows: int) -> Tensor:
    return order(seed, epoch, rows)


@lru_cache(maxsize=8)
def _shuffled(seed: int, count: int) -> Tensor:
    return torch.randperm(count, generator=generator(seed))


def pruned(length: Length, ratio: float) -> int:
    """How many batches get labels where there are to be ``ratio`` times fewer of them: at least one epoch's."""
    return min(length.steps, max(int(length.steps / ratio), length.batches))
