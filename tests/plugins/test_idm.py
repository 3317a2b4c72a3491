"""IDM: its distance beside the authors' code, its values, its loop and its queue written out.

Golden numbers are those of ``number_sign_augment`` in dc_utils.py, ``ConvNet.embed_channel_avg`` in dc_networks.py
(depth 2, width 4, 3 classes, 8 px) and the sum of terms of IDM_cifar10.py (without DSA, accuracies 0 and 37.5 percent,
weight .5) of uitrbn/IDM at fe23bbc, under float32 on a CPU, on the waves below.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Compressor, Model
from rethinkdc.contracts.context import Context
from rethinkdc.distillation import fill, form
from rethinkdc.errors import DivergedImagesError
from rethinkdc.models import build_seeded
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images
from rethinkdc.types import Budget, ViewKey
from rethinkdc.views import DifferentiableViews, Dsa

NETWORK = "network=[convnet:depth=1,width=4]"


def wave(shape: tuple[int, ...], pace: float) -> Tensor:
    count = torch.Size(shape).numel()
    return torch.sin(pace * torch.arange(1, count + 1, dtype=torch.float32)).view(shape)


def here(folder: Path) -> Context:
    return context(folder, data=images(classes=3, per_class=12, size=8), protocol="digits-hard")


def made(folder: Path, method: str, ipc: int = 1) -> CompressedSet:
    surroundings = here(folder)
    return surroundings.compress(method, surroundings.data, Budget(ipc=ipc, classes=3, size=8))


@pytest.mark.parametrize(("weight", "loss", "slope"), [(0.0, 0.876394, 1.144006), (0.5 * 37.5, 30.809278, 4.931635)])
def test_the_distance_and_its_gradient_are_those_of_the_authors_code(weight: float, loss: float, slope: float) -> None:
    registry = Registry()
    network = build_seeded(registry.build("model", "convnet:depth=2,width=4"), 3, 8, 0)  # type: ignore[arg-type]
    with torch.no_grad():
        for place, parameter in enumerate(network.parameters(), start=1):
            parameter.copy_(wave(tuple(parameter.shape), 0.1 * place))
    some = wave((2, 3, 8, 8), 0.53).requires_grad_()
    matched = sys.modules[type(registry.build("compressor", "idm")).__module__].matched
    found = matched(network, wave((3, 3, 8, 8), 0.37), form(some, 2), 1, weight)
    assert found.item() == pytest.approx(loss, rel=1e-5)
    assert torch.autograd.grad(found, some)[0].norm().item() == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize(
    ("protocol", "ipc", "expected"),
    [
        ("cifar10-hard", 1, (0.5, 5000, 5, 100, 10, 100, "convnet")),
        ("cifar10-hard", 10, (0.5, 256, 30, 100, 10, 100, "convnet")),
        ("cifar10-hard", 40, (0.1, 256, 30, 100, 10, 500, "convnet")),
        ("cifar100-hard", 10, (0.1, 256, 30, 100, 50, 100, "convnet")),
        ("tiny-imagenet-hard", 50, (0.8, 256, 30, 100, 50, 1000, "convnet")),
        ("imagenet1k-hard", 10, (3.0, 128, 50, 50, 10, 1000, "convnet:depth=6")),
    ],
)
def test_values_are_those_of_the_authors_commands(protocol: str, ipc: int, expected: tuple[object, ...]) -> None:
    method = Registry().build("compressor", "idm")
    assert isinstance(method, Compressor)
    found = method.settings(Registry().protocols.find(protocol), ipc)
    told = [found[name].value for name in ("weight", "batch", "interval", "networks", "steps", "window", "network")]
    assert (*told[:-1], str(told[-1])) == expected
    assert (found["lr"].value, found["iterations"].value, found["images"].value) == (0.2, 20_000, 256)
    assert "command.txt" in found["weight"].source


def test_the_loop_is_that_of_the_authors_code(tmp_path: Path) -> None:
    """Written out: three networks, a new one every second iteration for the oldest; accuracies of two iterations."""
    surroundings, mean, std = here(tmp_path), 0.305, 0.376
    rest = f"batch=5,images=7,steps=2,interval=2,networks=3,window=2,weight=0.02,strategies=[flip],lr=0.5,{NETWORK}"
    found = made(tmp_path, f"idm:iterations=3,{rest}")
    views = DifferentiableViews([Dsa(strategies=("flip",))], size=8, shared=True)
    model, seeds = surroundings.method(Model, "convnet:depth=1,width=4"), surroundings.seeds

    def normal(rows: Tensor) -> Tensor:
        return (surroundings.data.canvases(rows, 8).float().div(255) - mean) / std

    def of_class(label: int, count: int, *names: str | int) -> Tensor:
        return normal(torch.randperm(12, generator=surroundings.generator("set", *names))[:count] + 12 * label)

    def waiting(number: int) -> tuple[torch.nn.Module, torch.optim.Optimizer, list[int]]:
        network = build_seeded(model, 3, 8, seeds.of("set", "network", number))
        return network, torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4), [0, 0]

    canvases = torch.cat([fill(of_class(label, 4, "init", label), 2, "bilinear") for label in range(3)])
    begun, speed, queue = canvases, torch.zeros_like(canvases), [waiting(number) for number in range(3)]
    for iteration in range(3):
        if iteration == 2:
            queue = [(network, trainer, [0, 0]) for network, trainer, _ in queue]
        if iteration % 2 == 0:
            queue = [*queue[1:], waiting(3 + iteration // 2)]
        place = int(torch.randint(3, (1,), generator=surroundings.generator("set", "matched", iteration)))
        network, _, (hits, seen) = queue[place]
        for label in range(3):
            own = canvases[label : label + 1].clone().requires_grad_()
            key = ViewKey(seeds.of("set", "views", label), iteration, 0)
            sides = [views.render(some, key) for some in (of_class(label, 5, "real", label, iteration), form(own, 2))]
            features, logits = [network[:-1](side).mean(dim=0) for side in sides], network(sides[1])  # type: ignore[index]
            loss = (features[0].detach() - features[1]).square().sum()
            loss = loss + 0.02 * (100 * hits / max(1, seen)) * F.cross_entropy(logits, torch.full((4,), label))
            slope = torch.zeros_like(canvases)
            slope[label] = torch.autograd.grad(loss, own)[0][0]
            speed = 0.5 * speed + slope
            canvases = canvases - 0.5 * speed
        draws = surroundings.generator("set", "trained", iteration)
        for place in torch.randperm(3, generator=draws)[:2].tolist():
            network, trainer, counts = queue[place]
            for _ in range(2):
                rows = torch.randperm(36, generator=draws)[:7]
                logits = network(normal(rows))
                trainer.zero_grad()
                F.cross_entropy(logits, rows // 12).backward()
                trainer.step()
                counts[0] += int((logits.argmax(1) == rows // 12).sum())
                counts[1] += 7
    stored, pixels = found.canvases(torch.arange(3), 8).float(), (canvases * std + mean).clamp(0, 1) * 255
    assert float((stored - pixels).abs().max()) <= 0.52
    assert float((stored - (begun * std + mean) * 255).abs().max()) > 5


def test_what_is_stored_are_canvases_that_are_seen_cell_by_cell(tmp_path: Path) -> None:
    found = made(tmp_path, f"idm:iterations=1,batch=4,images=4,{NETWORK}", ipc=2)
    assert (found.histogram(), found.cells, found.view_rule.choice) == ([2, 2, 2], 4, "each")
    assert sum(part.numel() for part in found.parts) == 6 * 3 * 8 * 8


def test_images_that_diverge_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DivergedImagesError, match="idm"):
        made(tmp_path, f"idm:iterations=4,lr=1e38,batch=4,images=4,{NETWORK}")
