"""Views of images that are changed before anything is drawn: as floats, which no op rounds or clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rethinkdc.data.store import Store
from rethinkdc.errors import UnsupportedError
from rethinkdc.types import ViewRule
from rethinkdc.views.base import DifferentiableOp, ViewOp
from rethinkdc.views.order import Draws
from rethinkdc.views.pipeline import Views


class ChangedViews(Views):
    """Views whose ops work on what ``change`` makes of the pixels, such as whitened images.

    Draws are those of :class:`Views`. The views are the network's input: they are not normalised any more.

    Args:
        ops: in order; such as flip, crop-pad, roll and dsa, which work on floats.
        change: float32 [B, 3, S, S] of uint8 [B, 3, S, S].
        size: side of a view in pixels.

    Raises:
        UnsupportedError: an op works on uint8 only, or crops.
    """

    def __init__(self, ops: Sequence[ViewOp], change: Callable[[Tensor], Tensor], *, size: int) -> None:
        super().__init__(ops, None, size=size, rule=ViewRule(), cell_boxes=None)
        self.change = change
        self._floats = [op for op in self.ops if isinstance(op, DifferentiableOp)]
        if self.crop or self.before or len(self._floats) < len(self.ops):
            raise UnsupportedError(
                f"Whitened images are floats, and one of {[op.op for op in ops]} crops or works on pixels alone. "
                "Known: flip, crop-pad, roll, dsa."
            )

    def _unmixed(self, store: Store, rows: Tensor, draws: Draws) -> Tensor:
        views = self.change(self._cut(store, rows, draws))
        sizes = torch.tensor(views.shape[2:]).expand(len(views), 2)
        for op, stream in zip(self._floats, self._streams, strict=True):
            views = op.warp(views, op.place(*draws.of(op, stream), sizes))
        return views
