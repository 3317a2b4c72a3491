"""Combining whole images into the cells of a canvas."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.compressed import CompressedSet, grid_boxes
from rethinkdc.contracts.context import Context
from rethinkdc.data.resize import empty_canvases, kept_boxes, resize
from rethinkdc.errors import UnsupportedError
from rethinkdc.types import Budget, Fit, Images, Interpolation, ViewRule

PART = 256
"""Canvases made, and kept on disk, at a time: bounds the memory."""


def cells_of(rows: Tensor, targets: Tensor, budget: Budget, cells: int) -> Tensor:
    """Groups picked rows into canvases of one class: int64 [total, cells], class by class, in pick order.

    Args:
        rows: int64 [total * cells], picked rows in pick order.
        targets: int64, class of each picked row.
        budget: of canvases.
        cells: per canvas.

    Raises:
        UnsupportedError: a class does not have exactly ipc * cells rows, so that canvases would mix classes.
    """
    counts = torch.bincount(targets, minlength=budget.classes)
    if set(counts.tolist()) != {budget.ipc * cells}:
        raise UnsupportedError(
            f"Combining needs exactly {budget.ipc * cells} rows of every class; the selector gave "
            f"{int(counts.min())} to {int(counts.max())}. Use a selector that balances the classes."
        )
    return rows[torch.argsort(targets, stable=True)].view(budget.total, cells)


def canvas_weights(sources: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """The weight of a canvas is the mean of those of the rows that it shows: float32 [M].

    Args:
        sources: int64 [M, cells].
        rows: int64 [k], picked rows, without repeats.
        weights: float32 [k].
    """
    of_row = torch.zeros(int(rows.max()) + 1)
    of_row[rows] = weights
    return of_row[sources].mean(1)


def combine_rows(
    data: Images,
    sources: Tensor,
    budget: Budget,
    context: Context,
    *,
    grid: int,
    fit: Fit,
    interpolation: Interpolation,
    rule: ViewRule,
    weights: Tensor | None = None,
) -> CompressedSet:
    """Makes canvases whose cells show whole training images (arXiv 2502.06434, "Combine").

    Args:
        data: the training set.
        sources: int64 [M, grid^2], the row shown in each cell; all of one canvas are of one class.
        budget: gives the canvas's size.
        context: its ``parts`` make the work resumable and bound the memory.
        grid: cells per side.
        fit: how a whole image fills a cell.
        interpolation: of the resize.
        rule: how the set wants to be viewed.
        weights: float32 [M], loss weights of the canvases; None = all 1.
    """
    boxes = grid_boxes(budget.size, grid)
    count = -(-len(sources) // PART)

    def make(index: int) -> dict[str, Tensor]:
        part = slice(index * PART, (index + 1) * PART)
        here = sources[part]
        canvases, source_boxes = fill_canvases(data, here, boxes, budget.size, fit, interpolation)
        return {
            # Kept as NHWC: channels-last memory survives the memory map.
            "canvases": canvases.permute(0, 2, 3, 1),
            "targets": data.targets[here[:, 0]],
            "sources": here,
            "source_boxes": source_boxes,
            **({} if weights is None else {"weights": weights[part]}),
        }

    parts = [{**part, "canvases": part["canvases"].permute(0, 3, 1, 2)} for part in context.parts(count, make)]
    return CompressedSet.of_canvases(parts, data.class_names, cell_boxes=boxes, view_rule=rule)


def fill_canvases(
    data: Images, sources: Tensor, boxes: Tensor, size: int, fit: Fit, interpolation: Interpolation
) -> tuple[Tensor, Tensor]:
    """Resizes each source image into its cell.

    Args:
        data: the training set.
        sources: int64 [m, cells].
        boxes: int32 [cells, 4], (y, x, h, w) on the canvas.
        size: side of a canvas in pixels.
        fit: how a whole image fills a cell.
        interpolation: of the resize.

    Returns:
        uint8 [m, 3, size, size], channels-last; and int32 [m, cells, 4], the part of each source that is shown.
    """
    canvases = empty_canvases(len(sources), (size, size))
    shown = torch.empty((*sources.shape, 4), dtype=torch.int32)
    for cell, (y, x, height, width) in enumerate(boxes.tolist()):
        images = data.native(sources[:, cell])
        canvases[:, :, y : y + height, x : x + width] = resize(images, (height, width), fit, interpolation)
        sizes = torch.tensor([image.shape[1:] for image in images])
        shown[:, cell] = kept_boxes(sizes, (height, width), fit)
    return canvases, shown
