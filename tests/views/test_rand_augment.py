"""RandAugment against torchvision's own, change by change, and what is drawn."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torchvision.transforms import InterpolationMode
from torchvision.transforms import RandAugment as Theirs
from torchvision.transforms.autoaugment import _apply_op

from rethinkdc.views import RandAugment, uniforms
from rethinkdc.views.rand_augment import CHANGES, STRENGTHS

NO_BATCH = torch.empty(0, dtype=torch.float64)


def noise(count: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    # Not of the whole range, so that stretching contrast changes something.
    pixels = torch.randint(40, 200, (count, 3, height, width), dtype=torch.uint8, generator=generator)
    return pixels.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("strength", [0, 5, 9, 30])
@pytest.mark.parametrize("number", range(len(CHANGES)), ids=CHANGES)
def test_a_change_is_torchvisions(number: int, strength: int) -> None:
    """The function that ``transforms.RandAugment`` calls for each change, on the same image, up and down."""
    images = noise(2, 12, 16)
    name, (magnitudes, signed) = list(Theirs()._augmentation_space(STRENGTHS + 1, (12, 16)).items())[number]
    magnitude = float(magnitudes[strength]) if magnitudes.ndim else 0.0
    for sign in (1, -1) if signed else (1,):
        expected = torch.stack([_apply_op(i, name, sign * magnitude, InterpolationMode.NEAREST, None) for i in images])
        made = RandAugment(count=1, strength=strength).render(images.clone(), torch.tensor([[[number, sign]]] * 2))
        assert torch.equal(made, expected)


def test_changes_are_drawn_evenly_and_signs_where_there_are_any() -> None:
    op = RandAugment(count=2)
    drawn = op.place(uniforms(1, "rand-augment", 0, 0, (14_000, op.view_uniforms)), NO_BATCH, torch.zeros(14_000, 2))
    assert drawn.shape == (14_000, 2, 2)
    counts = torch.bincount(drawn[:, :, 0].flatten(), minlength=14)
    assert len(counts) == 14
    assert 1800 < counts.min() <= counts.max() < 2200
    signed = (drawn[:, :, 0] >= 1) & (drawn[:, :, 0] <= 9)
    assert set(drawn[:, :, 1][~signed].tolist()) == {1}
    assert 0.48 < float((drawn[:, :, 1][signed] == 1).float().mean()) < 0.52


def test_changes_follow_each_other_and_a_view_does_not_depend_on_the_others() -> None:
    images, op = noise(6, 8, 8), RandAugment(count=3, strength=20)
    placed = op.place(uniforms(3, "rand-augment", 0, 0, (6, op.view_uniforms)), NO_BATCH, torch.zeros(6, 2))
    together = op.render(images.clone(), placed)
    assert not torch.equal(together, images)
    for row in range(6):
        alone = images[row : row + 1].clone()
        for step in range(3):
            alone = RandAugment(count=1, strength=20).render(alone, placed[row : row + 1, step : step + 1])
        assert torch.equal(together[row : row + 1], alone)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"strength": 31}, {"strength": -1}])
def test_nonsense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        RandAugment.model_validate(wrong)
