"""A compressor that a stranger could have written: every n-th image of each class."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

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


class EveryNth(Compressor):
    """Every n-th image of each class, from the first on."""

    name: ClassVar[str] = "every-nth"
    family: ClassVar[str] = "baseline"

    n: int = Field(default=2, ge=1, description="Distance between two rows of one class.")

    def rows_per_canvas(self) -> int:
        return self.n

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        return CompressedSet.of_rows(data, every_nth(data.targets, self.n, budget))


def every_nth(targets: Tensor, n: int, budget: Budget) -> Tensor:
    """Rows 0, n, 2n, ... of each class: int64 [total]."""
    found = [(targets == index).nonzero().flatten()[::n][: budget.ipc] for index in range(budget.classes)]
    if min(map(len, found)) < budget.ipc:
        raise UnsupportedError(f"Every {n}th image of a class is fewer than {budget.ipc}; choose a smaller n.")
    return torch.cat(found)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``every-nth``."""
    return [EveryNth]
