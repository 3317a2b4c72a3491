"""From a view key to one batch of views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views.base import CropOp, MixOp, PixelOp, ViewOp
from rethinkdc.views.crop import RandomResizedCrop
from rethinkdc.views.render import render_crops
from rethinkdc.views.uniforms import uniforms

if TYPE_CHECKING:
    from rethinkdc.data.store import Store

# Raised whenever the same key gives other pixels than before: it belongs in the digest of all that views decide.
VIEWS_REVISION = 1


class Views:
    """Draws and renders batches of views; all of a batch follows from its :class:`ViewKey` and rows.

    Args:
        ops: in order; at most one crop, which comes first.
        mix: op that mixes the finished views of a batch; None = no mix.
        size: side of a view in pixels.
        rule: whether a view lies on the whole image or in one cell of it, and the crop's area range.
        cell_boxes: int32 [cells, 4] as (y, x, height, width) on the canvas; needed when the rule's scope is the cell.

    Raises:
        RequestError: the ops cannot be put in a row, or there are no cells to view.
        UnsupportedError: the rule sets a crop scale but no op crops.
    """

    def __init__(
        self, ops: Sequence[ViewOp], mix: ViewOp | None, *, size: int, rule: ViewRule, cell_boxes: Tensor | None
    ) -> None:
        if mix is not None and not isinstance(mix, MixOp):
            raise RequestError(f"The view op {mix.op!r} mixes nothing; name a mix such as 'cutmix', or none.")
        if rule.scope == "cell" and (cell_boxes is None or not len(cell_boxes)):
            raise RequestError("Views inside cells were asked for, but the set has no cells: use scope 'canvas'.")
        self.crop, self.ops = _split(ops)
        self.mix = mix
        self.size = size
        self.rule = rule
        self._streams = _streams(self.ops)
        self._cells = cell_boxes.long() if rule.scope == "cell" and cell_boxes is not None else None
        if rule.scale is not None:
            self.crop = _scaled(self.crop, rule.scale)

    def render(self, store: Store, rows: Tensor, targets: Tensor, key: ViewKey) -> ViewBatch:
        """Renders the views of ``rows`` (int64 [B], of ``store``) that ``key`` names; ``targets`` int64 [B] goes along.

        The result's pixels are a tensor of their own: uint8 [B, 3, size, size], channels-last.
        """
        batch = ViewBatch(pixels=self._cut(store, rows, key), rows=rows, hard=targets, key=key)
        if not len(rows):
            return batch
        sizes = torch.tensor([self.size, self.size]).expand(len(rows), 2)
        for op, stream in zip(self.ops, self._streams, strict=True):
            batch.pixels = op.render(batch.pixels, op.place(*_draw(op, stream, key, len(rows)), sizes))
        if self.mix is not None:
            per_view, per_batch = _draw(self.mix, self.mix.op, key, len(rows))
            placed = self.mix.place(per_view, per_batch, sizes)
            batch.partner = self.mix.partners(per_view)
            batch.pixels = self.mix.render(batch.pixels, placed, batch.partner)
            batch.area = self.mix.area(placed, self.size, len(rows))
        return batch

    def boxes(self, sizes: Tensor, rows: Tensor, key: ViewKey) -> Tensor:
        """Where each view lies in its source: int64 [B, 4] as (y, x, height, width).

        Args:
            sizes: int64 [B, 2], height and width of each source.
            rows: int64 [B], rows of the sources: cells that cycle start at a different cell for each row.
            key: which views.

        Raises:
            RequestError: a cell does not lie inside its source.
        """
        scene = torch.cat([torch.zeros_like(sizes), sizes], dim=1)
        if self._cells is not None:
            scene = self._cells[self._cell_choice(len(self._cells), rows, key)]
            if bool((scene[:, :2] + scene[:, 2:] > sizes).any()):
                raise RequestError(
                    f"Cells reach to {(self._cells[:, :2] + self._cells[:, 2:]).amax(0).tolist()} px (height, width), "
                    f"but an image has {sizes.amin(0).tolist()}: store the set at the size of its canvases."
                )
        if self.crop is None:
            return scene
        placed = self.crop.place(*_draw(self.crop, self.crop.op, key, len(rows)), scene[:, 2:])
        return torch.cat([placed[:, :2] + scene[:, :2], placed[:, 2:]], dim=1)

    def _cut(self, store: Store, rows: Tensor, key: ViewKey) -> Tensor:
        stored = store.pixels
        if self.crop is None and self._cells is None and stored is not None and stored.shape[2:] == (self.size,) * 2:
            # Through the permuted view whole images are copied, and the result stays channels-last.
            return stored.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
        sources = store.fetch(rows)
        sizes = torch.tensor([source.shape[1:] for source in sources], dtype=torch.int64).reshape(-1, 2)
        filter_ = self.crop.interpolation if self.crop else "bilinear"
        return render_crops(sources, self.boxes(sizes, rows, key), self.size, filter_)

    def _cell_choice(self, cells: int, rows: Tensor, key: ViewKey) -> Tensor:
        """Int64 [B]: the cell that each view lies in."""
        if self.rule.choice == "cycle":
            return (key.epoch + rows) % cells
        drawn = uniforms(key.seed, "cell", key.epoch, key.batch, (len(rows),))
        return (drawn * cells).floor().long()


def _draw(op: ViewOp, stream: str, key: ViewKey, count: int) -> tuple[Tensor, Tensor]:
    """The op's uniforms: float64 [count, view_uniforms] and [batch_uniforms]; the batch's come first."""
    drawn = uniforms(key.seed, stream, key.epoch, key.batch, (op.batch_uniforms + count * op.view_uniforms,))
    return drawn[op.batch_uniforms :].view(count, op.view_uniforms), drawn[: op.batch_uniforms]


def _split(ops: Sequence[ViewOp]) -> tuple[CropOp | None, list[PixelOp]]:
    """The crop, if there is one, and what follows it."""
    first = ops[0] if ops and isinstance(ops[0], CropOp) else None
    rest: list[PixelOp] = []
    for op in ops[1:] if first else ops:
        if isinstance(op, CropOp):
            raise RequestError(f"The view op {op.op!r} must come first and only once; found {[op.op for op in ops]}.")
        if not isinstance(op, PixelOp):
            raise RequestError(f"The view op {op.op!r} works on a whole batch: name it as the mix, not among the ops.")
        rest.append(op)
    return first, rest


def _scaled(crop: CropOp | None, scale: tuple[float, float]) -> CropOp:
    if not isinstance(crop, RandomResizedCrop):
        raise UnsupportedError(
            f"The set asks for crops of scale {scale}, but the protocol has no 'random-resized-crop': "
            "leave the scale unset."
        )
    return RandomResizedCrop.model_validate({**crop.model_dump(), "scale": scale})


def _streams(ops: Sequence[ViewOp]) -> list[str]:
    """A stream name for each op: its own name, numbered from the second use of one name on."""
    names = [op.op for op in ops]
    earlier = [names[:position].count(name) for position, name in enumerate(names)]
    return [f"{name}#{count + 1}" if count else name for name, count in zip(names, earlier, strict=True)]
