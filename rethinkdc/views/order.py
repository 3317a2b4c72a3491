"""What ops stand in a row, and what each of them draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.types import ViewKey
from rethinkdc.views.base import CropOp, PixelOp, ViewOp
from rethinkdc.views.uniforms import uniforms


def split(ops: Sequence[ViewOp]) -> tuple[list[PixelOp], CropOp | None, list[PixelOp]]:
    """The ops on sources before the crop, the crop, if there is one, and what follows.

    Raises:
        RequestError: the ops cannot be put in a row.
    """
    crop: CropOp | None = None
    before: list[PixelOp] = []
    after: list[PixelOp] = []
    for op in ops:
        if isinstance(op, CropOp):
            if crop is not None or not all(earlier.on_sources for earlier in after):
                raise RequestError(
                    f"The view op {op.op!r} must come first, or after ops on whole images such as 'shuffle-patches', "
                    f"and only once; found {[op.op for op in ops]}."
                )
            crop, before, after = op, after, []
        elif isinstance(op, PixelOp):
            after.append(op)
        else:
            raise RequestError(f"The view op {op.op!r} works on a whole batch: name it as the mix, not among the ops.")
    return before, crop, after


def stream_names(ops: Sequence[ViewOp]) -> list[str]:
    """A stream name for each op: its own name, numbered from the second use of one name on."""
    names = [op.op for op in ops]
    earlier = [names[:position].count(name) for position, name in enumerate(names)]
    return [f"{name}#{count + 1}" if count else name for name, count in zip(names, earlier, strict=True)]


class Draws(NamedTuple):
    """What is drawn for the views of a batch that are wanted.

    Attributes:
        key: names the batch.
        size: views in the batch, B.
        places: int64 [b], those that are wanted; None = all. What is drawn for one does not depend on the others.
    """

    key: ViewKey
    size: int
    places: Tensor | None = None

    def of(self, op: ViewOp, stream: str) -> tuple[Tensor, Tensor]:
        """The op's uniforms: float64 [b, view_uniforms] and [batch_uniforms]."""
        per_view, per_batch = draw(op, stream, self.key, self.size)
        return self.wanted(per_view), per_batch

    def wanted(self, values: Tensor) -> Tensor:
        """Of values [B, ...] of all views those of the wanted ones."""
        return values if self.places is None else values[self.places]


def draw(op: ViewOp, stream: str, key: ViewKey, count: int) -> tuple[Tensor, Tensor]:
    """The op's uniforms: float64 [count, view_uniforms] and [batch_uniforms].

    The batch's come first, so that neither they nor those of a view depend on how many views follow.
    """
    drawn = uniforms(key.seed, stream, key.epoch, key.batch, (op.batch_uniforms + count * op.view_uniforms,))
    return drawn[op.batch_uniforms :].view(count, op.view_uniforms), drawn[: op.batch_uniforms]
