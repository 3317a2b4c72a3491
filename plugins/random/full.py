"""The whole training set: the upper reference of every table."""

from __future__ import annotations

from typing import ClassVar

import torch

from rethinkdc.contracts import Budget, CompressedSet, Compressor, Context, Images, Method, hookimpl


class Full(Compressor):
    """Every training row; trained by the protocol's recipe for the full set."""

    name: ClassVar[str] = "full"
    family: ClassVar[str] = "baseline"
    budgeted: ClassVar[bool] = False

    @property
    def balanced(self) -> bool:
        return False

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:  # noqa: ARG002
        return CompressedSet.of_rows(data, torch.arange(len(data)))


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``full``."""
    return [Full]
