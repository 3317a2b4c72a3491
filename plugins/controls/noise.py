"""Canvases of noise: what is left of the accuracy when the images tell nothing (arXiv 2604.18811)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, CompressedSet, Compressor, Context, Images, Method, hookimpl


class Noise(Compressor):
    """Random pixels: accuracy under the same labels is what the labels smuggle in, not what a set teaches.

    Under hard labels a student learns nothing of it. Under soft ones a teacher that answers for noise still gives away
    how it decides, and a table must say how far that alone leads.
    """

    name: ClassVar[str] = "noise"
    family: ClassVar[str] = "controls"

    distribution: Literal["uniform", "gaussian"] = Field(
        default="uniform",
        description="Of each pixel; gaussian takes the mean and standard deviation of each channel from the protocol.",
    )

    def rows_per_canvas(self) -> int:
        return 0

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        # The proxy's are the training set's, and unlike the student's they are part of what a set is made from.
        about = context.protocol.proxy_recipe() if self.distribution == "gaussian" else None

        def make(index: int) -> dict[str, Tensor]:
            draws = context.generator("set", "noise", index)
            # One by one: a set of more canvases begins with those of a smaller one.
            if about is None:
                canvases = [uniform_noise(budget.size, draws) for _ in range(budget.ipc)]
            else:
                canvases = [gaussian_noise(budget.size, about.mean, about.std, draws) for _ in range(budget.ipc)]
            return {"canvases": torch.stack(canvases), "targets": torch.full((budget.ipc,), index)}

        return CompressedSet.of_canvases(context.parts(budget.classes, make), data.class_names)


def uniform_noise(size: int, draws: torch.Generator) -> Tensor:
    """Every grey level alike: uint8 [3, size, size]."""
    return torch.randint(0, 256, (3, size, size), generator=draws, dtype=torch.uint8)


def gaussian_noise(size: int, mean: tuple[float, ...], std: tuple[float, ...], draws: torch.Generator) -> Tensor:
    """Gaussian pixels of the given channel means and deviations (in 0..1), clamped: uint8 [3, size, size]."""
    values = torch.randn((3, size, size), generator=draws, dtype=torch.float64)
    values = values * values.new_tensor(std)[:, None, None] + values.new_tensor(mean)[:, None, None]
    return (values * 255).round().clamp(0, 255).to(torch.uint8)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``noise``."""
    return [Noise]
