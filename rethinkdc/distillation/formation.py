"""Several training images on one stored canvas: its cells, enlarged to the canvas's side (IDC, arXiv 2205.14959)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.compressed.canvases import grid_boxes
from rethinkdc.contracts.context import Context
from rethinkdc.distillation.class_images import RealImages
from rethinkdc.distillation.parts import assemble_set, make_part
from rethinkdc.types import Budget, Images, ViewKey, ViewRule
from rethinkdc.views import DifferentiableViews, ViewOp, matrix_crops

_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
"""Mean and deviation of pixels that are not normalised."""

Shrinking = Literal["nearest", "bilinear"]
EACH_CELL = ViewRule(scope="cell", choice="each")
"""How a student sees such a set: every cell is a training image of its own, in every epoch."""


def form(images: Tensor, factor: int) -> Tensor:
    """Decodes canvases to what is trained on: the cells of a grid, enlarged by bilinear interpolation.

    Students see the same of the stored canvases under :data:`EACH_CELL`, up to grey levels.

    Args:
        images: float [B, 3, S, S]; gradients of any order flow to them.
        factor: cells per side; 1 gives the images as they are.

    Returns:
        [factor^2 * B, 3, S, S]: the first cell of all canvases, then the second, row by row.
    """
    if factor == 1:
        return images
    size = images.shape[-1]
    return torch.cat([matrix_crops(images, box[None].long(), size) for box in grid_boxes(size, factor)])


def fill(images: Tensor, factor: int, shrinking: Shrinking = "nearest") -> Tensor:
    """Puts images on canvases, one in each cell, taken down to its size.

    Args:
        images: float [factor^2 * m, 3, S, S], in the order of :func:`form`.
        factor: cells per side.
        shrinking: ``nearest`` drops pixels, as IDC's and NCFM's code; ``bilinear`` is without antialiasing, as IDM's.

    Returns:
        [m, 3, S, S].
    """
    size = images.shape[-1]
    boxes = grid_boxes(size, factor)
    canvases = images.new_empty((len(images) // len(boxes), *images.shape[1:]))
    for some, (y, x, height, width) in zip(images.chunk(len(boxes)), boxes.tolist(), strict=True):
        canvases[:, :, y : y + height, x : x + width] = F.interpolate(some, size=(height, width), mode=shrinking)
    return canvases


class Formation:
    """Canvases of several training images while they are made, and what networks are shown of them.

    Args:
        method: whose they are; names it in errors.
        data: the training set.
        budget: of the set.
        context: of the making.
        factor: cells per side.
        ops: augment what is matched, with parameters that real and synthetic images share.
        pixels: whether images are kept as pixels in 0..1, as in IDC's and NCFM's code, or normalised, as in IDM's.

    Attributes:
        real: training images, kept as the canvases are.
    """

    def __init__(
        self,
        method: str,
        data: Images,
        budget: Budget,
        context: Context,
        factor: int,
        ops: Sequence[ViewOp],
        *,
        pixels: bool = True,
    ) -> None:
        self.method, self.budget, self.context, self.factor = method, budget, context, factor
        self.class_names, self.pixels = data.class_names, pixels
        proxy = context.protocol.proxy_recipe()
        self._kept = (_BLACK, _WHITE) if pixels else (proxy.mean, proxy.std)
        self.real = RealImages(data, context.protocol.store, *self._kept, context.device)
        self._mean, self._std = (
            torch.tensor(numbers, device=context.device).view(1, 3, 1, 1) for numbers in (proxy.mean, proxy.std)
        )
        self._views = DifferentiableViews(ops, size=budget.size, shared=True)

    def begun(self, init: Literal["real", "noise"]) -> Tensor:
        """What the canvases of all classes begin as: float32 [C * ipc, 3, S, S], class by class.

        Args:
            init: a random real image in each cell, or noise.

        Raises:
            UnsupportedError: a class has too few images.
        """
        budget, context = self.budget, self.context
        if init == "noise":
            shape = (budget.total, 3, budget.size, budget.size)
            noise = torch.randn(shape, generator=context.generator("set", "init"))
            return ((noise / 4 + 0.5).clamp(0, 1) if self.pixels else noise).to(context.device)
        count = budget.ipc * self.factor**2
        begun = [
            self.real.start(self.method, label, count, context.generator("set", "init", label))
            for label in range(budget.classes)
        ]
        return torch.cat([fill(some, self.factor, "nearest" if self.pixels else "bilinear") for some in begun])

    def cells(self, canvases: Tensor) -> Tensor:
        """What is trained on, as :func:`form` gives it."""
        return form(canvases, self.factor)

    def normalised(self, images: Tensor) -> Tensor:
        """Images [B, 3, S, S] as networks read them."""
        return (images - self._mean) / self._std if self.pixels else images

    def shown(self, images: Tensor, key: ViewKey) -> Tensor:
        """Images [B, 3, S, S] normalised, then augmented as all are under this key."""
        return self._views.render(self.normalised(images), key)

    def assembled(self, run: Callable[[], Tensor]) -> CompressedSet:
        """The set of the canvases [C * ipc, 3, S, S] that ``run`` makes: one part, with checkpoints of its own."""

        def make(index: int) -> dict[str, Tensor]:
            assert index == 0
            targets = torch.arange(self.budget.classes).repeat_interleave(self.budget.ipc)
            return make_part(run(), targets, *self._kept)

        parts = self.context.parts(1, make)
        if self.factor == 1:
            return assemble_set(parts, self.class_names)
        boxes = grid_boxes(self.budget.size, self.factor)
        return assemble_set(parts, self.class_names, cell_boxes=boxes, view_rule=EACH_CELL)
