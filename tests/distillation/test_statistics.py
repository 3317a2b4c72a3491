"""Moments that are gathered in batches, against those of one shot and of brute force."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.distillation import BATCHNORM, Gathered, Moments, SampleMoments, Statistic, channel_moments, gather
from rethinkdc.distillation.statistics import flattened, unflattened
from rethinkdc.seeds import generator

CLASSES = 3


def network() -> nn.Module:
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    draws = generator(3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draws) + 0.5)
    return made.eval().requires_grad_(False)


def data() -> tuple[Tensor, Tensor]:
    """Images whose classes have different means and numbers; the last class is small."""
    targets = torch.tensor([0, 1, 0, 0, 1, 1, 0, 2, 1, 0, 0])
    return torch.randn((len(targets), 3, 7, 7), generator=generator(4)) + 3 * targets.view(-1, 1, 1, 1), targets


def gathered(sizes: list[int], kinds: tuple[Statistic, ...] = (BATCHNORM,), groups: int = CLASSES) -> Gathered:
    shown, targets = data()
    owner = targets if groups > 1 else torch.zeros_like(targets)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(shown.split(sizes), owner.split(sizes), strict=True)

    return gather(network(), kinds, batches(), groups)


def brute_force(given: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel over all images and pixels, in float64."""
    values = given.double().permute(1, 0, 2, 3).flatten(1)
    return values.mean(dim=1), (values - values.mean(dim=1, keepdim=True)).square().mean(dim=1)


def layer_inputs() -> dict[str, Tensor]:
    module, (shown, _) = network(), data()
    assert isinstance(module, nn.Sequential)
    with torch.no_grad():
        return {"1": module[:1](shown), "4": module[:4](shown)}


@pytest.mark.parametrize("sizes", [[11], [1] * 11, [4, 4, 3], [10, 1]])
def test_class_statistics_are_those_of_brute_force_in_whatever_batches(sizes: list[int]) -> None:
    _, targets = data()
    found = gathered(sizes)["batchnorm"]
    assert list(found) == ["1", "4"]
    for name, given in layer_inputs().items():
        moments = found[name]
        for label in range(CLASSES):
            mean, variance = brute_force(given[targets == label])
            assert torch.allclose(moments.mean[label], mean, rtol=1e-5, atol=1e-6)
            assert torch.allclose(moments.variance[label], variance, rtol=1e-5)
            assert moments.of(label).mean.dtype == torch.float32
        assert moments.samples.tolist() == [6, 4, 1]
        assert moments.count.tolist() == [count * given.shape[2] * given.shape[3] for count in (6, 4, 1)]
        mean, variance = brute_force(given)
        assert torch.allclose(moments.overall().mean[0], mean, rtol=1e-5, atol=1e-6)
        assert torch.allclose(moments.overall().variance[0], variance, rtol=1e-5)


def test_merging_batches_is_exact() -> None:
    """Not close: the same to the fifteenth digit as everything at once, since only float64 sums differ."""
    seen = channel_moments(layer_inputs()["4"])
    targets = data()[1]
    once = Moments.empty(CLASSES, 2)
    once.add(seen, targets)
    pieces = []
    for rows in torch.arange(len(targets)).split(2):
        piece = Moments.empty(CLASSES, 2)
        piece.add(SampleMoments(seen.values, seen.mean[rows], seen.variance[rows]), targets[rows])
        pieces.append(piece)
    joined = Moments.empty(CLASSES, 2)
    for piece in pieces:
        joined = joined.merged(piece)
    for name, value in once.tensors().items():
        assert torch.allclose(joined.tensors()[name], value, rtol=1e-13, atol=1e-13), name


def test_a_class_far_from_zero_keeps_its_variance() -> None:
    """Sums of squares would lose it: variance 1 at a mean of a hundred million."""
    moments = Moments.empty(1, 1)
    for mean in (1e8 - 1, 1e8 + 1):
        part = torch.tensor([[mean]], dtype=torch.float64)
        moments.add(SampleMoments(4, part, torch.zeros_like(part)), torch.tensor([0]))
    assert float(moments.variance) == 1.0


def test_one_group_gives_the_statistics_of_all_images() -> None:
    by_class, alone = gathered([11]), gathered([5, 6], groups=1)
    for name, moments in alone["batchnorm"].items():
        for key, value in by_class["batchnorm"][name].overall().tensors().items():
            assert torch.allclose(moments.tensors()[key], value, rtol=1e-12)


def test_the_mean_of_the_images_own_variances_is_kept_as_well() -> None:
    given, targets = layer_inputs()["1"], data()[1]
    own = given.double().var(dim=(2, 3), correction=0)
    within = gathered([3, 8])["batchnorm"]["1"].within
    for label in range(CLASSES):
        assert torch.allclose(within[label], own[targets == label].mean(dim=0), rtol=1e-5)


def test_a_further_kind_is_gathered_in_the_same_pass() -> None:
    """What G-VBSM will need: places of a convolution's input, with the moments over images and channels."""

    def places(given: Tensor) -> SampleMoments:
        variance, mean = torch.var_mean(given.flatten(2), dim=1, correction=0)
        return SampleMoments(given.shape[1], mean, variance)

    kind = Statistic("places", lambda layer: isinstance(layer, nn.Conv2d), places)
    found = gathered([4, 7], (BATCHNORM, kind))
    assert list(found["places"]) == ["0", "3"]
    shown, targets = data()
    values = shown[targets == 1].flatten(2).double().permute(2, 0, 1).flatten(1)
    assert torch.allclose(found["places"]["0"].mean[1], values.mean(dim=1), rtol=1e-5, atol=1e-6)
    assert torch.allclose(found["places"]["0"].variance[1], values.var(dim=1, correction=0), rtol=1e-5)
    assert torch.equal(found["batchnorm"]["1"].mean, gathered([4, 7])["batchnorm"]["1"].mean)


def test_a_file_gives_back_the_same_in_the_networks_order() -> None:
    before = gathered([11])
    after = unflattened(dict(reversed(flattened(before).items())), network())
    assert list(after["batchnorm"]) == ["1", "4"]
    for name, moments in after["batchnorm"].items():
        for key, value in moments.tensors().items():
            assert torch.equal(value, before["batchnorm"][name].tensors()[key])


def test_no_hook_is_left_after_a_pass_that_fails() -> None:
    module = network()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        yield data()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        gather(module, [BATCHNORM], batches(), CLASSES)
    assert not any(layer._forward_pre_hooks for layer in module.modules())
