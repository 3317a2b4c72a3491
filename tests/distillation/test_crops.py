"""Candidate crops, their losses, the choice among them and the canvases, against loops over single samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import resized_crop

from rethinkdc.compressed import grid_boxes
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.distillation import crops
from rethinkdc.distillation.crops import (
    Candidates,
    best_crops,
    candidate_boxes,
    crop_canvases,
    crop_losses,
    rank_strided,
    score_candidates,
)
from rethinkdc.errors import RequestError
from rethinkdc.models import weights_digest
from rethinkdc.seeds import generator
from rethinkdc.testing import encoded, images
from rethinkdc.training.predict import TestView
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Images
from rethinkdc.views import RandomResizedCrop, render_crops, uniforms

CROP = RandomResizedCrop(scale=(0.08, 1.0), ratio=(1.0, 1.0))
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
SIZE, COUNT = 8, 4


def tiny_teacher(size: int = SIZE, gain: float = 1.0) -> Teacher:
    """A network with BatchNorm, whose buffers would move if it were in training mode."""
    draws = generator(3)
    convolution, linear = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6 * 4, 3)
    norm = nn.BatchNorm2d(6)
    with torch.no_grad():
        for parameter in (*convolution.parameters(), *linear.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=draws) * gain)
        assert norm.running_mean is not None
        norm.running_mean.copy_(torch.randn(6, generator=draws))
    module = nn.Sequential(convolution, norm, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), linear)
    return Teacher("tiny", "a tiny net", module, MEAN, STD, size, TestView(resize=size, size=size))


def scored(
    data: Images, rows: Tensor, label: int, *, side: int = 4, teacher: Teacher | None = None, workers: int = 0
) -> Candidates:
    return score_candidates(
        data,
        rows,
        label,
        teacher or tiny_teacher(),
        side=side,
        count=COUNT,
        crop=CROP,
        seed=5,
        workers=workers,
    )


def loss_of(crop: Tensor, label: int, teacher: Teacher) -> float:
    """Cross-entropy of one float crop in 0..1, one step after the other."""
    normal = (crop - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    room = teacher.size - crop.shape[-1]
    left, right = math.floor(room / 2), math.ceil(room / 2)
    with torch.no_grad():
        logits = teacher.module(F.pad(normal, (left, right, left, right))[None])
    return float(F.cross_entropy(logits, torch.tensor([label])))


def by_pillow(image: Tensor, box: list[int], size: int) -> Tensor:
    y, x, height, width = box
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    shown = picture.crop((x, y, x + width, y + height)).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(shown)).permute(2, 0, 1)


@pytest.mark.parametrize(("side", "size"), [(4, 8), (2, 8), (3, 8), (8, 8), (5, 17)])
def test_losses_are_those_of_each_crop_padded_in_normalised_space(side: int, size: int) -> None:
    """Side by side with torchvision's crop of the float image, as the authors make it, and Pillow's of the stored."""
    data, teacher = images(classes=3, per_class=6, size=(9, 11)), tiny_teacher(size, gain=0.2)
    for label in range(3):
        rows = (data.targets == label).nonzero().flatten()
        found = scored(data, rows, label, side=side, teacher=teacher)
        assert found.losses.dtype == torch.float64
        for row, boxes, losses in zip(rows.tolist(), found.boxes.tolist(), found.losses.tolist(), strict=True):
            for box, loss in zip(boxes, losses, strict=True):
                image = data.pixels[row]
                assert loss == pytest.approx(loss_of(by_pillow(image, box, side) / 255, label, teacher), abs=0.05)
                stored = render_crops([image], torch.tensor([box]), side)[0]
                assert loss == pytest.approx(loss_of(stored / 255, label, teacher), rel=1e-4, abs=1e-5)
                exact = resized_crop(image / 255, *box, size=[side, side], antialias=True)
                assert float((stored / 255 - exact).abs().max()) <= 1 / 255 + 1e-6


def test_the_padding_is_the_teachers_mean_and_not_black() -> None:
    """A crop of the mean colour looks like nothing at all; on black it would be a bright square."""
    teacher = tiny_teacher()
    colour = (torch.tensor(MEAN) * 255).round().to(torch.uint8)
    crop = colour[None, :, None, None].expand(1, 3, 4, 4)
    with torch.no_grad():
        nothing = teacher.module(torch.zeros(1, 3, SIZE, SIZE))
    assert float(crop_losses(crop, 1, teacher)) == pytest.approx(
        float(F.cross_entropy(nothing, torch.tensor([1]))), abs=0.05
    )


def test_a_loss_below_the_reach_of_float32_still_ranks() -> None:
    """The plain form swallows what lies below the rounding of 1: all such crops would be equally good."""
    pixels = images(classes=1, per_class=20, size=SIZE).pixels
    teacher = tiny_teacher()
    logits = teacher.logits(pixels)
    label = int(logits.mean(0).argmax())
    with torch.no_grad():
        bias = teacher.module[-1].bias  # type: ignore[index]
        assert isinstance(bias, Tensor)
        bias[label] += 60
    plain = F.cross_entropy(teacher.logits(pixels).double(), torch.full((20,), label), reduction="none")
    assert plain.unique().tolist() == [0]
    assert len(crop_losses(pixels, label, teacher).unique()) == 20


def test_the_choice_is_that_of_plain_loops() -> None:
    losses = torch.rand((7, 3), generator=generator(0), dtype=torch.float64)
    images_found, crops_found = best_crops(losses, 4)
    best = [row.index(min(row)) for row in losses.tolist()]
    order = sorted(range(7), key=lambda image: float(losses[image, best[image]]))[:4]
    assert images_found.tolist() == order
    assert crops_found.tolist() == [best[image] for image in order]


def test_equal_crops_and_equal_images_are_taken_in_their_order() -> None:
    losses = torch.tensor([[2.0, 1.0, 1.0], [1.0, 1.0, 3.0], [0.5, 0.5, 0.5], [1.0, 2.0, 2.0]])
    found = best_crops(losses, 4)
    assert found[0].tolist() == [2, 0, 1, 3]
    assert found[1].tolist() == [0, 1, 0, 0]


def test_the_picks_stride_over_the_canvases() -> None:
    """Two canvases of four cells: the best pick and the second best lie on different ones."""
    assert rank_strided(2, 4).tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert rank_strided(3, 1).tolist() == [[0], [1], [2]]
    assert rank_strided(1, 4).tolist() == [[0, 1, 2, 3]]


def test_candidates_are_torchvisions_boxes_of_ratio_one() -> None:
    """get_params of RandomResizedCrop(scale=(.08, 1), ratio=(1, 1)), its random numbers replaced."""
    sizes = torch.tensor([[20, 20], [9, 31], [40, 10]])
    rows = torch.tensor([7, 1, 300])
    found = candidate_boxes(rows, sizes, 6, CROP, seed=2)
    for row, (height, width), boxes in zip(rows.tolist(), sizes.tolist(), found.tolist(), strict=True):
        for u, box in zip(uniforms(2, "candidate-crops", 0, row, (6, 22)).tolist(), boxes, strict=True):
            sides = [round(math.sqrt(height * width * (0.08 + 0.92 * area))) for area in u[:10]]
            fitting = [side for side in sides if 0 < side <= min(height, width)]
            side = fitting[0] if fitting else min(height, width)
            corner = [int(u[20] * (height - side + 1)), int(u[21] * (width - side + 1))]
            if not fitting:
                corner = [(height - side) // 2, (width - side) // 2]
            assert box == [*corner, side, side]


def test_the_candidates_of_an_image_depend_on_no_other_image_nor_on_how_many_there_are() -> None:
    sizes = torch.tensor([[20, 30]] * 5)
    alone = candidate_boxes(torch.tensor([3]), sizes[:1], 4, CROP, seed=1)
    among = candidate_boxes(torch.tensor([9, 3, 0, 4, 8]), sizes, 4, CROP, seed=1)
    more = candidate_boxes(torch.tensor([3]), sizes[:1], 9, CROP, seed=1)
    assert torch.equal(alone[0], among[1])
    assert torch.equal(alone[0], more[0, :4])
    assert not torch.equal(alone, candidate_boxes(torch.tensor([3]), sizes[:1], 4, CROP, seed=2))


@pytest.mark.parametrize(("chunk", "batch", "workers"), [(1, 64, 0), (7, 5, 0), (4, 64, 3)])
def test_chunks_batches_and_threads_change_no_candidate(
    chunk: int, batch: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, rows = images(classes=1, per_class=20, size=(12, 9)), torch.arange(19, -1, -1)
    whole = scored(data, rows, 0)
    monkeypatch.setattr(crops, "CHUNK", chunk)
    monkeypatch.setattr(crops, "BATCH", batch)
    parts = scored(encoded(data), rows, 0, workers=workers)
    assert torch.equal(whole.boxes, parts.boxes)
    # The network's own sums may round otherwise for another batch.
    assert torch.allclose(whole.losses, parts.losses, rtol=1e-4, atol=1e-6)


def test_scoring_changes_nothing_of_the_teacher() -> None:
    teacher = tiny_teacher()
    before = weights_digest(teacher.module)
    scored(images(classes=1, per_class=20, size=9), torch.arange(20), 0, teacher=teacher)
    assert weights_digest(teacher.module) == before
    assert not any(module.training for module in teacher.module.modules())
    assert all(parameter.grad is None for parameter in teacher.module.parameters())


def test_a_teacher_that_gives_no_number_is_named_with_the_row() -> None:
    teacher = tiny_teacher(gain=math.inf)
    with pytest.raises(RequestError, match="The teacher tiny gives no finite loss to a crop of training row 2"):
        scored(images(classes=1, per_class=4, size=9), torch.tensor([2, 0]), 0, teacher=teacher)


@pytest.mark.parametrize(("size", "factor"), [(8, 1), (8, 2), (8, 3), (17, 4)])
def test_each_cell_shows_its_box_resampled_to_the_cells_own_size(size: int, factor: int) -> None:
    coarse = torch.rand((6, 3, 5, 5), generator=generator(1))
    fine = F.interpolate(coarse, (29, 37), mode="bicubic", align_corners=True)
    data = DecodedImages((fine.clamp(0, 1) * 255).round().to(torch.uint8), torch.zeros(6, dtype=torch.int64), ("one",))
    cells = grid_boxes(size, factor)
    sources = torch.randint(6, (3, factor**2), generator=generator(2))
    sizes = torch.tensor([[29, 37]]).expand(sources.numel(), 2)
    boxes = candidate_boxes(torch.arange(sources.numel()), sizes, 1, CROP, seed=0).view(3, factor**2, 4)
    found = crop_canvases(data, sources, boxes, cells, size)
    assert found.shape == (3, 3, size, size)
    for canvas, rows, shown in zip(found, sources.tolist(), boxes.tolist(), strict=True):
        for (y, x, height, width), row, box in zip(cells.tolist(), rows, shown, strict=True):
            wanted = resized_crop(data.pixels[row], *box, size=[height, width], antialias=True)
            assert int((canvas[:, y : y + height, x : x + width].int() - wanted.int()).abs().max()) <= 1
    streamed = crop_canvases(encoded(data), sources, boxes, cells, size)
    assert torch.equal(found, streamed)


def test_a_teacher_scores_in_the_numbers_that_are_asked_for() -> None:
    pixels = images(size=4).pixels[:20]
    exact, coarse = (crop_losses(pixels, 1, tiny_teacher(), precision) for precision in ("float32", "bf16"))
    assert torch.equal(exact, crop_losses(pixels, 1, tiny_teacher()))
    assert not torch.equal(exact, coarse)
    torch.testing.assert_close(coarse, exact, rtol=0.05, atol=0.05)
