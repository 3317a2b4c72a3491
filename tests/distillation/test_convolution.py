"""Statistics of convolutions' inputs by channel and by patch, against loops over pixels."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.distillation import CONVOLUTION, gather, patch_moments, patch_statistics, patches
from rethinkdc.seeds import generator


def given(height: int = 8, width: int = 8, count: int = 5) -> Tensor:
    """Brighter from the top left to the bottom right, so that no two patches, nor mean and variance, are alike."""
    slope = torch.arange(height)[:, None] + 2.0 * torch.arange(width)
    return torch.randn((count, 3, height, width), generator=generator(1)) * (1 + slope / 4) + slope


def by_hand(images: Tensor, side: int) -> tuple[list[float], list[float]]:
    """Mean and biased variance of each patch over all images, channels and pixels, one patch at a time."""
    height, width = (math.ceil(length / side) * side for length in images.shape[2:])
    whole = F.interpolate(images, (height, width), mode="bilinear").double()
    means, variances = [], []
    for top in range(0, height, side):
        for left in range(0, width, side):
            values = whole[:, :, top : top + side, left : left + side].flatten()
            means.append(float(values.mean()))
            variances.append(float((values - values.mean()).square().mean()))
    return means, variances


@pytest.mark.parametrize(
    ("height", "width", "side"), [(8, 8, 4), (8, 4, 4), (7, 5, 4), (3, 6, 2), (1, 1, 4), (2, 9, 16), (6, 6, 1)]
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_patches_are_those_of_a_loop_also_where_the_grid_needs_more_pixels(
    height: int, width: int, side: int, layout: torch.memory_format
) -> None:
    images = given(height, width).contiguous(memory_format=layout)
    found = patch_statistics(images, side)
    means, variances = by_hand(images, side)
    assert torch.allclose(found.mean.double(), torch.tensor(means).double(), rtol=1e-5, atol=1e-5)
    assert torch.allclose(found.variance.double(), torch.tensor(variances).double(), rtol=1e-4, atol=1e-4)


def test_patches_of_one_image_are_its_own() -> None:
    images = given(7, 5)
    found = patch_moments(images, 4)
    assert found.values == 3 * 16
    for index, image in enumerate(images):
        means, variances = by_hand(image[None], 4)
        assert found.mean[index].tolist() == pytest.approx(means, rel=1e-4)
        assert found.variance[index].tolist() == pytest.approx(variances, rel=1e-4)


def test_channels_of_all_images_are_those_of_all_pixels() -> None:
    images = given(6, 5)
    found = CONVOLUTION.overall(images)
    values = images.double().permute(1, 0, 2, 3).flatten(1)
    assert torch.allclose(found.mean.double(), values.mean(dim=1))
    assert torch.allclose(found.variance.double(), values.var(dim=1, correction=0), rtol=1e-5)


def test_gradients_of_statistics_are_right() -> None:
    """Against those of the same statistics by plain functions, in float32."""
    images = given(5, 6).requires_grad_()
    mean, variance = patch_statistics(images, 4)
    (found,) = torch.autograd.grad((mean * variance).sum(), images)
    cut = F.interpolate(images, (8, 8), mode="bilinear").unfold(2, 4, 4).unfold(3, 4, 4)
    parts = cut.permute(2, 3, 0, 1, 4, 5).flatten(2).flatten(0, 1)
    (expected,) = torch.autograd.grad((parts.mean(1) * parts.var(1, correction=0)).sum(), images)
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_pass_over_a_network_gathers_both_of_the_training_set_and_of_each_class() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)).eval().requires_grad_(False)
    images, owners = given(count=9), torch.tensor([0, 1, 1, 0, 2, 2, 2, 0, 1])
    kinds = [CONVOLUTION, patches(4)]
    found = gather(module, kinds, zip(images.split(4), owners.split(4), strict=True), 3)
    once = gather(module, kinds, zip(images.split(2), torch.zeros(9).long().split(2), strict=True), 1)
    assert {kind: list(layers) for kind, layers in found.items()} == {
        "convolution": ["0", "2"],
        "patches-4": ["0", "2"],
    }
    for name, shown in {"0": images, "2": module[:2](images)}.items():
        means, variances = by_hand(shown, 4)
        for overall in (found["patches-4"][name].overall().of(0), once["patches-4"][name].of(0)):
            assert overall.mean.tolist() == pytest.approx(means, rel=1e-4, abs=1e-4)
            assert overall.variance.tolist() == pytest.approx(variances, rel=1e-4, abs=1e-4)
        means, variances = by_hand(shown[owners == 2], 4)
        assert found["patches-4"][name].of(2).mean.tolist() == pytest.approx(means, rel=1e-4, abs=1e-4)
        assert found["patches-4"][name].of(2).variance.tolist() == pytest.approx(variances, rel=1e-4, abs=1e-4)


def test_what_images_of_a_batchs_classes_have_on_average_is_that_of_a_loop() -> None:
    """EDC's: each image's own variance, the mean over a class's images, then over the labels of the batch."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3)).eval().requires_grad_(False)
    images, owners = given(count=9), torch.tensor([0, 1, 1, 0, 2, 2, 2, 0, 1])
    labels = torch.tensor([2, 0, 0])
    gathered = gather(module, [patches(4), CONVOLUTION], [(images, owners)], 3)
    found = gathered["patches-4"]["0"].images_mean(labels)
    means, variances = torch.zeros(4).double(), torch.zeros(4).double()
    for label in labels.tolist():
        own = [by_hand(image[None], 4) for image in images[owners == label]]
        means += torch.tensor([one[0] for one in own]).double().mean(dim=0) / 3
        variances += torch.tensor([one[1] for one in own]).double().mean(dim=0) / 3
    assert torch.allclose(found.mean.double(), means, rtol=1e-5)
    assert torch.allclose(found.variance.double(), variances, rtol=1e-4)
    assert not torch.allclose(found.variance, gathered["patches-4"]["0"].overall().of(0).variance, rtol=1e-2)
    channels = gathered["convolution"]["0"].images_mean(labels)
    flat = torch.stack([images[owners == label].flatten(2).var(dim=2, correction=0).mean(dim=0) for label in labels])
    assert torch.allclose(channels.variance, flat.mean(dim=0), rtol=1e-4)
