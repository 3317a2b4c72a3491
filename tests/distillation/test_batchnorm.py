"""The BatchNorm loss against a loop over channels and pixels, and the hooks that it needs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.distillation import BATCHNORM, ChannelStatistics, Goal, StatisticsMatching, matchable, running_statistics
from rethinkdc.distillation.layer_statistics import distance
from rethinkdc.seeds import generator


def network(seed: int = 0) -> nn.Module:
    """Two BatchNorm layers with running statistics of their own, frozen, in evaluation mode."""
    draws = generator(seed)
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 5, 3, stride=2),
        nn.BatchNorm2d(5),
        nn.Flatten(),
        nn.Linear(5 * 9, 3),
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draws) * 0.3)
        for index in (1, 4):
            layer = made[index]
            assert isinstance(layer, nn.BatchNorm2d)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.copy_(torch.randn(layer.num_features, generator=draws))
            layer.running_var.copy_(torch.rand(layer.num_features, generator=draws) + 0.5)
    return made.eval().requires_grad_(False)


def images(count: int = 6) -> Tensor:
    return torch.randn((count, 3, 8, 8), generator=generator(1))


def matching_of(module: nn.Module, targets: dict[str, ChannelStatistics] | None = None) -> StatisticsMatching:
    goal = Goal(1.0, {"batchnorm": running_statistics(module) if targets is None else targets})
    return StatisticsMatching(module, [BATCHNORM], [goal])


def by_hand(given: Tensor, mean: Tensor, variance: Tensor, weight: float = 1.0) -> float:
    """One layer's term, one channel and one pixel at a time."""
    off_mean = off_variance = 0.0
    for channel in range(given.shape[1]):
        values = [float(value) for image in given[:, channel] for row in image for value in row]
        own_mean = sum(values) / len(values)
        own_variance = sum((value - own_mean) ** 2 for value in values) / len(values)
        off_mean += (float(mean[channel]) - own_mean) ** 2
        off_variance += (float(variance[channel]) - own_variance) ** 2
    return weight * math.sqrt(off_variance) + math.sqrt(off_mean)


def inputs_of(module: nn.Module, shown: Tensor) -> list[Tensor]:
    assert isinstance(module, nn.Sequential)
    return [module[:1](shown), module[:4](shown)]


@pytest.mark.parametrize(("first", "variance"), [(10.0, 1.0), (1.0, 1.0), (10.0, 11.0), (0.0, 0.0)])
def test_the_loss_is_that_of_a_loop_with_a_multiplier_for_the_first_layer(first: float, variance: float) -> None:
    module, shown = network(), images()
    with matching_of(module) as matching:
        module(shown)
        found = float(matching.loss(first, variance))
    layers = list(matchable(module).values())
    terms = [
        by_hand(given, layer.get_buffer("running_mean"), layer.get_buffer("running_var"), variance)
        for given, layer in zip(inputs_of(module, shown), layers, strict=True)
    ]
    assert found == pytest.approx(first * terms[0] + terms[1], rel=1e-5)


def test_the_first_multiplier_is_ten_unless_told_otherwise() -> None:
    module = network()
    with matching_of(module) as matching:
        module(images())
        assert float(matching.loss()) == float(matching.loss(10.0, 1.0))


def test_given_targets_take_the_running_statistics_place() -> None:
    module, shown = network(), images()
    first, second = inputs_of(module, shown)
    targets = {
        "1": ChannelStatistics(torch.zeros(4), torch.ones(4)),
        "4": ChannelStatistics(torch.ones(5), torch.ones(5)),
    }
    with matching_of(module, targets) as matching:
        module(shown)
        found = float(matching.loss())
    expected = 10 * by_hand(first, torch.zeros(4), torch.ones(4)) + by_hand(second, torch.ones(5), torch.ones(5))
    assert found == pytest.approx(expected, rel=1e-5)


def test_targets_for_one_layer_leave_the_others_out_and_wrong_ones_are_refused() -> None:
    module, shown = network(), images()
    wanted = ChannelStatistics(torch.zeros(5), torch.ones(5))
    with matching_of(module, {"4": wanted}) as matching:
        module(shown)
        # Not the network's first layer, so without its multiplier.
        assert float(matching.loss()) == pytest.approx(by_hand(inputs_of(module, shown)[1], *wanted), rel=1e-5)
    for name in ("0", "no-such-layer"):
        with pytest.raises(ValueError, match="fit none of"):
            matching_of(module, {name: wanted})


def test_the_loss_is_of_the_last_forward_pass_and_reaches_the_images() -> None:
    module, shown = network(), images()
    with matching_of(module) as matching:
        module(shown * 3)
        moved = shown.clone().requires_grad_()
        module(moved)
        loss = matching.loss()
        (gradient,) = torch.autograd.grad(loss, moved)
    assert bool((gradient != 0).any())
    with matching_of(module) as alone:
        module(shown)
        assert float(alone.loss()) == float(loss.detach())


def test_statistics_that_match_have_no_gradient_and_no_nan() -> None:
    mean, variance = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    loss = distance(ChannelStatistics(mean, variance), ChannelStatistics(torch.zeros(3), torch.ones(3)))
    gradients = torch.autograd.grad(loss, (mean, variance))
    assert float(loss.detach()) == 0
    assert all(bool((gradient == 0).all()) for gradient in gradients)


def hooks_on(module: nn.Module) -> int:
    return sum(len(layer._forward_pre_hooks) + len(layer._forward_hooks) for layer in module.modules())


def test_no_hook_is_left_behind_also_by_an_exception() -> None:
    module = network()
    with matching_of(module) as matching:
        module(images())
        assert hooks_on(module) == 3
    assert hooks_on(module) == 0
    with pytest.raises(RuntimeError, match="run the network inside"):
        matching.loss()

    def fails() -> None:
        with matching_of(module):
            module(images()[:, :2])

    with pytest.raises(RuntimeError):
        fails()
    assert hooks_on(module) == 0


def test_running_statistics_stay_as_they_were() -> None:
    module = network()
    before = {name: (mean.clone(), variance.clone()) for name, (mean, variance) in running_statistics(module).items()}
    with matching_of(module) as matching:
        module(images())
        matching.loss()
    for name, (mean, variance) in running_statistics(module).items():
        assert torch.equal(mean, before[name][0])
        assert torch.equal(variance, before[name][1])


def test_only_layers_with_running_statistics_are_matched() -> None:
    module = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.GroupNorm(1, 3), nn.BatchNorm2d(3))
    assert list(matchable(module)) == ["2"]
