"""What stands between a set and its labels, held to the authors' code: mixed views, batches of labels, crops.

Each test says which function of which repository gave its numbers. Inputs are sines, so that no generator is needed.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.labels import LabelSchedule, StaticTargets
from rethinkdc.testing import context
from rethinkdc.training.length import Length
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, ViewBatch, ViewKey
from rethinkdc.views import CutMix, MixUp


def wave(*shape: int, seed: float, pace: float = 1.7) -> Tensor:
    return torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * pace + seed).reshape(shape).float()


PIXELS = (wave(5, 3, 9, 9, seed=2.0, pace=0.71) * 127 + 127).round().to(torch.uint8)
WEIGHTS = wave(5, 3, 9, 9, seed=0.0, pace=0.013).double()
SIZES = torch.full((5, 2), 9)


@pytest.mark.parametrize(
    ("kept", "centre", "partner", "box", "expected"),
    [
        (0.44912526447830964, (3, 0), [4, 0, 1, 3, 2], (0, 0, 6, 3), 28304.702),
        (0.00037816489242002753, (0, 0), [0, 4, 2, 3, 1], (0, 0, 4, 4), 24640.284),
        (0.9438730338985074, (6, 2), [3, 4, 1, 0, 2], (5, 1, 7, 3), 23423.576),
        (0.3628452076929192, (3, 5), [1, 0, 3, 4, 2], (0, 2, 6, 8), 24808.84),
    ],
)
def test_mixed_views_are_those_that_the_authors_label(
    kept: float, centre: tuple[int, int], partner: list[int], box: tuple[int, int, int, int], expected: float
) -> None:
    """``mix_aug`` of he-y/soft-label-pruning-for-dataset-distillation (relabel_and_validate/utils_fkd.py at 63eee18).

    Run with ``mode="fkd_save"``, ``mix_type="cutmix"`` and the numpy and torch seeds 0 to 3; what it drew stands here.
    """
    op = CutMix()
    drawn = torch.tensor([kept, (centre[0] + 0.5) / 9, (centre[1] + 0.5) / 9], dtype=torch.float64)
    placed = op.place(torch.empty(5, 1), drawn, SIZES)
    top, left, height, width = placed.tolist()
    assert (top, left, top + height, left + width) == box
    mixed = op.render(PIXELS.clone(memory_format=torch.channels_last), placed, torch.tensor(partner))
    assert float((mixed.double() * WEIGHTS).sum()) == pytest.approx(expected, abs=2e-3)
    assert op.area(placed, 9, 5).tolist() == pytest.approx([(box[2] - box[0]) * (box[3] - box[1]) / 81] * 5)


@pytest.mark.parametrize(
    ("kept", "partner", "expected"),
    [
        (0.5315061016529674, [4, 0, 1, 3, 2], 76.454792),
        (0.3355466882718577, [0, 4, 2, 3, 1], 76.475387),
    ],
)
def test_blended_views_are_those_that_the_authors_label(kept: float, partner: list[int], expected: float) -> None:
    """The same function with ``mix_type="mixup"``, alpha .8 and the seeds 0 and 1, of pixels in 0..1."""
    op, placed = MixUp(), torch.tensor([kept], dtype=torch.float64)
    mixed = op.render(PIXELS, placed, torch.tensor(partner))
    assert float((mixed.double() * WEIGHTS).sum()) == pytest.approx(expected, abs=1e-4)
    assert op.area(placed, 9, 5).tolist() == pytest.approx([1 - kept] * 5)


def test_a_static_label_is_mixed_as_torchvision_mixes_it() -> None:
    """By the area that is really pasted, whatever was drawn: images of one colour show which."""
    labels = 3 * wave(4, 3, seed=1.0)
    soft = labels.softmax(dim=1)
    colours = torch.arange(1, 5).float().view(4, 1, 1, 1).expand(4, 3, 16, 16)
    targets = StaticTargets(labels, 1.0, t_squared=False, mix=CutMix(), label_bytes=0)
    seen = set[float]()
    for seed in range(20):
        torch.manual_seed(seed)
        views, mixed = v2.CutMix(num_classes=3)(colours.clone(), soft)
        partner = torch.arange(4).roll(1)
        area = (views[:, 0] != colours[:, 0]).float().mean(dim=(1, 2))
        batch = ViewBatch(
            views, torch.arange(4), torch.zeros(4).long(), ViewKey(0, 0, 0), partner_rows=partner, area=area
        )
        assert torch.allclose(targets.targets(batch)["probabilities"], mixed, atol=1e-6)
        seen.add(float(area[0]))
    assert len(seen) > 10


AUTHORS_BATCHES = [
    *((0, 0, 3), (0, 1, 3), (0, 2, 3), (0, 3, 1)),
    *((1, 0, 3), (1, 1, 3), (1, 2, 3), (1, 3, 1)),
    *((2, 0, 3), (2, 1, 3), (2, 2, 3), (2, 3, 1)),
]


def test_a_batch_of_labels_belongs_to_the_epoch_and_place_that_the_authors_give_it() -> None:
    """``EpochBatchSampler`` of the same repository (relabel_and_validate/utils_pruning.py): ten images, batches of 3.

    Which epoch's order each batch was cut from, which cut it is, and how many images it has.
    """
    schedule = LabelSchedule(Length(10, 3, 12, 3), 12, order=1, views=2)
    found = [(schedule.key(batch).epoch, schedule.key(batch).batch, len(schedule.rows(batch))) for batch in range(12)]
    assert found == AUTHORS_BATCHES


class Scoring(nn.Module):
    """A teacher of two classes: a product with a sine.

    A surer one gives the authors' code losses of 0 in single precision, and an order among them by chance.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * wave(2, 3 * 8 * 8, seed=0.5, pace=0.02))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T


def test_a_canvas_of_rded_is_the_authors_from_candidates_to_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``selector`` and ``mix_images`` of LINs-lab/RDED (synthesize/utils.py at 3f6453d), on ten images of two classes.

    They were given the three candidate boxes of each image that are drawn here, cropped as their ``MultiRandomCrop``
    crops (resized as floats, antialiased) and normalised; one canvas of two by two cells for each class. Their canvas
    was read before it is cut down to bytes, which rounds down where ours rounds.
    """
    pixels = wave(10, 3, 12, 10, seed=3.0, pace=0.37) + wave(10, 3, 12, 10, seed=1.0, pace=0.011)
    data = DecodedImages((pixels * 63 + 127).round().to(torch.uint8), torch.arange(2).repeat_interleave(5), ("a", "b"))
    view = TestView(resize=8, size=8, fit="squash")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    teacher = Teacher("sine", "sine", Scoring(), mean, std, 8, view)
    here = context(tmp_path, data=data, ipc=1)
    monkeypatch.setattr(type(here), "teacher", lambda *_: teacher)
    made = here.compress("rded:factor=2,crops=3", data, Budget(ipc=1, classes=2, size=8))
    assert made.sources.tolist() == [[0, 3, 2, 1], [7, 9, 6, 5]]
    assert made.source_boxes is not None
    assert made.source_boxes.tolist() == [
        [[1, 1, 8, 8], [6, 2, 6, 6], [5, 4, 5, 5], [5, 2, 7, 7]],
        [[3, 3, 6, 6], [1, 0, 10, 10], [1, 0, 7, 7], [2, 0, 10, 10]],
    ]
    canvases = made.canvases(torch.arange(2), 8).double()
    cells = canvases.view(2, 3, 2, 4, 2, 4).mean(dim=(3, 5)).permute(0, 2, 3, 1).reshape(2, 4, 3)
    expected = [
        [
            [189.429, 144.317, 73.905],
            [180.921, 154.262, 81.824],
            [107.462, 65.522, 116.464],
            [100.968, 173.344, 171.959],
        ],
        [[68.755, 86.76, 165.351], [103.363, 174.594, 174.323], [136.14, 190.788, 153.593], [151.854, 80.225, 78.941]],
    ]
    assert torch.allclose(cells, torch.tensor(expected, dtype=torch.float64), atol=0.3)
    lines = [
        [129.49, 122.07, 115.77, 113.96, 127.88, 136.31, 147.24, 156.8],
        [88.61, 100.93, 112.69, 120.78, 190.37, 186.55, 182.91, 182.57],
    ]
    # Ours rounds to bytes after each of two passes, theirs not at all.
    assert float((canvases[:, 1, 3] - torch.tensor(lines, dtype=torch.float64)).abs().max()) <= 1
