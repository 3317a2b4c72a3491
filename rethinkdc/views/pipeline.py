"""From a view key to one batch of views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rethinkdc.data.device_store import DeviceStore
from rethinkdc.data.resize import channels_last
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.types import Interpolation, ViewBatch, ViewKey, ViewRule
from rethinkdc.views.base import CropOp, MixOp, PixelOp, ViewOp
from rethinkdc.views.crop import RandomResizedCrop
from rethinkdc.views.matrix import matrix_crops
from rethinkdc.views.order import Draws, draw, split, stream_names
from rethinkdc.views.render import render_crops
from rethinkdc.views.uniforms import uniforms

if TYPE_CHECKING:
    from rethinkdc.data.store import Store

# Raised whenever the same key gives other pixels than before: it belongs in the digest of all that views decide.
VIEWS_REVISION = 1


class Views:
    """Draws and renders batches of views; all of a batch follows from its :class:`ViewKey` and rows.

    Args:
        ops: in order; at most one crop, which comes first but for ops on sources: those change the whole images that
            the crop is then cut out of, and such images must be of one size.
        mix: op that mixes the finished views of a batch; None = no mix.
        size: side of a view in pixels.
        rule: whether a view lies on the whole image or in one cell of it, and the crop's area range. Where each cell is
            an image of its own, row r means cell ``r % cells`` of image ``r // cells``.
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
        self.before, self.crop, self.ops = split(ops)
        if self.before and rule.scope == "cell":
            raise RequestError(
                f"The view op {self.before[0].op!r} comes before the crop and would mix the cells that views were to "
                "lie in: name it after the crop, or use scope 'canvas'."
            )
        self.mix = mix
        self.size = size
        self.rule = rule
        self._streams = stream_names([*self.before, *self.ops])
        self._cells = cell_boxes.long() if rule.scope == "cell" and cell_boxes is not None else None
        self.per_image = views_per_image(rule, cell_boxes)
        if rule.scale is not None:
            self.crop = _scaled(self.crop, rule.scale)

    @property
    def interpolation(self) -> Interpolation:
        """Filter that brings a crop, or a cell, to the size of a view."""
        return self.crop.interpolation if self.crop else "bilinear"

    def render(
        self, store: Store, rows: Tensor, targets: Tensor, key: ViewKey, places: Tensor | None = None
    ) -> ViewBatch:
        """Renders the views of ``rows`` (int64 [B]) that ``key`` names; ``targets`` int64 [B] goes along.

        The batch tells of each view the row of its image in ``store``.

        The result's pixels are a tensor of their own: [B, 3, size, size], channels-last, uint8 or what the mix gives.
        They are where the store hands its images out; of a :class:`~rethinkdc.data.DeviceStore` they are cut there.

        Args:
            store: the images.
            rows: of the whole batch.
            targets: of the whole batch.
            key: names the batch.
            places: int64 [b], views of the batch that are wanted, the same to the bit as among all; None = all. Beside
                them only those are rendered that a mix puts into them.

        Raises:
            RequestError: an op comes before the crop and the images are not of one size.
        """
        wanted = torch.arange(len(rows)) if places is None else places
        batch = ViewBatch(rows.new_empty(0), self.images_of(rows[wanted]), targets[wanted], key, places=places)
        if self.mix is None or not len(rows):
            batch.pixels = self._unmixed(store, rows[wanted], Draws(key, len(rows), wanted))
            return batch
        per_view, per_batch = draw(self.mix, self.mix.op, key, len(rows))
        partner = self.mix.partners(per_view)
        # Those that are wanted, and those that are mixed into them.
        seen = torch.cat([wanted, partner[wanted]]).unique()
        where = torch.zeros(len(rows), dtype=torch.int64)
        where[seen] = torch.arange(len(seen))
        own = where[wanted]
        # What is mixed into the others is not looked at.
        into = torch.arange(len(seen))
        into[own] = where[partner[wanted]]
        placed = self.mix.place(per_view[seen], per_batch, self._sizes(len(seen)))
        mixed = self.mix.render(self._unmixed(store, rows[seen], Draws(key, len(rows), seen)), placed, into)
        batch.pixels = _chosen(mixed, own)
        batch.partner_rows = self.images_of(rows[partner[wanted]])
        batch.partner_hard = targets[partner[wanted]]
        batch.area = self.mix.area(placed, self.size, len(seen))[own]
        return batch

    def images_of(self, rows: Tensor) -> Tensor:
        """Int64 [B]: the images that rows show, which are these rows unless each cell is an image of its own."""
        return rows if self.per_image == 1 else rows // self.per_image

    def boxes(self, sizes: Tensor, rows: Tensor, key: ViewKey) -> Tensor:
        """Where each view lies in its source: int64 [B, 4] as (y, x, height, width).

        Args:
            sizes: int64 [B, 2], height and width of each source.
            rows: int64 [B], rows of the sources: cells that cycle start at a different cell for each row.
            key: which views.

        Raises:
            RequestError: a cell does not lie inside its source.
        """
        return self._boxes(sizes, rows, Draws(key, len(rows)))

    def _boxes(self, sizes: Tensor, rows: Tensor, draws: Draws) -> Tensor:
        scene = torch.cat([torch.zeros_like(sizes), sizes], dim=1)
        if self._cells is not None:
            scene = self._cells[self._cell_choice(len(self._cells), rows, draws)]
            if bool((scene[:, :2] + scene[:, 2:] > sizes).any()):
                raise RequestError(
                    f"Cells reach to {(self._cells[:, :2] + self._cells[:, 2:]).amax(0).tolist()} px (height, width), "
                    f"but an image has {sizes.amin(0).tolist()}: store the set at the size of its canvases."
                )
            if self.rule.whole:
                scene = torch.where(self._whole(draws)[:, None], torch.cat([torch.zeros_like(sizes), sizes], 1), scene)
        if self.crop is None:
            return scene
        placed = self.crop.place(*draws.of(self.crop, self.crop.op), scene[:, 2:])
        return torch.cat([placed[:, :2] + scene[:, :2], placed[:, 2:]], dim=1)

    def _unmixed(self, store: Store, rows: Tensor, draws: Draws) -> Tensor:
        pixels = self._cut(store, rows, draws)
        return _applied(self.ops, self._streams[len(self.before) :], pixels, draws) if len(rows) else pixels

    def _sizes(self, count: int) -> Tensor:
        return torch.tensor([self.size, self.size]).expand(count, 2)

    def _cut(self, store: Store, rows: Tensor, draws: Draws) -> Tensor:
        if isinstance(store, DeviceStore):
            return self._cut_on_device(store.gather(self.images_of(rows)), rows, draws)
        stored = store.pixels
        if self.crop is None and self._cells is None and stored is not None and stored.shape[2:] == (self.size,) * 2:
            # Through the permuted view whole images are copied, and the result stays channels-last.
            return stored.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
        sources = store.fetch(self.images_of(rows))
        if self.before and len(rows):
            sources = _applied(self.before, self._streams[: len(self.before)], _stacked(sources), draws).unbind()
        sizes = torch.tensor([source.shape[1:] for source in sources], dtype=torch.int64).reshape(-1, 2)
        return render_crops(sources, self._boxes(sizes, rows, draws), self.size, self.interpolation)

    def _cut_on_device(self, images: Tensor, rows: Tensor, draws: Draws) -> Tensor:
        """Cuts uint8 [B, 3, h, w] by the matrix renderer where they are; all that is drawn is drawn on the CPU."""
        if self.before and len(rows):
            images = _applied(self.before, self._streams[: len(self.before)], images, draws)
        if self.crop is None and self._cells is None and images.shape[2:] == (self.size,) * 2:
            return images
        boxes = self._boxes(torch.tensor(images.shape[2:]).expand(len(rows), 2), rows, draws)
        return channels_last(matrix_crops(images, boxes, self.size, self.interpolation))

    def _cell_choice(self, cells: int, rows: Tensor, draws: Draws) -> Tensor:
        """Int64 [B]: the cell that each view lies in."""
        if self.rule.choice == "each":
            return rows % cells
        if self.rule.choice == "cycle":
            return (draws.key.epoch + rows) % cells
        key = draws.key
        drawn = draws.wanted(uniforms(key.seed, "cell", key.epoch, key.batch, (draws.size,)))
        return (drawn * cells).floor().long()

    def _whole(self, draws: Draws) -> Tensor:
        """Bool [B]: the views that lie on the whole canvas although there are cells."""
        key = draws.key
        return draws.wanted(uniforms(key.seed, "whole", key.epoch, key.batch, (draws.size,))) < self.rule.whole


def views_per_image(rule: ViewRule, cell_boxes: Tensor | None) -> int:
    """How many views of each image an epoch has: 1, or the number of cells where each is an image of its own."""
    return len(cell_boxes) if rule.scope == "cell" and rule.choice == "each" and cell_boxes is not None else 1


def _applied(ops: Sequence[PixelOp], streams: Sequence[str], pixels: Tensor, draws: Draws) -> Tensor:
    """All of ``ops``, one after the other, on uint8 [B, 3, h, w], which is given up."""
    sizes = torch.tensor(pixels.shape[2:]).expand(len(pixels), 2)
    for op, stream in zip(ops, streams, strict=True):
        pixels = op.render(pixels, op.place(*draws.of(op, stream), sizes))
    return pixels


def _chosen(pixels: Tensor, places: Tensor) -> Tensor:
    """Some of a batch of views, channels-last; all as they are."""
    if len(places) == len(pixels) and bool((places == torch.arange(len(places))).all()):
        return pixels
    places = places.to(pixels.device, non_blocking=True)
    return pixels.permute(0, 2, 3, 1).index_select(0, places).permute(0, 3, 1, 2)


def _stacked(sources: Sequence[Tensor]) -> Tensor:
    """A copy of at least one source: uint8 [B, 3, h, w], channels-last."""
    distinct = sorted({tuple(source.shape[1:]) for source in sources})
    if len(distinct) > 1:
        raise RequestError(
            f"A view op before the crop needs images of one size; found {distinct[0]} and {distinct[-1]} "
            "(height, width) in one batch: train on stored canvases, or name the op after the crop."
        )
    return torch.stack([source.permute(1, 2, 0) for source in sources]).permute(0, 3, 1, 2)


def _scaled(crop: CropOp | None, scale: tuple[float, float]) -> CropOp:
    if not isinstance(crop, RandomResizedCrop):
        raise UnsupportedError(
            f"The set asks for crops of scale {scale}, but the protocol has no 'random-resized-crop': "
            "leave the scale unset."
        )
    return RandomResizedCrop.model_validate({**crop.model_dump(), "scale": scale})
