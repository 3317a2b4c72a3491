"""Random resized crops are torchvision's, box by box."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torchvision.transforms import RandomResizedCrop as TorchvisionCrop

from rethinkdc.views import RandomResizedCrop, uniforms

NO_BATCH = torch.empty(0, dtype=torch.float64)
Box = tuple[int, int, int, int]


def one_box(u: list[float], height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]) -> Box:
    """torchvision's get_params, line by line, with its random numbers replaced by ``u``."""
    area = height * width
    log_ratio = math.log(ratio[0]), math.log(ratio[1])
    for attempt in range(10):
        target_area = area * (scale[0] + (scale[1] - scale[0]) * u[attempt])
        aspect_ratio = math.exp(log_ratio[0] + (log_ratio[1] - log_ratio[0]) * u[10 + attempt])
        w = round(math.sqrt(target_area * aspect_ratio))
        h = round(math.sqrt(target_area / aspect_ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(u[20] * (height - h + 1)), int(u[21] * (width - w + 1)), h, w
    in_ratio = width / height
    if in_ratio < min(ratio):
        w = width
        h = round(w / min(ratio))
    elif in_ratio > max(ratio):
        h = height
        w = round(h * max(ratio))
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


def placed(op: RandomResizedCrop, drawn: Tensor, sizes: Tensor) -> list[Box]:
    return [tuple(box) for box in op.place(drawn, NO_BATCH, sizes).tolist()]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=40),
    st.sampled_from([(0.08, 1.0), (0.25, 1.0), (0.9, 1.0), (1.0, 1.0)]),
    st.sampled_from([(3 / 4, 4 / 3), (1.0, 1.0), (0.5, 2.0)]),
)
def test_boxes_are_those_of_a_scalar_get_params(
    seed: int, shapes: list[tuple[int, int]], scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    drawn = uniforms(seed, "random-resized-crop", 0, 0, (len(shapes), 22))
    op = RandomResizedCrop(scale=scale, ratio=ratio)
    expected = [one_box(u, h, w, scale, ratio) for u, (h, w) in zip(drawn.tolist(), shapes, strict=True)]
    assert placed(op, drawn, torch.tensor(shapes)) == expected


def test_the_scalar_get_params_takes_later_attempts_and_both_fallbacks() -> None:
    """Guards the test above: all of its branches are reached by shapes it draws."""
    drawn = uniforms(3, "random-resized-crop", 0, 0, (3, 22)).tolist()
    assert one_box(drawn[0], 10, 300, (0.9, 1.0), (3 / 4, 4 / 3)) == (0, 143, 10, 13)
    assert one_box(drawn[1], 300, 10, (0.9, 1.0), (3 / 4, 4 / 3)) == (143, 0, 13, 10)
    tight = uniforms(3, "random-resized-crop", 0, 0, (200, 22)).tolist()
    first = [u[:1] * 10 + u[10:11] * 10 + u[20:] for u in tight]
    boxes = [[one_box(u, 200, 200, (0.8, 1.0), (3 / 4, 4 / 3)) for u in rows] for rows in (tight, first)]
    assert boxes[0] != boxes[1]


def test_areas_ratios_and_corners_have_torchvisions_distribution() -> None:
    count, side = 20000, 64
    sizes = torch.full((count, 2), side)
    ours = RandomResizedCrop().place(uniforms(0, "c", 0, 0, (count, 22)), NO_BATCH, sizes).double()
    image = torch.empty(3, side, side)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = [TorchvisionCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
    theirs = torch.tensor(drawn, dtype=torch.float64)
    error = (ours.var(0) / count + theirs.var(0) / len(theirs)).sqrt()
    assert bool(((ours.mean(0) - theirs.mean(0)).abs() < 5 * error).all())
    assert bool(((ours.std(0) / theirs.std(0) - 1).abs() < 0.06).all())


def test_boxes_stay_inside_and_reach_every_edge() -> None:
    sizes = torch.tensor([[7, 5]]).expand(5000, 2)
    boxes = RandomResizedCrop().place(uniforms(0, "c", 0, 0, (5000, 22)), NO_BATCH, sizes)
    ends = boxes[:, :2] + boxes[:, 2:]
    assert boxes[:, :2].min() == 0
    assert ends.amax(0).tolist() == [7, 5]
    assert boxes[:, 2:].min() >= 1


def test_the_largest_uniform_does_not_leave_the_source() -> None:
    drawn = torch.full((64, 22), 1 - 2.0**-53, dtype=torch.float64)
    drawn[:, 0] = 0.0
    sizes = torch.arange(1, 65)[:, None].expand(64, 2) * 37
    boxes = RandomResizedCrop().place(drawn, NO_BATCH, sizes)
    assert bool((boxes[:, :2] + boxes[:, 2:] <= sizes).all())


@pytest.mark.parametrize(
    "fields", [{"scale": (0.5, 0.2)}, {"scale": (0.0, 1.0)}, {"scale": (0.1, 1.5)}, {"ratio": (2.0, 1.0)}, {"size": 3}]
)
def test_ranges_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RandomResizedCrop.model_validate(fields)
