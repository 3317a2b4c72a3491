"""Whether a dataset can serve a run: its canvases divided as asked, its classes large enough."""

from __future__ import annotations

from rethinkdc.compressed.budget import largest_size
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.data.splits import Splits
from rethinkdc.errors import UnsupportedError
from rethinkdc.runs.resolving import Run

LEAST_CELL = 4
"""Side in pixels of the smallest cells that are made without being asked for twice."""


def check_request(run: Run, splits: Splits) -> None:
    """Checks that the canvases can be divided as asked, and that the training set can serve the budget.

    Raises:
        UnsupportedError: cells are too small, or a class has fewer images than the compressor takes.
    """
    compressor = run.compressor
    if compressor is None or run.ipc is None:
        return
    _check_cells(compressor, run)
    if not compressor.rows_per_canvas():
        return
    train, per_canvas = splits.train, compressor.rows_per_canvas()
    if run.size.images is not None:
        if run.size.images > len(train):
            raise UnsupportedError(
                f"{run.names.compressor}: {run.size.images:,} images are more than the {len(train):,} training images "
                f"of {run.dataset_name}."
            )
        return
    tiled = f" x {per_canvas} images per canvas (grid {round(per_canvas**0.5)})" if per_canvas > 1 else ""
    counts = train.targets.bincount(minlength=len(train.class_names))
    if not compressor.balanced or compressor.listed:
        # Only the total binds: the classes may give what they have.
        if run.ipc * per_canvas * len(counts) > len(train):
            raise UnsupportedError(
                f"{run.names.compressor} at ipc {run.ipc}{tiled} needs {run.ipc * per_canvas * len(counts):,} "
                f"training images; {run.dataset_name} has {len(train):,}. "
                f"{largest_size(len(train) // len(counts), per_canvas)}"
            )
        return
    smallest = int(counts.argmin())
    if run.ipc * per_canvas > int(counts[smallest]):
        raise UnsupportedError(
            f"{run.names.compressor} at ipc {run.ipc}{tiled} needs {run.ipc * per_canvas:,} training images of "
            f"every class, but class {train.class_names[smallest]!r} of {run.dataset_name} has "
            f"{int(counts[smallest]):,}. "
            f"{largest_size(int(counts[smallest]), per_canvas)}"
        )


def _check_cells(compressor: Compressor, run: Run) -> None:
    """Refuses cells without a pixel, and those in which nothing is seen unless they are asked for twice."""
    size = run.protocol.store.size
    grid = compressor.cells_per_side(size)
    if size >= LEAST_CELL * grid or (run.request.small_cells and size >= grid):
        return
    side = f"{size / grid:.1f}".removesuffix(".0")
    cells = f"{run.names.compressor} divides canvases of {size} px into {grid} x {grid} cells of {side} px"
    if size < grid:
        raise UnsupportedError(f"{cells}: a cell needs at least one pixel. The largest grid here is {size}.")
    raise UnsupportedError(
        f"{cells}; little is seen in less than {LEAST_CELL} px. The largest grid above that is {size // LEAST_CELL}; "
        "add --small-cells (in a study: small_cells = true) to make them all the same."
    )
