"""DM, DC and DSA: one step by hand, budgets, resuming, what is refused."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Model, Resumable
from rethinkdc.contracts.context import Context
from rethinkdc.distillation import GradientMatching, distribution_matching, gradient_matching
from rethinkdc.distillation.feature_matching import embedding
from rethinkdc.errors import DivergedImagesError, RequestError, UnsupportedError
from rethinkdc.models import build_seeded
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context, images
from rethinkdc.types import Budget, ViewKey
from rethinkdc.views import DifferentiableViews, Dsa

NETWORK = "network=[convnet:depth=1,width=4]"


def here(folder: Path, seeds: Seeds | None = None) -> Context:
    return context(folder, data=images(classes=3, per_class=12, size=8), protocol="digits-hard", seeds=seeds)


def made(folder: Path, method: str, ipc: int = 2, seeds: Seeds | None = None) -> CompressedSet:
    surroundings = here(folder, seeds)
    return surroundings.compress(method, surroundings.data, Budget(ipc=ipc, classes=3, size=8))


def test_one_iteration_of_dm_is_one_step_down_the_distance_of_means(tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    found = made(tmp_path, f"dm:iterations=1,lr=0.5,strategies=[],batch=99,{NETWORK}")
    mean, std = 0.305, 0.376
    for label in range(3):
        seed = surroundings.seeds.of("set", "network", 0)
        network = build_seeded(surroundings.method(Model, "convnet:depth=1,width=4"), 3, 8, seed)
        rows = torch.arange(12) + 12 * label
        order = torch.randperm(12, generator=surroundings.generator("set", "init", label))[:2]
        start = surroundings.data.canvases(rows[order], 8).float().div(255).sub(mean).div(std).requires_grad_()
        real = surroundings.data.canvases(rows, 8).float().div(255).sub(mean).div(std)
        with embedding(network) as embed:
            loss = (embed(real).mean(0) - embed(start).mean(0)).square().sum()
        (gradient,) = torch.autograd.grad(loss, start)
        expected = ((start - 0.5 * gradient) * std + mean).clamp(0, 1).mul(255)
        stored = found.canvases(torch.tensor([2 * label, 2 * label + 1]), 8).float()
        assert float((stored - expected.detach()).abs().max()) <= 0.51


@pytest.mark.parametrize(
    "method", ["dm:iterations=2", "dc:iterations=2,outer=2,inner=1", "dsa:iterations=2,outer=2,inner=1"]
)
def test_a_set_has_its_budget_and_follows_the_set_seed_alone(method: str, tmp_path: Path) -> None:
    found = made(tmp_path / "one", f"{method},{NETWORK}", ipc=3)
    assert found.histogram() == [3, 3, 3]
    assert bool((found.sources == -1).all())
    assert 0 <= found.card.rounding_error <= 0.5 / 255 + 1e-9
    others = Seeds(set=0, proxy=1, teacher=1, labels=1, student=1)
    for folder, seeds, same in (("two", others, True), ("three", Seeds(set=1), False)):
        again = made(tmp_path / folder, f"{method},{NETWORK}", ipc=3, seeds=seeds)
        assert torch.equal(found.canvases(torch.arange(9), 8), again.canvases(torch.arange(9), 8)) == same


@pytest.mark.parametrize("method", ["dm:iterations=2", "dc:iterations=2,outer=2,inner=1"])
def test_what_a_network_draws_follows_the_set_seed_too(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout draws from torch's global generator, which is as it was afterwards."""

    def build(*given: Any) -> nn.Module:
        network = build_seeded(*given)
        return nn.Sequential(network[:-1], nn.Dropout(), network[-1])  # type: ignore[index]

    for module in (gradient_matching, distribution_matching):
        monkeypatch.setattr(module, "build_seeded", build)
    found = []
    for folder in ("one", "two"):
        torch.rand(3)
        before = torch.get_rng_state()
        found.append(made(tmp_path / folder, f"{method},{NETWORK}").canvases(torch.arange(6), 8))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*found)


def test_augmentation_is_what_parts_dsa_from_dc(tmp_path: Path) -> None:
    rest = f"iterations=2,outer=1,inner=0,init=real,{NETWORK}"
    plain, augmented = made(tmp_path / "dc", f"dc:{rest}"), made(tmp_path / "dsa", f"dsa:{rest}")
    rows = torch.arange(6)
    assert not torch.equal(plain.canvases(rows, 8), augmented.canvases(rows, 8))


def test_a_killed_synthesis_goes_on_to_the_same_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = f"dsa:iterations=6,outer=2,inner=1,{NETWORK}"
    whole = made(tmp_path / "whole", method)
    monkeypatch.setattr(Resumable, "keep", partialmethod(Resumable.keep, now=True))
    original, calls = gradient_matching._Matching._iterate, list[int]()

    def killed(self: gradient_matching._Matching, iteration: int, *given: object) -> None:
        calls.append(iteration)
        if len(calls) == 4:
            raise KeyboardInterrupt
        original(self, iteration, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(gradient_matching._Matching, "_iterate", killed)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "killed", method)
    again = made(tmp_path / "killed", method)
    assert calls == [0, 1, 2, 3, 3, 4, 5]
    assert torch.equal(whole.canvases(torch.arange(6), 8), again.canvases(torch.arange(6), 8))


def test_the_papers_steps_are_by_images_per_class(tmp_path: Path) -> None:
    method = here(tmp_path).method(GradientMatching, "dsa")
    assert [method.loops(ipc) for ipc in (1, 10, 50)] == [(1, 1), (10, 50), (50, 10)]
    assert here(tmp_path).method(GradientMatching, "dsa:inner=0").loops(10) == (10, 0)
    with pytest.raises(RequestError, match=r"no number of steps for ipc 5.*dsa:outer=10,inner=50"):
        method.loops(5)


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"begins from 13 real images.*has 12"):
        made(tmp_path / "dm", f"dm:iterations=1,{NETWORK}", ipc=13)
    with pytest.raises(UnsupportedError, match=r"statistics of BatchNorm"):
        made(tmp_path / "bn", "dm:iterations=1,network=[convnet:depth=1,width=4,norm=batch]")
    assert made(tmp_path / "dc", "dc:iterations=1,outer=2,inner=1,network=[convnet:depth=1,width=4,norm=batch]")


@pytest.mark.parametrize(
    ("method", "where"),
    [("dm:iterations=4,lr=1e38", "class 1 of 3"), ("dc:iterations=4,lr=1e38,outer=1,inner=0", "dc")],
)
def test_images_that_diverge_are_an_error_that_says_where(method: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(DivergedImagesError, match=f"{where}.* iteration 2 of 4") as caught:
        made(tmp_path, f"{method},{NETWORK}")
    assert caught.value.step == 1


@pytest.mark.parametrize(
    ("method", "ops"),
    [("dc:", []), ("dsa:", [Dsa()]), ("dsa:strategies=[crop,rotate],", [Dsa(strategies=("crop", "rotate"))])],
)
def test_gradient_matching_is_the_papers_loop(method: str, ops: list[Dsa], tmp_path: Path) -> None:
    """DC's algorithm written out: one step for all classes, momentum throughout, and the network trained in between."""
    surroundings, batch, mean, std = here(tmp_path), 5, 0.305, 0.376
    found = made(tmp_path, f"{method}iterations=2,outer=3,inner=2,network_lr=0.5,batch={batch},init=real,{NETWORK}")
    alike, apart = (DifferentiableViews(ops, size=8, shared=shared) for shared in (True, False))

    def real(label: int, count: int, *names: str | int) -> Tensor:
        order = torch.randperm(12, generator=surroundings.generator("set", *names))[:count]
        return surroundings.data.canvases(order + 12 * label, 8).float().div(255).sub(mean).div(std)

    def gradients(network: nn.Module, shown: Tensor, label: int) -> tuple[Tensor, ...]:
        loss = F.cross_entropy(network(shown), torch.full((len(shown),), label))
        return torch.autograd.grad(loss, list(network.parameters()), create_graph=True)

    targets = torch.arange(3).repeat_interleave(2)
    start = torch.cat([real(label, 2, "init", label) for label in range(3)])
    images, speed = start, torch.zeros_like(start)
    for iteration in range(2):
        seed = surroundings.seeds.of("set", "network", iteration)
        network = build_seeded(surroundings.method(Model, "convnet:depth=1,width=4"), 3, 8, seed)
        trainer = torch.optim.SGD(network.parameters(), lr=0.5)
        for step in range(3):
            images = images.detach().requires_grad_()
            distance = torch.zeros(())
            for label in range(3):
                key = ViewKey(surroundings.seeds.of("set", "views", label), iteration, step)
                many = alike.render(real(label, batch, "real", label, iteration, step), key)
                few = alike.render(images[targets == label], key)
                pairs = zip(gradients(network, many, label), gradients(network, few, label), strict=True)
                for a, b in [(one.detach().flatten(1), other.flatten(1)) for one, other in pairs if one.ndim > 1]:
                    distance = distance + (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()
            speed = 0.5 * speed + torch.autograd.grad(distance, images)[0]
            images = images.detach() - 0.1 * speed
            for epoch in range(2 if step < 2 else 0):
                order = torch.randperm(6, generator=surroundings.generator("set", "order", iteration, step, epoch))
                for place, rows in enumerate(order.split(batch)):
                    key = ViewKey(surroundings.seeds.of("set", "inner", iteration, step), epoch, place)
                    trainer.zero_grad()
                    F.cross_entropy(network(apart.render(images[rows], key)), targets[rows]).backward()
                    trainer.step()
    pixels, before = ((some * std + mean).clamp(0, 1) * 255 for some in (images, start))
    stored = found.canvases(torch.arange(6), 8).float()
    assert float((stored - pixels).abs().max()) <= 0.51
    assert float((stored - before).abs().max()) > 5
