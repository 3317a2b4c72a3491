"""Views of images that are being optimised: the same draws as training's, with gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rethinkdc.errors import UnsupportedError
from rethinkdc.types import ViewKey
from rethinkdc.views.base import DifferentiableOp, ViewOp
from rethinkdc.views.matrix import matrix_crops
from rethinkdc.views.order import draw, split, stream_names


class DifferentiableViews:
    """Renders views of float images through which gradients, of any order, flow back to the images.

    Draws are those of :class:`rethinkdc.views.Views`: under one key the views of the same images differ by its rounding
    to uint8 alone, where no op rounds or clips in between. With ``shared`` the first view's draw counts for the whole
    batch, whatever its length: two batches under one key are then augmented alike (Siamese), and one matrix product
    crops all images. The distillation papers' code, which hands a batch to torchvision's transforms, does the same.

    Args:
        ops: in order; at most one crop, which comes first; the others are flip, crop-pad, roll and dsa.
        size: side of a view in pixels; where no op crops, images of another size are resampled whole.
        shared: one draw for the batch, or one for each image.

    Raises:
        RequestError: the ops cannot be put in a row.
        UnsupportedError: an op works on uint8 only.
    """

    def __init__(self, ops: Sequence[ViewOp], *, size: int, shared: bool) -> None:
        before, self.crop, after = split(ops)
        self.ops = [op for op in [*before, *after] if isinstance(op, DifferentiableOp)]
        if len(self.ops) < len(before) + len(after):
            refused = [op.op for op in [*before, *after] if not isinstance(op, DifferentiableOp)]
            raise UnsupportedError(
                f"No gradient flows through the view op {refused[0]!r}, and views of images that are being optimised "
                f"need one; found {[op.op for op in ops]}. Known: random-resized-crop, flip, crop-pad, roll, dsa."
            )
        self.size = size
        self.shared = shared
        self._streams = stream_names(self.ops)

    def render(self, images: Tensor, key: ViewKey) -> Tensor:
        """The views of float images [B, 3, H, W] that ``key`` names.

        Args:
            images: of any range, for example normalised, on any device. What lies beyond an image is zero: black for
                pixels in 0..1, the mean colour for normalised ones.
            key: which views.

        Returns:
            [B, 3, size, size] of the same type; it may be ``images`` themselves where no op changes them.
        """
        count = min(1, len(images)) if self.shared else len(images)
        views = self._cut(images, key, count)
        sizes = torch.tensor([self.size, self.size]).expand(count, 2)
        for op, stream in zip(self.ops, self._streams, strict=True):
            views = op.warp(views, op.place(*draw(op, stream, key, count), sizes))
        return views

    def _cut(self, images: Tensor, key: ViewKey, count: int) -> Tensor:
        """The first ``count`` boxes, or whole images, at the views' size."""
        sizes = torch.tensor(images.shape[2:]).expand(count, 2)
        if self.crop is not None:
            boxes = self.crop.place(*draw(self.crop, self.crop.op, key, count), sizes)
            return matrix_crops(images, boxes, self.size, self.crop.interpolation)
        if images.shape[2:] == (self.size, self.size):
            return images
        return matrix_crops(images, torch.tensor([[0, 0, *images.shape[2:]]]), self.size)
