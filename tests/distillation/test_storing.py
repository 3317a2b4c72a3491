"""From normalised images to canvases: rounding, not truncation, and what it costs."""

from __future__ import annotations

import pytest
import torch

from rethinkdc.distillation import to_canvases

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    return (
        (pixels.double() - torch.tensor(MEAN).double().view(1, 3, 1, 1)) / torch.tensor(STD).double().view(1, 3, 1, 1)
    ).float()


def test_every_grey_level_survives() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(2, 3, 16, 16)
    stored = to_canvases(normalised(levels.double() / 255), MEAN, STD)
    assert torch.equal(stored.canvases, levels)
    assert stored.canvases.is_contiguous(memory_format=torch.channels_last)
    assert stored.clamp_error < 1e-6
    assert stored.rounding_error < 1e-6


def test_pixels_are_rounded_to_the_nearest_level() -> None:
    pixels = torch.tensor([10.4, 10.6, 99.9, 0.2]).view(1, 1, 2, 2).expand(1, 3, 2, 2) / 255
    stored = to_canvases(normalised(pixels), MEAN, STD)
    assert stored.canvases[0, 0].flatten().tolist() == [10, 11, 100, 0]
    assert stored.rounding_error == pytest.approx(0.4 / 255, rel=1e-3)


def test_what_lies_outside_is_clamped_and_told() -> None:
    pixels = torch.tensor([-0.1, 0.5, 1.25, 1.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    stored = to_canvases(normalised(pixels), MEAN, STD)
    assert stored.canvases[0, 0].flatten().tolist() == [0, 128, 255, 255]
    assert stored.clamp_error == pytest.approx(0.25, rel=1e-5)
    assert stored.rounding_error == pytest.approx(0.5 / 255, rel=1e-3)
