"""Random subsets, the baseline of every table, and random scores, the control for every selector."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rethinkdc.contracts import Budget, CompressedSet, Compressor, Context, Images, Method, Score, hookimpl
from rethinkdc.pruning import baseline_rows


class RandomSubset(Compressor):
    """Uniform random rows, the same number, or the same share, of each class."""

    name: ClassVar[str] = "random"
    family: ClassVar[str] = "baseline"
    shares: ClassVar[bool] = True

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        return CompressedSet.of_rows(data, baseline_rows(data.targets, budget, context.seeds))


class RandomScore(Score):
    """A uniform random number per row: separates what a score adds from what is done with the rows."""

    name: ClassVar[str] = "random"
    family: ClassVar[str] = "baseline"

    def score(self, data: Images, context: Context) -> Tensor:
        return torch.rand(len(data), generator=context.generator("set", "random-score"))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor and the score, both named ``random``."""
    return [RandomSubset, RandomScore]
