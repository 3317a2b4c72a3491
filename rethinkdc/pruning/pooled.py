"""What costly scores have in common: they may score a seeded draw of the rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts.kinds import Score
from rethinkdc.data.by_class import rows_by_class
from rethinkdc.types import Images

if TYPE_CHECKING:
    from rethinkdc.contracts.context import Context


class PooledScore(Score):
    """Base of scores with a ``pool``; a subclass scores the rows of the pool, the others stay NaN."""

    pool: int | None = Field(
        default=None, ge=1, description="Rows that are scored: a seeded stratified draw; none = all."
    )

    def pooled(self, rows: int) -> int:
        return rows if self.pool is None else min(self.pool, rows)

    def pool_rows(self, data: Images, context: Context) -> Tensor:
        """The rows to score, ascending: int64 [pool]; of each class the same share, by largest remainder."""
        total, pool = len(data), self.pooled(len(data))
        if pool == total:
            return torch.arange(total)
        sizes = torch.bincount(data.targets)
        quotas, left = sizes * pool // total, sizes * pool % total
        quotas[torch.argsort(left, stable=True, descending=True)[: pool - int(quotas.sum())]] += 1
        shuffled = torch.randperm(total, generator=context.generator("set", "pool"))
        classes = rows_by_class(data.targets, len(sizes), shuffled)
        drawn = [rows[:quota] for rows, quota in zip(classes, quotas.tolist(), strict=True)]
        return torch.cat(drawn).sort().values

    def score(self, data: Images, context: Context) -> Tensor:
        rows = self.pool_rows(data, context)
        scores = torch.full((len(data),), torch.nan, dtype=torch.float32)
        scores[rows] = self.of_rows(data, rows, context).to(torch.float32)
        return scores

    def of_rows(self, data: Images, rows: Tensor, context: Context) -> Tensor:
        """The score of the given rows (int64 [m]): float [m], larger = "hard", no NaN."""
        raise NotImplementedError
