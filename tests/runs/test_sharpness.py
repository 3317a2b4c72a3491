"""Views that are coarser than the test images: when a run is told of them, and when not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rethinkdc.compressed import CompressedSet, grid_boxes
from rethinkdc.reference import Reference
from rethinkdc.runs.sharpness import Sharpness, doubt_of_sharpness
from rethinkdc.testing import context, images
from rethinkdc.types import ViewRule

SIZE = 32
CELLS = ViewRule(scope="cell")


@pytest.mark.parametrize(
    ("sharpness", "enlarged", "loss"),
    [
        # Cells of the paper: 112 px seen at 224, tested at 256 of images of some 400 px.
        (Sharpness(cell=112, largest=1.0, view=224, native=400, shown=256), 2, 2),
        # Whole images, and whole images of which at most a quarter is seen.
        (Sharpness(cell=32, largest=1.0, view=32, native=32, shown=32), 1, 1),
        (Sharpness(cell=32, largest=0.25, view=32, native=32, shown=32), 2, 2),
        # Images of 32 px that are tested at 64 have no more detail than a cell of 32 px holds, a third less than 48.
        (Sharpness(cell=32, largest=1.0, view=64, native=32, shown=64), 2, 1),
        (Sharpness(cell=32, largest=1.0, view=64, native=48, shown=64), 2, 1.5),
        # A cell larger than the image holds no more than the image.
        (Sharpness(cell=64, largest=1.0, view=128, native=32, shown=128), 2, 1),
    ],
)
def test_what_counts_is_how_much_coarser_the_sharpest_view_is(
    sharpness: Sharpness, enlarged: float, loss: float
) -> None:
    assert (sharpness.enlarged, sharpness.loss) == pytest.approx((enlarged, loss))


def doubt(folder: Path, rule: ViewRule, *, native: int = SIZE, student: str | None = None, grid: int = 2) -> str:
    data = images(classes=2, per_class=4, size=native)
    pixels = data.canvases(data.targets.nonzero()[:, 0], SIZE)
    part = {"canvases": pixels, "targets": data.targets[:4], "sources": data.targets.new_zeros(4, grid**2)}
    made = CompressedSet.of_canvases([part], data.class_names, cell_boxes=grid_boxes(SIZE, grid), view_rule=rule)
    here = context(folder, data=data, protocol="cifar10-small-hard")
    if student:
        here = replace(
            here, student=here.protocol.student.model_copy(update={"model": Reference.model_validate(student)})
        )
    return doubt_of_sharpness(made, data, here)


def test_cells_that_are_enlarged_are_told_to_a_student_that_keeps_statistics(tmp_path: Path) -> None:
    told = doubt(tmp_path, CELLS)
    assert "enlarges the stored pixels 2 times" in told
    assert "of 16 px at most, shown at 32 px" in told
    assert "norm=group" in told
    assert "of 11 px at most" in doubt(tmp_path, ViewRule(scope="cell", scale=(0.25, 0.5)))


@pytest.mark.parametrize(
    ("rule", "native", "student", "grid"),
    [
        (ViewRule(), SIZE, None, 2),
        (ViewRule(scope="cell", whole=0.1), SIZE, None, 2),
        (CELLS, SIZE, None, 1),
        (CELLS, SIZE // 2, None, 2),
        (CELLS, SIZE, "resnet-light:norm=group", 2),
    ],
    ids=["whole canvases", "some whole canvases", "one cell", "images as small as cells", "no statistics"],
)
def test_nothing_is_told_where_test_images_are_no_sharper_or_no_statistics_are_kept(
    rule: ViewRule, native: int, student: str | None, grid: int, tmp_path: Path
) -> None:
    assert doubt(tmp_path, rule, native=native, student=student, grid=grid) == ""
