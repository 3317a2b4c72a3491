"""``as_published``: the faults of the authors' code, equal to what that code gives on small inputs, and off by default.

The numbers were made by running the authors' own classes on a CPU, on the tensors that are made here: ``BNFeatureHook``
and ``ConvFeatureHook`` of Branch_CIFAR_10/recover/utils.py in shaoshitong/G_VBSM_Dataset_Condensation at 1ed80b0 and in
shaoshitong/EDC at 80116a7 (statistics of 20 real images in one batch, saved and loaded, then three batches of four),
``Perterb`` of distillation/perterb.py in AngusDujw/Diversity-Driven-Synthesis at c5b125f with its loop (images by SGD,
and the gradients of the images emptied after the ascent, which the loop leaves in their first step), and EDC's
``denormalize`` before its ``(image * 255).astype(uint8)``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.context.run import RunContext
from rethinkdc.distillation import (
    BATCHNORM,
    CONVOLUTION,
    GradientSum,
    Real,
    StatisticalMatching,
    StatisticsMatching,
    gather,
    optimise,
    patches,
    running_statistics,
    to_canvases,
)
from rethinkdc.distillation.layer_statistics import Goal
from rethinkdc.plugins.distillation.dwa import adjusted
from rethinkdc.registry.registry import Registry

OWN = torch.tensor([0, 0, 1, 1])


def network() -> nn.Module:
    made = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)).eval().requires_grad_(False)
    weight = made.get_parameter("0.weight")
    with torch.no_grad():
        weight.copy_(torch.linspace(-1, 1, weight.numel()).sin().view_as(weight))
        made.get_buffer("1.running_mean").copy_(torch.linspace(-0.2, 0.2, 4))
        made.get_buffer("1.running_var").copy_(torch.linspace(0.5, 1.5, 4))
    return made


def wave(count: int, step: float) -> Tensor:
    return (torch.arange(count * 3 * 8 * 8, dtype=torch.float32) * step).sin().view(count, 3, 8, 8)


def losses(method: StatisticalMatching) -> list[tuple[float, float]]:
    """The statistics' loss, and the sum of its gradient's absolute values, in three batches of one teacher's turns."""
    module, labels = network(), torch.arange(20) % 10
    kinds = method.gathered({"patch": 4})
    groups = labels if method.by_class else torch.zeros_like(labels)
    gathered = gather(module, kinds, [(wave(20, 0.37), groups)], 10 if method.by_class else 1)
    overall = {kind: {name: one.overall().of(0) for name, one in own.items()} for kind, own in gathered.items()}
    real = Real(gathered, Goal(1.0, {**overall, BATCHNORM.name: running_statistics(module)}))
    found = []
    matching = StatisticsMatching(
        module,
        [BATCHNORM, CONVOLUTION, patches(4)],
        method.goals(real, OWN),
        0.8,
        from_zero=method.as_published,
    )
    with matching:
        for step in (0.11, 0.23, 0.31):
            images = wave(4, step).requires_grad_()
            module(images)
            loss = matching.loss(10.0)
            (gradient,) = torch.autograd.grad(loss, images)
            found.append((float(loss.detach()), float(gradient.abs().sum())))
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gvbsm", [(28.62541, 200.687439), (22.91378, 48.463825), (18.8484, 44.834625)]),
        ("edc", [(29.64521, 217.172211), (25.58071, 33.830521), (22.81091, 35.632629)]),
    ],
)
def test_averages_begin_at_zero_and_patches_of_classes_change_places(
    name: str, expected: list[tuple[float, float]]
) -> None:
    registry = Registry()
    published = registry.build(StatisticalMatching, f"{name}:as_published=true")
    for (loss, gradient), (their_loss, their_gradient) in zip(losses(published), expected, strict=True):
        assert loss == pytest.approx(their_loss, rel=2e-6)
        assert gradient == pytest.approx(their_gradient, rel=2e-5)
    usual = losses(registry.build(StatisticalMatching, name))
    # From the first batch on: an average that begins at 0 is a fifth of what it should be.
    assert all(abs(ours[0] - theirs[0]) > 0.5 for ours, theirs in zip(usual[:1], expected[:1], strict=True))


def test_pixels_are_cut_off() -> None:
    mean, std = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
    row = torch.tensor([-1.8956679, -0.3, 0.0, 0.7, 1.9, 2.05]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    found = to_canvases(row, mean, std, cut=True)
    theirs = [[0, 0, 0], [108, 104, 91], [129, 124, 112], [177, 169, 161], [255, 248, 246], [255, 255, 255]]
    assert found.canvases[0].permute(1, 2, 0)[0].tolist() == theirs
    assert 0.5 < found.rounding_error * 255 <= 1
    rounded = to_canvases(row, mean, std)
    assert rounded.canvases[0].permute(1, 2, 0)[0].tolist()[1] == [109, 104, 91]
    assert rounded.rounding_error * 255 <= 0.5


def test_the_adjustments_of_dwa_add_up_with_the_gradients_of_the_images_iterations() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    with torch.no_grad():
        module.get_parameter("1.weight").copy_(torch.linspace(-1, 1, 36).sin().view(3, 12))
        module.get_parameter("1.bias").zero_()
    labels, carried, weights, sums, images = torch.tensor([0, 2]), None, [], [], []
    for step in (0.3, 0.7):
        shown = (torch.arange(24, dtype=torch.float32) * step).sin().view(2, 3, 2, 2)
        module = adjusted(module, shown, labels, 2, 0.5, carried).requires_grad_(True)
        summed = GradientSum(list(module.parameters()))
        moving = shown.clone().requires_grad_()
        for _ in range(2):
            loss = F.cross_entropy(module(moving), labels)
            gradient, *others = torch.autograd.grad(loss, [moving, *summed.weights])
            summed.add(others)
            with torch.no_grad():
                moving -= 0.5 * gradient
        carried = summed.total
        weights.append(module.get_parameter("1.weight").detach().flatten()[:6].tolist())
        sums.append(carried[0].flatten()[:3].tolist())
        images.append(moving.detach().flatten()[:4].tolist())
    # The second batch of an image per class begins from the weights and with the gradients that the first one left.
    assert weights[0] == pytest.approx([-0.875413, -0.885355, -0.885857, -0.873872, -0.847251, -0.804948], abs=2e-6)
    assert weights[1] == pytest.approx([-0.860797, -0.958454, -1.022097, -1.026473, -0.967166, -0.861381], abs=2e-6)
    assert sums[0] == pytest.approx([-0.108311, -0.588825, -0.994323], abs=2e-6)
    assert sums[1] == pytest.approx([0.186571, -0.286862, -0.607616], abs=2e-6)
    assert images[1] == pytest.approx([-0.298874, 0.274235, 0.559843, 0.410713], abs=2e-6)


def test_gradients_of_weights_are_summed_beside_those_of_images() -> None:
    weight = torch.tensor([2.0], requires_grad=True)
    idle = torch.zeros(3, requires_grad=True)
    summed = GradientSum([weight, idle])
    limits = torch.full((1, 3, 1, 1), -10.0), torch.full((1, 3, 1, 1), 10.0)
    start = torch.ones((1, 3, 1, 1))
    found = optimise(
        start,
        lambda images, _: (weight * images).sum(),
        iterations=2,
        lr=0.1,
        low=limits[0],
        high=limits[1],
        summed=summed,
    )
    # The first iteration sees ones, the second what one step of Adam left of them.
    assert float(summed.total[0]) == pytest.approx(3 * 1.0 + 3 * 0.9, rel=1e-4)
    assert summed.total[1].tolist() == [0.0, 0.0, 0.0]
    assert torch.equal(
        found,
        optimise(start, lambda images, _: (weight * images).sum(), iterations=2, lr=0.1, low=limits[0], high=limits[1]),
    )


@pytest.mark.parametrize(
    ("reference", "parts"),
    [("dwa:iterations=2,batch=2,rho=0.5", 4), ("dwa:iterations=2,batch=2,rho=0.5,as_published=true", 2)],
)
def test_batches_that_follow_from_one_another_are_one_part(
    reference: str, parts: int, inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    original = RunContext.parts

    def counting(self: RunContext, count: int, make: Any) -> Any:
        counted.append(count)
        return original(self, count, make)

    monkeypatch.setattr(RunContext, "parts", counting)
    recovered = inversions.watch()
    found = inversions.made(inversions.here(tmp_path / "one"), reference)
    assert (counted, len(recovered.calls)) == ([parts], 4)
    assert found.targets.tolist() == [0, 1, 2, 3] * 2
    digests = [call["digests"][0] for call in recovered.calls]
    assert len(set(digests)) == 4
    again = inversions.made(inversions.here(tmp_path / "two"), reference)
    assert torch.equal(inversions.canvases(found), inversions.canvases(again))


@pytest.mark.parametrize("name", ["sre2l", "lpld"])
def test_the_default_is_without_faults_and_the_name_of_the_row_tells(
    name: str, inversions: Any, tmp_path: Path
) -> None:
    registry = Registry()
    usual, published = (registry.build("compressor", text) for text in (name, f"{name}:as_published=true"))
    assert registry.label(published) == f"{name}:as_published=true"
    assert registry.definition(usual)["parameters"] == {}
    surroundings = inversions.here(tmp_path)
    pair = [
        inversions.canvases(inversions.made(surroundings, f"{name}:iterations=2{extra}")).float()
        for extra in ("", ",as_published=true")
    ]
    assert not torch.equal(*pair)
    if name == "sre2l":
        # Cut off instead of rounded: half of the pixels are a level darker, none is brighter.
        off = pair[0] - pair[1]
        assert off.unique().tolist() == [0.0, 1.0]
        assert float(off.mean()) == pytest.approx(0.5, abs=0.1)
