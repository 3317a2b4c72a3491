"""One view of each image, the same in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views.base import MixOp, ViewOp
from rethinkdc.views.order import Draws, draw
from rethinkdc.views.pipeline import Views

if TYPE_CHECKING:
    from rethinkdc.data.store import Store

KEPT_LIMIT = 2 << 30
"""Bytes of finished views that are kept in memory; what goes beyond is rendered again."""


class FixedViews(Views):
    """Views that are drawn once for each image, from the distributions of new ones, whatever the epoch and the batch.

    All that is drawn for an image follows from the key's seed and the image's row. A mix is a part of the view: its
    partner, one of the whole set, and its share are drawn once for each image too.

    Args:
        ops: as of :class:`Views`.
        mix: as of :class:`Views`.
        size: side of a view in pixels.
        rule: as of :class:`Views`.
        cell_boxes: as of :class:`Views`.
        targets: int64 [N], class of each row: of each image of the set, or of each cell where it is one of its own.
        limit_bytes: most bytes of finished views that are kept; the result does not depend on it.
    """

    def __init__(
        self,
        ops: Sequence[ViewOp],
        mix: ViewOp | None,
        *,
        size: int,
        rule: ViewRule,
        cell_boxes: Tensor | None,
        targets: Tensor,
        limit_bytes: int = KEPT_LIMIT,
    ) -> None:
        super().__init__(ops, mix, size=size, rule=rule, cell_boxes=cell_boxes)
        self._targets = targets
        self._limit = limit_bytes
        self._kept: dict[tuple[int, int], _View] = {}

    def render(
        self, store: Store, rows: Tensor, targets: Tensor, key: ViewKey, places: Tensor | None = None
    ) -> ViewBatch:
        """Renders the views of ``rows`` (int64 [B], of ``store``), as :meth:`Views.render`; of ``key`` its seed counts.

        Raises:
            RequestError: an op comes before the crop and the images are not of one size.
        """
        if not len(rows):
            return super().render(store, rows, targets, key)
        if places is not None:
            rows, targets = rows[places], targets[places]
        views = [self._view(store, row, key.seed) for row in rows.tolist()]
        pixels = torch.cat([view.pixels for view in views]).contiguous(memory_format=torch.channels_last)
        batch = ViewBatch(pixels=pixels, rows=self.images_of(rows), hard=targets, key=key, places=places)
        if self.mix is not None:
            partners = torch.tensor([view.partner for view in views])
            batch.partner_rows, batch.partner_hard = self.images_of(partners), self._targets[partners]
            batch.area = torch.cat([view.area for view in views])
        return batch

    def _view(self, store: Store, row: int, seed: int) -> _View:
        known = self._kept.get((seed, row))
        if known is None:
            known = self._made(store, row, seed)
            # All are of one size. Threads may make one twice; it is the same.
            if (len(self._kept) + 1) * known.pixels.numel() * known.pixels.element_size() <= self._limit:
                self._kept[seed, row] = known
        return known

    def _made(self, store: Store, row: int, seed: int) -> _View:
        own = self._unmixed(store, torch.tensor([row]), Draws(ViewKey(seed, 0, row), 1))
        if self.mix is None:
            return _View(own, row, torch.zeros(1))
        partner = int(_partners(self.mix, seed, len(self._targets))[row])
        other = self._unmixed(store, torch.tensor([partner]), Draws(ViewKey(seed, 0, partner), 1))
        per_view, per_batch = draw(self.mix, self.mix.op, ViewKey(seed, 0, row), 1)
        placed = self.mix.place(per_view, per_batch, self._sizes(1))
        pair = torch.cat([own, other]).contiguous(memory_format=torch.channels_last)
        mixed = self.mix.render(pair, placed, torch.tensor([1, 0]))[:1]
        return _View(mixed.clone(memory_format=torch.channels_last), partner, self.mix.area(placed, self.size, 1))


class _View(NamedTuple):
    """A finished view [1, 3, S, S], the row that is mixed into it, and the share that shows it: float32 [1]."""

    pixels: Tensor
    partner: int
    area: Tensor


@lru_cache(maxsize=8)
def _partners(mix: MixOp, seed: int, count: int) -> Tensor:
    """Int64 [count]: the row that is mixed into each, as if the whole set were one batch."""
    return mix.partners(torch.cat([draw(mix, mix.op, ViewKey(seed, 0, row), 1)[0] for row in range(count)]))
