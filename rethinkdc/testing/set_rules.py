"""What a compressed set must hold beside its images."""

from __future__ import annotations

import torch

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.testing.verdicts import require
from rethinkdc.types import Images


def check_view_rule(method: Compressor, made: CompressedSet) -> None:
    """Checks that a set is viewed as its compressor declares.

    Raises:
        BrokenError: it is not.
    """
    require(
        made.seen_in_cells == method.seen_in_cells,
        f"{method.name} declares seen_in_cells = {method.seen_in_cells}; its set's view_rule and cells say "
        f"{made.seen_in_cells}",
        differs="seen_in_cells",
    )
    shown = made.sources[made.sources >= 0]
    needs = method.rows_per_canvas()
    require(
        not needs or made.cells <= needs,
        f"{method.name} declares rows_per_canvas() = {needs}; its canvases have {made.cells} cells",
        differs="rows_per_canvas",
    )
    told = f"{method.name} declares rows_per_canvas() = 0; its set names {len(shown)} training rows"
    require(needs or not len(shown), told, differs="rows_per_canvas")


def check_beside(made: CompressedSet, data: Images) -> None:
    """Checks what a set holds beside its images.

    Raises:
        BrokenError: names the field, with what was found.
    """
    sources = made.sources
    require(
        bool(((sources >= -1) & (sources < len(data))).all()),
        f"expected sources in -1..{len(data) - 1}, found {int(sources.min())} to {int(sources.max())}",
        differs="sources",
    )
    if made.soft_targets is not None:
        require(bool(torch.isfinite(made.soft_targets).all()), "learned labels are not finite", differs="soft_targets")
    if made.cells > 1 and made.size is not None:
        corners = made.cell_boxes[:, :2] + made.cell_boxes[:, 2:]
        inside = (made.cell_boxes >= 0).all() and (made.cell_boxes[:, 2:] > 0).all() and (corners <= made.size).all()
        told = f"cells outside its canvas of {made.size} px: {made.cell_boxes.tolist()}"
        require(bool(inside), told, differs="cell_boxes")
    if made.source_boxes is not None:
        _check_source_boxes(made, data)


def _check_source_boxes(made: CompressedSet, data: Images) -> None:
    assert made.source_boxes is not None
    wanted = (*made.sources.shape, 4)
    require(made.source_boxes.shape == wanted, f"expected source boxes {list(wanted)}", differs="source_boxes")
    shown = made.sources >= 0
    sizes = torch.tensor([image.shape[1:] for image in data.native(made.sources[shown])]).reshape(-1, 2)
    boxes = made.source_boxes[shown]
    inside = (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all() and (boxes[:, :2] + boxes[:, 2:] <= sizes).all()
    require(bool(inside), "source boxes outside their training images", differs="source_boxes")
