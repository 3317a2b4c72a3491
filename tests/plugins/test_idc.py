"""IDC: its distance beside the authors' code, its values, its loop written out, what its sets cost and show.

Golden numbers are those of ``matchloss`` in condense.py and ``ConvNet`` in models/convnet.py (depth 2, width 4, 3
classes, 8 px) of snu-mllab/Efficient-Dataset-Condensation at ceac95a, under float32 on a CPU, on the waves below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Compressor, Model
from rethinkdc.contracts.context import Context
from rethinkdc.distillation import cut_mixed, fill, form, gradient_difference, weight_gradients
from rethinkdc.errors import DivergedImagesError, RequestError, UnsupportedError
from rethinkdc.models import build_seeded
from rethinkdc.protocol.student import student_training
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images
from rethinkdc.types import Budget, ViewKey
from rethinkdc.views import CutMix, DifferentiableViews, Dsa

NETWORK = "network=[convnet:depth=1,width=4]"


def wave(shape: tuple[int, ...], pace: float) -> Tensor:
    count = torch.Size(shape).numel()
    return torch.sin(pace * torch.arange(1, count + 1, dtype=torch.float32)).view(shape)


def here(folder: Path) -> Context:
    return context(folder, data=images(classes=3, per_class=12, size=8), protocol="digits-hard")


def made(folder: Path, method: str, ipc: int = 1) -> CompressedSet:
    surroundings = here(folder)
    return surroundings.compress(method, surroundings.data, Budget(ipc=ipc, classes=3, size=8))


@pytest.mark.parametrize(("metric", "loss", "slope"), [("mse", 2.501853, 21.357885), ("l1", 17.702763, 72.487129)])
def test_the_distance_and_its_gradient_are_those_of_the_authors_code(
    metric: Literal["mse", "l1"], loss: float, slope: float
) -> None:
    network = build_seeded(Registry().build("model", "convnet:depth=2,width=4"), 3, 8, 0)  # type: ignore[arg-type]
    with torch.no_grad():
        for place, parameter in enumerate(network.parameters(), start=1):
            parameter.copy_(wave(tuple(parameter.shape), 0.1 * place))
    some = wave((2, 3, 8, 8), 0.53).requires_grad_()
    weights = [each for each in network.parameters() if each.ndim > 2]
    real = weight_gradients(network, wave((3, 3, 8, 8), 0.37), 1, graph=False, parameters=weights)
    found = gradient_difference(real, weight_gradients(network, some, 1, graph=True, parameters=weights), metric)
    (gradient,) = torch.autograd.grad(found, some)
    assert found.item() == pytest.approx(loss, rel=1e-5)
    assert gradient.norm().item() == pytest.approx(slope, rel=1e-4)


def test_biases_norms_and_the_classifier_count_nothing() -> None:
    real, other = [torch.zeros(2, 3, 1, 1), torch.zeros(4), torch.zeros(2, 2)], [torch.ones(2, 3, 1, 1)]
    assert gradient_difference(real, [*other, torch.ones(4), torch.ones(2, 2)], "l1").item() == 6


@pytest.mark.parametrize(
    ("protocol", "ipc", "expected"),
    [
        ("cifar10-hard", 10, (2000, "mse", 0.005, 64, 2000, 0, 0.01, 5e-4)),
        ("cifar100-hard", 50, (2000, "mse", 0.025, 64, 2000, 0, 0.01, 5e-4)),
        ("tiny-imagenet-hard", 1, (2000, "mse", 0.002, 64, 2000, 0, 0.01, 5e-4)),
        ("imagenet1k-hard", 10, (500, "l1", 0.001, 128, 500, 5, 0.1, 1e-4)),
    ],
)
def test_values_are_those_of_the_authors_scripts(protocol: str, ipc: int, expected: tuple[object, ...]) -> None:
    method = Registry().build("compressor", "idc")
    assert isinstance(method, Compressor)
    found = method.settings(Registry().protocols.find(protocol), ipc)
    names = ("iterations", "metric", "lr", "batch", "images", "early", "network_lr", "decay")
    told = tuple(found[name].value for name in names)
    assert told == pytest.approx(expected) if isinstance(told[1], float) else told[:2] == expected[:2]
    assert told[2:] == pytest.approx(expected[2:])
    assert "tune_lr_img" in found["lr"].source


def test_the_loop_is_that_of_the_authors_code(tmp_path: Path) -> None:
    """Written out: a step after each class, momentum of all canvases, the network trained on real images between."""
    surroundings, batch, mean, std = here(tmp_path), 5, 0.305, 0.376
    rest = f"batch={batch},images=7,lr=0.5,network_lr=0.1,decay=0.01,metric=l1,most=3,{NETWORK}"
    found = made(tmp_path, f"idc:iterations=2,steps=2,{rest}")
    color, crop, cutout = (Dsa(strategies=(name,)) for name in ("color", "crop", "cutout"))
    alike = DifferentiableViews([color, crop, cutout], size=8, shared=True)
    apart = DifferentiableViews([color, crop], size=8, shared=False)

    def pixels(rows: Tensor) -> Tensor:
        return surroundings.data.canvases(rows, 8).float().div(255)

    def of_class(label: int, count: int, *names: str | int) -> Tensor:
        return pixels(torch.randperm(12, generator=surroundings.generator("set", *names))[:count] + 12 * label)

    canvases = torch.cat([fill(of_class(label, 4, "init", label), 2) for label in range(3)])
    begun, speed = canvases, torch.zeros_like(canvases)
    for iteration in range(2):
        seed = surroundings.seeds.of("set", "network", iteration)
        network = build_seeded(surroundings.method(Model, "convnet:depth=1,width=4"), 3, 8, seed)
        trainer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
        canvases = canvases.clamp(0, 1)
        for step in range(2):
            for label in range(3):
                names = (label, iteration, step)
                key = ViewKey(surroundings.seeds.of("set", "views", label), iteration, step)
                own = canvases.detach().requires_grad_()
                order = torch.randperm(4, generator=surroundings.generator("set", "cells", *names))[:3]
                cells = form(own[label : label + 1], 2)[order]
                shown = [
                    alike.render((some - mean) / std, key) for some in (of_class(label, batch, "real", *names), cells)
                ]
                first = [
                    torch.autograd.grad(
                        F.cross_entropy(network(some), torch.full((len(some),), label)),
                        network[0].weight,  # type: ignore[index]
                        create_graph=True,
                    )[0]
                    for some in shown
                ]
                (slope,) = torch.autograd.grad((first[0].detach() - first[1]).abs().sum(), own)
                speed = 0.5 * speed + slope
                canvases = canvases - 0.5 * speed
            for place in range(2 if step == 0 else 0):
                used = ("train", iteration, step, place)
                draws = surroundings.generator("set", *used)
                rows = torch.randperm(36, generator=draws)[:batch]
                views = apart.render((pixels(rows) - mean) / std, ViewKey(surroundings.seeds.of("set", *used), 0, 0))
                targets = rows // 12
                views, partner, area = cut_mixed(views, CutMix(p=0.5), draws)
                said = network(views)
                loss = (1 - area) * F.cross_entropy(said, targets) + area * F.cross_entropy(said, targets[partner])
                trainer.zero_grad()
                loss.backward()
                trainer.step()
    stored = found.canvases(torch.arange(3), 8).float()
    assert float((stored - canvases.clamp(0, 1) * 255).abs().max()) <= 0.51
    assert float((stored - begun * 255).abs().max()) > 5


def test_what_is_stored_are_canvases_and_what_is_seen_is_every_cell(tmp_path: Path) -> None:
    found = made(tmp_path, f"idc:iterations=1,steps=1,{NETWORK}", ipc=2)
    assert found.histogram() == [2, 2, 2]
    assert sum(part.numel() for part in found.parts) == 6 * 3 * 8 * 8
    surroundings = here(tmp_path)
    training = student_training(found, None, surroundings.protocol, ipc=2)
    assert (training.length.rows, len(training.targets)) == (24, 24)
    assert training.targets.tolist() == [label for label in range(3) for _ in range(8)]
    plain = made(tmp_path / "one", f"idc:iterations=1,steps=1,factor=1,{NETWORK}", ipc=2)
    assert (plain.cells, plain.seen_in_cells) == (1, False)
    assert student_training(plain, None, surroundings.protocol, ipc=2).length.rows == 6


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"begins from 16 real images.*has 12"):
        made(tmp_path / "few", f"idc:iterations=1,{NETWORK}", ipc=4)
    with pytest.raises(DivergedImagesError, match="idc's classes"):
        made(tmp_path / "far", f"idc:iterations=1,steps=4,lr=1e38,images=0,{NETWORK}")
    large = context(tmp_path / "large", data=images(classes=2, per_class=4, size=8), protocol="imagenet1k-hard")
    with pytest.raises(RequestError, match=r"no network for 224 px.*ResNetAP-10.*idc:network=\[convnet:depth=5\]"):
        large.compress("idc:iterations=1", large.data, Budget(ipc=1, classes=2, size=224))
