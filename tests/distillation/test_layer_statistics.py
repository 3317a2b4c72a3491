"""Moving averages by hand, and the loss of several kinds of statistics against its formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.distillation import (
    BATCHNORM,
    CONVOLUTION,
    ChannelStatistics,
    Goal,
    Smoothing,
    StatisticsMatching,
    patch_statistics,
    patches,
)
from rethinkdc.models import weights_digest
from rethinkdc.seeds import generator

KINDS = [BATCHNORM, CONVOLUTION, patches(4)]
PLACE = ("kind", "layer")


def network() -> nn.Module:
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 2, 3),
        nn.GroupNorm(1, 2),
        nn.Flatten(),
    )
    with torch.no_grad():
        for index, tensor in enumerate([*made.parameters(), *[b for b in made.buffers() if b.is_floating_point()]]):
            tensor.copy_(torch.rand(tensor.shape, generator=generator(index)) + 0.1)
    return made.eval().requires_grad_(False)


def images(seed: int = 1) -> Tensor:
    return torch.randn((5, 3, 8, 8), generator=generator(seed))


def wanted(seed: int) -> dict[str, dict[str, ChannelStatistics]]:
    def some(size: int, offset: int) -> ChannelStatistics:
        return ChannelStatistics(*torch.rand((2, size), generator=generator(100 * seed + offset)))

    return {
        "batchnorm": {"1": some(4, 0)},
        "convolution": {"0": some(3, 1), "3": some(4, 2)},
        "patches-4": {"0": some(4, 3), "3": some(4, 4)},
    }


def given_to(module: nn.Module, shown: Tensor) -> dict[str, Tensor]:
    assert isinstance(module, nn.Sequential)
    return {"0": shown, "1": module[:1](shown), "3": module[:3](shown)}


def off(found: tuple[Tensor, Tensor], target: ChannelStatistics) -> Tensor:
    distance: Tensor = (found[0] - target.mean).norm() + (found[1] - target.variance).norm()
    return distance


def channels(given: Tensor) -> ChannelStatistics:
    """By autograd's own functions."""
    variance, mean = torch.var_mean(given, dim=(0, 2, 3), correction=0)
    return ChannelStatistics(mean, variance)


def by_hand(shown: dict[str, Tensor], targets: dict[str, dict[str, ChannelStatistics]], first: float = 10.0) -> Tensor:
    loss = torch.zeros(())
    for kind, layers in targets.items():
        for name, target in layers.items():
            measured = patch_statistics(shown[name], 4) if kind == "patches-4" else channels(shown[name])
            loss = loss + (first if name == "0" else 1.0) * off(measured, target)
    return loss


# -- the moving average ------------------------------------------------------------------------------------------------


def statistic(mean: float, variance: float) -> ChannelStatistics:
    return ChannelStatistics(torch.tensor([mean], requires_grad=True), torch.tensor([variance], requires_grad=True))


def test_the_average_begins_with_the_first_statistic_and_moves_by_one_minus_alpha() -> None:
    """By hand at alpha 0.8: 1, then 0.8 + 0.2 * 3 = 1.4, then 1.12 + 0.2 * 6 = 2.32; never below the first."""
    smoothing, values = Smoothing(0.8), []
    for mean in (1.0, 3.0, 6.0):
        found = smoothing.smoothed(PLACE, statistic(mean, 10 * mean))
        values.append((float(found.mean.detach()), float(found.variance.detach())))
    assert values[0] == (1.0, 10.0)
    assert values[1] == pytest.approx((1.4, 14.0))
    assert values[2] == pytest.approx((2.32, 23.2))


@pytest.mark.parametrize("step", [0, 1, 2])
def test_the_gradient_is_that_of_the_newest_statistic_undamped(step: int) -> None:
    smoothing = Smoothing(0.8)
    for _ in range(step):
        smoothing.smoothed(PLACE, statistic(5.0, 5.0))
    newest = statistic(2.0, 3.0)
    found = smoothing.smoothed(PLACE, newest)
    gradients = torch.autograd.grad(2 * found.mean + 3 * found.variance, tuple(newest))
    assert [float(gradient) for gradient in gradients] == [2.0, 3.0]


def test_averages_of_other_places_and_objects_are_their_own() -> None:
    smoothing = Smoothing(0.5)
    smoothing.smoothed(PLACE, statistic(8.0, 8.0))
    assert float(smoothing.smoothed(("kind", "other"), statistic(2.0, 2.0)).mean.detach()) == 2.0
    assert float(Smoothing(0.5).smoothed(PLACE, statistic(2.0, 2.0)).mean.detach()) == 2.0
    assert float(smoothing.smoothed(PLACE, statistic(2.0, 2.0)).mean.detach()) == 5.0
    assert float(Smoothing(0.0).smoothed(PLACE, statistic(2.0, 2.0)).mean.detach()) == 2.0


# -- the loss ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [10.0, 0.0])
def test_the_loss_is_the_formula_with_a_multiplier_for_the_first_convolution(first: float) -> None:
    module, shown, targets = network(), images(), wanted(1)
    with StatisticsMatching(module, KINDS, [Goal(1.0, targets)]) as matching:
        module(shown)
        found = matching.loss(first)
    assert float(found) == pytest.approx(float(by_hand(given_to(module, shown), targets, first)), rel=1e-5)


def test_goals_add_up_by_their_shares_and_each_is_a_norm_of_its_own() -> None:
    module, shown, one, other = network(), images(), wanted(1), wanted(2)
    with StatisticsMatching(module, KINDS, [Goal(0.25, one), Goal(0.75, other)]) as matching:
        module(shown)
        found = float(matching.loss())
    layers = given_to(module, shown)
    assert found == pytest.approx(0.25 * float(by_hand(layers, one)) + 0.75 * float(by_hand(layers, other)), rel=1e-5)


def test_layers_that_are_left_out_count_nothing_and_their_averages_stay() -> None:
    module, targets = network(), {"convolution": wanted(1)["convolution"]}
    first, second = given_to(module, images(1)), given_to(module, images(2))
    with StatisticsMatching(module, KINDS, [Goal(1.0, targets)], keep=0.8) as matching:
        module(images(1))
        matching.loss()
        matching.leave_out({"0"})
        module(images(7))
        # Nothing of the first layer, and no multiplier for the second in its place.
        seven = channels(given_to(module, images(7))["3"])
        start = channels(first["3"])
        smooth = (0.8 * start.mean + 0.2 * seven.mean, 0.8 * start.variance + 0.2 * seven.variance)
        assert float(matching.loss()) == pytest.approx(float(off(smooth, targets["convolution"]["3"])), rel=1e-4)
        matching.leave_out({"0", "3"})
        module(images(7))
        assert float(matching.loss()) == 0.0
        matching.leave_out(())
        module(images(2))
        before, now = (channels(layers["0"]) for layers in (first, second))
        smooth_first = (0.8 * before.mean + 0.2 * now.mean, 0.8 * before.variance + 0.2 * now.variance)
        latest = channels(second["3"])
        again = tuple(0.8 * old + 0.2 * new for old, new in zip(smooth, latest, strict=True))
        expected = 10 * off(smooth_first, targets["convolution"]["0"]) + off(again, targets["convolution"]["3"])  # type: ignore[arg-type]
        assert float(matching.loss()) == pytest.approx(float(expected), rel=1e-4)


def test_a_smoothed_loss_has_the_value_of_the_average_and_the_gradient_of_the_batch() -> None:
    module, targets = network(), {"convolution": {"0": wanted(1)["convolution"]["0"]}}
    shown = images(2).requires_grad_()
    with StatisticsMatching(module, KINDS, [Goal(1.0, targets)], keep=0.8) as matching:
        module(images(1))
        matching.loss()
        module(shown)
        (found,) = torch.autograd.grad(matching.loss(), shown)
    target, now = targets["convolution"]["0"], channels(shown)
    before = channels(images(1))
    # The norm's gradient at the average, times that of the statistic by the pixels: undamped.
    pulls = []
    for old, new, aim in zip(before, now, target, strict=True):
        apart = 0.8 * old + 0.2 * new.detach() - aim
        pulls.append((10 * apart / apart.norm() * new).sum())
    (expected,) = torch.autograd.grad(torch.stack(pulls).sum(), shown)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


def hooks_on(module: nn.Module) -> int:
    return sum(len(layer._forward_pre_hooks) + len(layer._forward_hooks) for layer in module.modules())


def test_no_hook_is_left_behind_and_the_network_stays_as_it_was() -> None:
    module = network()
    before = weights_digest(module)
    with StatisticsMatching(module, KINDS, [Goal(1.0, wanted(1))]) as matching:
        module(images())
        matching.loss()
        assert hooks_on(module) == 4

    def fails() -> None:
        with StatisticsMatching(module, KINDS, [Goal(1.0, wanted(1))]):
            module(images()[:, :2])

    with pytest.raises(RuntimeError):
        fails()
    assert hooks_on(module) == 0
    assert weights_digest(module) == before
