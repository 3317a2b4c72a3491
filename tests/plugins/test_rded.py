"""RDED and CA2D: whole sets against the paper's algorithm in loops, and the budgets that they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rethinkdc.compressed import CompressedSet, grid_boxes
from rethinkdc.context.run import RunContext
from rethinkdc.contracts import Compressor
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.distillation.crops import candidate_boxes, crop_losses
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.seeds import Seeds, generator
from rethinkdc.testing import context, images
from rethinkdc.types import Budget
from rethinkdc.views import RandomResizedCrop, render_crops

SIZE, CLASSES, PER_CLASS = 8, 3, 20
CROP = RandomResizedCrop(scale=(0.08, 1.0), ratio=(1.0, 1.0))
Make = Callable[[str], CompressedSet]
Pick = tuple[float, int, list[int]]


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> RunContext:
    """One cache, so that one short teacher and one short proxy serve every test."""
    return context(tmp_path_factory.mktemp("rded"), data=images(classes=CLASSES, per_class=PER_CLASS), ipc=2)


@pytest.fixture(scope="module")
def data(surroundings: RunContext) -> DecodedImages:
    assert isinstance(surroundings.data, DecodedImages)
    return surroundings.data


@pytest.fixture(scope="module")
def make(surroundings: RunContext, data: DecodedImages) -> Make:
    return lambda reference: surroundings.compress(reference, data, budget())


def budget(ipc: int = 2) -> Budget:
    return Budget(ipc=ipc, classes=CLASSES, size=SIZE)


def ranked(
    surroundings: RunContext, data: DecodedImages, rows: list[int], label: int, factor: int, m: int
) -> list[Pick]:
    """The best crop of each image, then all images by it: one crop at a time."""
    teacher, found = surroundings.teacher(), []
    for row in rows:
        image = data.pixels[row]
        sizes = torch.tensor([image.shape[1:]])
        boxes = candidate_boxes(torch.tensor([row]), sizes, m, CROP, Seeds().of("set", "crops"))[0]
        losses = [float(crop_losses(render_crops([image], box[None], SIZE // factor), label, teacher)) for box in boxes]
        best = losses.index(min(losses))
        found.append((losses[best], row, boxes[best].tolist()))
    return sorted(found)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_set_holds_the_best_crop_of_the_best_images_strided_over_the_canvases(
    factor: int, surroundings: RunContext, data: DecodedImages, make: Make
) -> None:
    """Three does not divide eight: its cells are 3, 2 and 3 px wide."""
    made, cells = make(f"rded:factor={factor}"), factor**2
    assert made.cell_boxes.tolist() == grid_boxes(SIZE, factor).tolist()
    assert made.targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert made.view_rule.scope == "canvas"
    for label in range(CLASSES):
        rows = (data.targets == label).nonzero().flatten().tolist()
        picks = ranked(surroundings, data, rows, label, factor, 5)
        for canvas in range(2):
            for cell, box in enumerate(made.cell_boxes.tolist()):
                _, row, source_box = picks[cell * 2 + canvas]
                at = 2 * label + canvas
                assert int(made.sources[at, cell]) == row
                assert made.source_boxes is not None
                assert made.source_boxes[at, cell].tolist() == source_box
                y, x, height, width = box
                pixels = made.canvases(torch.tensor([at]), SIZE)[0, :, y : y + height, x : x + width]
                if height == width:
                    shown = render_crops([data.pixels[row]], torch.tensor([source_box]), height)[0]
                    assert int((pixels.int() - shown.int()).abs().max()) <= 1
        assert len(picks) == PER_CLASS
    assert made.sources.shape == (2 * CLASSES, cells)


def test_the_pool_is_a_seeded_sample_of_each_class(surroundings: RunContext, data: DecodedImages, make: Make) -> None:
    """A pool of exactly what is needed is kept whole: other rows for another seed."""
    order = torch.randperm(len(data), generator=generator(Seeds().of("set", "pool"))).tolist()
    made = make("rded:factor=2,pool=8")
    for label in range(CLASSES):
        pool = [row for row in order if int(data.targets[row]) == label][:8]
        assert sorted(made.sources[made.targets == label].flatten().tolist()) == sorted(pool)


def test_ca2d_looks_at_the_rows_of_the_highest_scores(
    surroundings: RunContext, data: DecodedImages, make: Make
) -> None:
    scores = surroundings.score("cad")
    made = make("ca2d:factor=2,pool=8")
    easy = make("ca2d:factor=2,pool=8,direction=easy")
    for label in range(CLASSES):
        rows = (data.targets == label).nonzero().flatten().tolist()
        order = sorted(rows, key=lambda row: float(scores[row]))
        assert sorted(made.sources[made.targets == label].flatten().tolist()) == sorted(order[-8:])
        assert sorted(easy.sources[easy.targets == label].flatten().tolist()) == sorted(order[:8])


def test_with_a_pool_of_all_rows_ca2d_is_rded(make: Make) -> None:
    rded, ca2d = make("rded:factor=2"), make("ca2d:factor=2")
    assert rded.sources.tolist() == ca2d.sources.tolist()
    assert rded.source_boxes is not None
    assert ca2d.source_boxes is not None
    assert torch.equal(rded.source_boxes, ca2d.source_boxes)


def test_rows_without_a_score_are_never_looked_at(surroundings: RunContext, data: DecodedImages, make: Make) -> None:
    scored = ~torch.isnan(surroundings.score("grand-full:pool=30"))
    made = make("ca2d:score=[grand-full:pool=30]")
    assert bool(scored[made.sources].all())
    with pytest.raises(UnsupportedError, match=r"needs 12 images of every class.* has 10\. The largest ipc here is 2"):
        surroundings.compress("ca2d:score=[grand-full:pool=30],factor=2", data, budget(3))


def test_another_teacher_chooses_otherwise(make: Make) -> None:
    own, strong = make("rded:factor=2,crops=3"), make("rded:factor=2,crops=3,teacher=[trained:recipe=strong]")
    assert own.sources.tolist() != strong.sources.tolist()


def test_one_image_to_a_canvas_is_the_default_at_few_pixels_and_the_record_says_so(
    surroundings: RunContext, data: DecodedImages
) -> None:
    made = surroundings.compress("rded", data, budget())
    assert made.cells == 1
    assert made.card.notes["rded_factor"] == 1
    assert surroundings.books.notes["rded_factor"] == 1


def test_four_images_to_a_canvas_are_the_default_at_128_px(surroundings: RunContext, data: DecodedImages) -> None:
    method = surroundings.method(Compressor, "rded:crops=1,pool=4")
    made = method.compress(data, Budget(ipc=1, classes=CLASSES, size=128), surroundings)
    assert made.cells == 4
    assert made.size == 128


def test_a_pool_that_cannot_fill_the_canvases_is_refused(surroundings: RunContext, data: DecodedImages) -> None:
    """In the authors' code 100 canvases of four cells fail on a pool of 300 while they are stitched."""
    with pytest.raises(RequestError, match=r"needs 8 images of every class, one crop of each; pool=7 .* Set pool=8\."):
        surroundings.compress("rded:factor=2,pool=7", data, budget())


def test_a_class_that_cannot_fill_the_canvases_is_named_before_a_teacher_is_asked(tmp_path: Path) -> None:
    small = context(tmp_path, data=images(classes=CLASSES, per_class=7))
    with pytest.raises(UnsupportedError, match=r"class 'class 0' has 7\. The largest ipc here is 1\."):
        small.compress("rded:factor=2", small.data, budget())
    assert not (small.cache.root / "teachers").exists()


def test_more_cells_than_pixels_are_refused(surroundings: RunContext) -> None:
    many = images(classes=4, per_class=90)
    with pytest.raises(UnsupportedError, match=r"Canvases of 8 px have no 9 cells per side.*largest grid here is 8"):
        surroundings.compress("rded:factor=9", many, budget(ipc=1))


@pytest.mark.parametrize("scale", ["[0.0,1.0]", "[0.5,0.2]", "[0.5,1.5]"])
def test_a_scale_that_is_no_range_of_areas_is_refused(scale: str, surroundings: RunContext) -> None:
    with pytest.raises(RequestError, match="scale must be"):
        surroundings.method(Compressor, f"rded:scale={scale}")
