"""DM, DC and DSA: one step by hand, budgets, resuming, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rethinkdc import gradient_matching
from rethinkdc.compressed import CompressedSet
from rethinkdc.context import Context
from rethinkdc.errors import DivergedImagesError, RequestError, UnsupportedError
from rethinkdc.inversion.matching import embedding
from rethinkdc.models import build_seeded
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

NETWORK = "network=[convnet:depth=1,width=4]"


def here(folder: Path) -> Context:
    return context(folder, data=images(classes=3, per_class=12, size=8), protocol="digits-hard")


def made(folder: Path, method: str, ipc: int = 2) -> CompressedSet:
    surroundings = here(folder)
    return surroundings.compress(method, surroundings.data, Budget(ipc=ipc, classes=3, size=8))


def test_one_iteration_of_dm_is_one_step_down_the_distance_of_means(tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    found = made(tmp_path, f"dm:iterations=1,lr=0.5,augment=false,batch=99,{NETWORK}")
    mean, std = 0.305, 0.376
    for label in range(3):
        seed = surroundings.seeds.of("set", "network", 0)
        network = build_seeded(surroundings.method("model", "convnet:depth=1,width=4"), 3, 8, seed)
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
    again = made(tmp_path / "two", f"{method},{NETWORK}", ipc=3)
    assert torch.equal(found.canvases(torch.arange(9), 8), again.canvases(torch.arange(9), 8))


def test_augmentation_is_what_parts_dsa_from_dc(tmp_path: Path) -> None:
    rest = f"iterations=2,outer=1,inner=0,init=real,{NETWORK}"
    plain, augmented = made(tmp_path / "dc", f"dc:{rest}"), made(tmp_path / "dsa", f"dsa:{rest}")
    rows = torch.arange(6)
    assert not torch.equal(plain.canvases(rows, 8), augmented.canvases(rows, 8))


def test_a_killed_synthesis_goes_on_to_the_same_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = f"dsa:iterations=6,outer=2,inner=1,{NETWORK}"
    whole = made(tmp_path / "whole", method)
    monkeypatch.setattr(gradient_matching, "_SAVE_SECONDS", 0.0)
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
    method = here(tmp_path).method("compressor", "dsa")
    assert [method.loops(ipc) for ipc in (1, 10, 50)] == [(1, 1), (10, 50), (50, 10)]
    assert here(tmp_path).method("compressor", "dsa:inner=0").loops(10) == (10, 0)
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
