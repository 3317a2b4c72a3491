"""The images of ``random``, every class under the name of another."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rethinkdc.combination import store_rows
from rethinkdc.contracts import (
    Budget,
    CompressedSet,
    Compressor,
    Context,
    Images,
    Method,
    UnsupportedError,
    hookimpl,
)
from rethinkdc.pruning import baseline_rows


class WrongClass(Compressor):
    """The rows of random, each class labelled as another one: accuracy comes from what overrules the set's labels.

    Under hard labels a student ends below chance. Where soft labels bring it near ``random``, the classes that a set
    states play no part, and what teaches is the teacher.
    """

    name: ClassVar[str] = "wrong-class"
    family: ClassVar[str] = "controls"

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        if budget.classes < 2:
            raise UnsupportedError(f"{self.name} needs a second class; there is {budget.classes}.")
        others = other_classes(budget.classes, context.generator("set", "wrong-class"))
        rows = baseline_rows(data.targets, budget, context.seeds)
        return store_rows(data, rows, others[data.targets[rows]], budget, context)


def other_classes(classes: int, draws: torch.Generator) -> Tensor:
    """A random permutation without fixed points, int64 [classes]: each class names the next of a random circle."""
    circle = torch.randperm(classes, generator=draws)
    others = torch.empty_like(circle)
    others[circle] = circle.roll(-1)
    return others


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``wrong-class``."""
    return [WrongClass]
