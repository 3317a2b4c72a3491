"""Which batch of views belongs to which step, where labels were made before the training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from rethinkdc.seeds import derive_seed, generator
from rethinkdc.training.length import Plan, order
from rethinkdc.types import Drawn, ViewKey


@dataclass(frozen=True)
class LabelSchedule:
    """The batches of views that labels were made for, and which of them each step of a training is given.

    Batch n is batch ``n % batches`` of epoch ``n // batches``, its rows and its views drawn from the seeds: nothing
    about it is stored. A training of ``plan.steps`` steps is given them in order; where only the first ``count`` have
    labels, each step draws one of them at random, with replacement, among those of its own size (LPLD, arXiv
    2410.15919, draws among the full ones alone).

    Attributes:
        plan: length and batch size of the student's training.
        count: batches that have labels, at least one epoch's.
        order: seed of the order of the rows.
        views: seed of the views.
        draws: seed of what each step draws.
    """

    plan: Plan
    count: int
    order: int
    views: int
    draws: int = 0

    def start(self, batch: int) -> int:
        """Views in the batches before ``batch``."""
        epoch, place = divmod(batch, self.plan.batches)
        return epoch * self.plan.rows + min(place * self.plan.batch, self.plan.rows)

    def batch_of(self, step: int) -> int:
        """The batch that a 0-based step of the training is given."""
        if self.count >= self.plan.steps:
            return step
        place = step % self.plan.batches
        last = self.plan.batches - 1
        # Batches of one size: all but the last of each epoch, and the last ones.
        short = place == last and self.plan.rows % self.plan.batch != 0
        whole, rest = divmod(self.count, self.plan.batches)
        drawn = generator(derive_seed(self.draws, "batch", step))
        if short or last == 0:
            return int(torch.randint(whole, (), generator=drawn)) * self.plan.batches + last
        full = last if self.plan.rows % self.plan.batch else self.plan.batches
        chosen = int(torch.randint(whole * full + min(rest, full), (), generator=drawn))
        return chosen // full * self.plan.batches + chosen % full

    def key(self, batch: int) -> ViewKey:
        """The views of a batch."""
        epoch, place = divmod(batch, self.plan.batches)
        return ViewKey(self.views, epoch, place)

    def batch(self, key: ViewKey) -> int:
        """The batch that a key names."""
        return key.epoch * self.plan.batches + key.batch

    def rows(self, batch: int) -> Tensor:
        """Int64 [B]: the rows of a batch."""
        epoch, place = divmod(batch, self.plan.batches)
        return torch.split(_orders(self.order, epoch, self.plan.rows), self.plan.batch)[place]

    def drawn(self, step: int) -> Drawn:
        """The batch of views that a step is given."""
        batch = self.batch_of(step)
        return Drawn(self.key(batch), self.rows(batch))


@lru_cache(maxsize=8)
def _orders(seed: int, epoch: int, rows: int) -> Tensor:
    return order(seed, epoch, rows)
