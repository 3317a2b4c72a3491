"""Matching of trajectories: experts that are shared, one iteration by hand, presets, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.contracts import Compressor
from rethinkdc.distillation import TrajectoryMatching
from rethinkdc.errors import DivergedImagesError, RequestError, UnsupportedError
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.reference import Reference
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.storage import load_tensors
from rethinkdc.testing import context, images
from rethinkdc.types import Budget

NETWORK = "network=[convnet:depth=1,width=4]"
EXPERTS = f"last_start=2,expert_epochs=1,experts=2,epochs=2,expert_batch=12,{NETWORK}"
SHORT = f"iterations=3,steps=2,{EXPERTS}"


def here(folder: Path, **seeds: int) -> RunContext:
    return context(folder, data=images(classes=3, per_class=12, size=8), protocol="digits-hard", seeds=Seeds(**seeds))


def made(surroundings: RunContext, method: str, ipc: int = 2) -> CompressedSet:
    return surroundings.compress(method, surroundings.data, Budget(ipc=ipc, classes=3, size=8))


def pixels(found: CompressedSet) -> torch.Tensor:
    return found.canvases(torch.arange(len(found)), 8)


def experts(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache" / "teachers").iterdir())


def test_a_set_has_its_budget_and_a_learned_rate(tmp_path: Path) -> None:
    found = made(here(tmp_path), f"mtt:{SHORT},rate_lr=0.0001", ipc=3)
    assert found.histogram() == [3, 3, 3]
    assert bool((found.sources == -1).all())
    assert found.student_lr is not None
    assert found.student_lr != 0.01
    assert found.soft_targets is None
    assert 0 <= found.card.rounding_error <= 0.5 / 255 + 1e-9


def test_experts_are_made_once_for_all_sets_and_lengths(tmp_path: Path) -> None:
    found = [made(here(tmp_path), f"mtt:{SHORT}")]
    kept = experts(tmp_path)
    assert len(kept) == 2
    files = {file.name for file in (tmp_path / "cache" / "teachers" / kept[0]).glob("weights-*")}
    assert files == {f"weights-{epoch:05d}.safetensors" for epoch in range(3)}
    found.append(made(here(tmp_path, set=1), f"mtt:{SHORT}"))
    found.append(made(here(tmp_path), f"mtt:steps=3,lr=5,through=each,{EXPERTS},iterations=2"))
    assert experts(tmp_path) == kept
    found.append(made(here(tmp_path, teacher=1), f"mtt:{SHORT}"))
    assert len(experts(tmp_path)) == 4
    shown = [pixels(each) for each in found]
    assert not any(torch.equal(shown[0], other) for other in shown[1:])


def test_one_iteration_is_one_step_down_the_distance_of_the_unrolled_training(tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    rest = f"last_start=1,expert_epochs=2,experts=1,epochs=2,expert_batch=12,strategies=[],{NETWORK}"
    found = made(surroundings, f"mtt:iterations=1,steps=2,batch=all,lr=20,rate=0.02,rate_lr=0.0001,{rest}")
    (folder,) = (tmp_path / "cache" / "teachers").iterdir()
    start, end = (load_tensors(folder / f"weights-{epoch:05d}.safetensors") for epoch in (0, 2))
    mean, std = 0.305, 0.376
    begun = torch.cat(
        [
            surroundings.data.canvases(
                12 * label + torch.randperm(12, generator=surroundings.generator("set", "init", label))[:2], 8
            )
            for label in range(3)
        ]
    )
    synthetic = begun.float().div(255).sub(mean).div(std).requires_grad_()
    rate = torch.tensor(0.02, requires_grad=True)
    module = ConvNet(depth=1, width=4).build(3, 8)
    weights = {name: weight.clone().requires_grad_() for name, weight in start.items()}
    for _ in range(2):
        logits = torch.func.functional_call(module, weights, (synthetic,))
        loss = F.cross_entropy(logits, torch.arange(3).repeat_interleave(2))
        moved = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: weight - rate * by for (name, weight), by in zip(weights.items(), moved, strict=True)}
    away = torch.stack([(start[name] - end[name]).square().sum() for name in end]).sum()
    missed = torch.stack([(weights[name] - end[name]).square().sum() for name in end]).sum() / away
    by_images, by_rate = torch.autograd.grad(missed, (synthetic, rate))
    expected = ((synthetic - 20 * by_images) * std + mean).clamp(0, 1).mul(255).detach()
    assert float((20 * by_images).abs().max()) > 0.05
    assert float((pixels(found).float() - expected).abs().max()) <= 0.51
    assert found.student_lr == pytest.approx(0.02 - 0.0001 * float(by_rate), rel=1e-4)


def test_augmentation_batches_and_the_way_back_lead_elsewhere(tmp_path: Path) -> None:
    rest = f"{SHORT},lr=50,rate=0.1"
    options = ("", ",strategies=[]", ",batch=4", ",through=each", ",momentum=0.0")
    shown = [pixels(made(here(tmp_path), f"mtt:{rest}{option}")) for option in options]
    assert not any(torch.equal(shown[0], other) for other in shown[1:])


@pytest.mark.parametrize(
    ("protocol", "ipc", "expected", "source"),
    [
        ("cifar10-dc-hard", 1, {"steps": 50, "last_start": 2, "rate_lr": 1e-7, "batch": "all"}, "ipc 1"),
        ("cifar10-dc-hard", 5, {"steps": 30, "last_start": 20, "rate": 0.001}, "ipc 10; the nearest to 5"),
        ("cifar100-dc-hard", 50, {"steps": 80, "batch": 125, "lr": 1000}, "ipc 50"),
        ("tiny-imagenet-dc-hard", 10, {"steps": 20, "batch": 200, "lr": 10_000}, "ipc 10"),
        ("imagenet1k-hard", 1, {"steps": 20, "last_start": 10}, "subsets of ImageNet"),
    ],
)
def test_the_papers_values_are_by_dataset_and_images_per_class(
    protocol: str, ipc: int, expected: dict[str, Any], source: str
) -> None:
    registry = Registry()
    settings = registry.build(Compressor, "mtt").settings(registry.protocols.find(protocol), ipc)
    assert {key: settings[key].value for key in expected} == expected
    assert source in settings["steps"].source
    assert settings["iterations"] == (5000, "default")


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match=r"epoch 21 \(last_start=20, expert_epochs=2\), and experts have 10.*epochs=21"
    ):
        made(here(tmp_path), "mtt:epochs=10", ipc=10)
    with pytest.raises(UnsupportedError, match=r"begins from 13 real images.*has 12"):
        made(here(tmp_path), f"mtt:{SHORT}", ipc=13)
    assert not list((tmp_path / "cache").rglob("set.json"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("lr=1e38", "distance is nan, or its gradient not finite, in iteration 2 of 3. Lower lr"),
        ("rate_lr=1e9", "rate has become -.* in iteration . of 3, and a student needs a positive one. Lower rate_lr"),
    ],
)
def test_what_diverges_is_an_error_that_says_where(values: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DivergedImagesError, match=message):
        made(here(tmp_path), f"mtt:{SHORT},{values}")


def test_a_flat_trajectory_is_another_and_its_set_an_average(tmp_path: Path) -> None:
    rest = f"steps=2,lr=5,rate=0.1,{EXPERTS}"

    def averaged(iterations: int, values: str) -> torch.Tensor:
        return pixels(made(here(tmp_path), f"ftd:iterations={iterations},{values},{rest}"))

    plain = pixels(made(here(tmp_path), f"mtt:iterations=2,{rest}"))
    steps = [averaged(count, "rho=0,ema=0") for count in (1, 2)]
    assert torch.equal(plain, steps[1])
    assert len(experts(tmp_path)) == 2
    assert not torch.equal(averaged(2, "ema=0"), steps[1])
    assert len(experts(tmp_path)) == 4
    # Two steps x1, x2 from x0 under a decay of 1/2: x0/4 + x1/4 + x2/2.
    begun, average = averaged(1, "rho=0,ema=0.9999999"), averaged(2, "rho=0,ema=0.5").float()
    inside = torch.stack([begun, *steps]).float()
    expected = inside[0] / 4 + inside[1] / 4 + inside[2] / 2
    unclipped = ((inside > 0) & (inside < 255)).all(dim=0)
    assert float(unclipped.float().mean()) > 0.2
    assert float((average - expected)[unclipped].abs().max()) <= 1.1


def test_experts_that_seek_flat_places_are_counted_twice(tmp_path: Path) -> None:
    seen = [made(here(tmp_path), f"{method}:{SHORT}").card.images_seen for method in ("mtt", "ftd")]
    counts = [sorted(count for key, count in each.items() if key.startswith("experts")) for each in seen]
    assert counts == [[72, 72], [144, 144]]


def test_datm_widens_its_window_as_the_authors_do() -> None:
    """Upper bounds of `randint` in DATM.py, of NUS-HPC-AI-Lab/DATM at 97ae510, for IPC10.yaml of CIFAR-10."""
    registry = Registry()
    method = registry.build(Compressor, "datm")
    assert isinstance(method, TrajectoryMatching)
    settings = method.settings(registry.protocols.find("cifar10-dc-hard"), 10)
    values = {key: setting.value for key, setting in settings.items()}
    assert [method.starts(values, turn) for turn in (0, 99, 100, 550, 999, 1000, 9000)] == [
        range(10),
        range(10),
        range(11),
        range(15),
        range(19),
        range(20),
        range(20),
    ]
    settings = method.settings(registry.protocols.find("cifar10-dc-hard"), 500)
    assert method.starts({key: setting.value for key, setting in settings.items()}, 0) == range(40, 60)
    assert settings["threshold"].value == 1.0
    assert (
        settings["threshold"].source == "configs/CIFAR-10/ConvIN/IPC500.yaml of NUS-HPC-AI-Lab/DATM at 97ae510, ipc 500"
    )


TRAINED = f"last_start=2,expert_epochs=1,experts=2,epochs=8,expert_lr=0.1,expert_batch=6,rho=0,{NETWORK}"


def test_datm_begins_with_images_that_experts_get_right_and_learns_their_labels(tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    rest = f"steps=2,first_last=1,widened=1,rate_lr=0,{TRAINED}"
    still = made(surroundings, f"datm:iterations=1,threshold=0.0001,{rest}")
    assert still.soft_targets is not None
    assert torch.equal(still.soft_targets.argmax(dim=1), still.targets)
    said = []
    for name in experts(tmp_path):
        network = ConvNet(depth=1, width=4).build(3, 8)
        network.load_state_dict(load_tensors(tmp_path / "cache" / "teachers" / name / "model.safetensors"))
        with torch.no_grad():
            said.append(network((pixels(still).float() / 255 - 0.305) / 0.376))
    right = torch.stack([(logits.argmax(dim=1) == still.targets)[:, None] for logits in said])
    assert bool(right.any(dim=0).all())
    expected = (torch.stack(said) * right).sum(dim=0) / right.sum(dim=0)
    assert torch.allclose(still.soft_targets.float().softmax(1), expected.softmax(1), atol=2e-3)
    # Nothing moves beyond the threshold; below it images and labels do.
    shown = surroundings.data.canvases(torch.arange(36), 8)
    assert all(any(torch.equal(image, real) for real in shown) for image in pixels(still))
    moved = made(surroundings, f"datm:iterations=1,threshold=1000.0,labels_lr=50,{rest}")
    assert moved.soft_targets is not None
    assert not torch.equal(moved.soft_targets, still.soft_targets)


def test_datm_says_where_its_experts_get_too_few_images_right(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"the 2 experts get \d+ of 12 of class .* right. Use init=real"):
        made(here(tmp_path), f"datm:iterations=1,steps=2,first_last=1,rho=0,{EXPERTS}", ipc=12)
    with pytest.raises(RequestError, match=r"no epoch to begin at: they go from 2 up to, and without, 2"):
        made(here(tmp_path), f"datm:iterations=1,steps=2,first_last=2,first_start=2,rho=0,{EXPERTS}", ipc=12)


def test_a_paper_without_values_asks_for_them() -> None:
    registry = Registry()
    method = registry.build(Compressor, "datm")
    assert isinstance(method, TrajectoryMatching)
    settings = method.resolved(224, 1000, 10)
    assert settings["steps"] == (None, "default")
    with pytest.raises(RequestError, match=r"no values for 1000 classes at 224 px. Give batch, .*, steps"):
        method._require_values(
            {key: each.value for key, each in settings.items()}, Budget(ipc=10, classes=1000, size=224)
        )


def test_whitened_experts_are_others_and_their_set_is_stored_as_pixels(tmp_path: Path) -> None:
    still = "iterations=1,steps=2,lr=1e-9,rate=0.1,rate_lr=0"
    plain, white = (made(here(tmp_path), f"mtt:{still},{EXPERTS},zca={zca}") for zca in ("false", "true"))
    assert len(experts(tmp_path)) == 4
    assert len(list((tmp_path / "cache" / "whitenings").iterdir())) == 1
    assert torch.equal(pixels(plain), pixels(white))
    assert white.card.clamp_error < 1e-5
    moved = [
        made(here(tmp_path / folder), f"mtt:iterations=2,steps=2,lr=50,rate=0.1,{EXPERTS},zca={zca}")
        for folder, zca in (("one", "false"), ("two", "true"), ("three", "true"))
    ]
    assert moved[1].card.clamp_error > 0
    assert not torch.equal(pixels(moved[0]), pixels(moved[1]))
    assert torch.equal(pixels(moved[1]), pixels(moved[2]))


def test_canvases_that_are_too_large_to_whiten_are_refused(tmp_path: Path) -> None:
    protocol = Registry().protocols.find("digits-hard").override({"store.size": 72})
    data = images(classes=3, per_class=4, size=8)
    surroundings = context(tmp_path, data=data, protocol=protocol)
    with pytest.raises(UnsupportedError, match=r"ZCA whitening of 72 px needs a matrix of 15,552 x 15,552"):
        surroundings.compress(f"mtt:{SHORT},zca=true", data, Budget(ipc=1, classes=3, size=72))


@pytest.mark.parametrize(
    ("method", "protocol", "ipc", "depth"),
    [
        ("mtt", "cifar10-dc-hard", 10, {}),
        ("mtt", "tiny-imagenet-dc-hard", 50, {"depth": 4}),
        ("mtt", "imagenet1k-hard", 1, {"depth": 5}),
        ("ftd", "tiny-imagenet-dc-hard", 10, {"depth": 4}),
        ("datm", "cifar100-dc-hard", 10, {}),
        ("datm", "tiny-imagenet-dc-hard", 10, {"depth": 4}),
    ],
)
def test_networks_are_as_deep_as_the_papers(method: str, protocol: str, ipc: int, depth: dict[str, int]) -> None:
    registry = Registry()
    settings = registry.build(Compressor, method).settings(registry.protocols.find(protocol), ipc)
    assert settings["network"].value == Reference(name="convnet", values=depth)


@pytest.mark.parametrize(
    ("method", "ipc", "whitened"), [("mtt", 1, True), ("mtt", 50, False), ("ftd", 10, True), ("datm", 50, True)]
)
def test_what_the_authors_did_otherwise_is_shown(method: str, ipc: int, whitened: bool) -> None:
    registry = Registry()
    built, protocol = registry.build(Compressor, method), registry.protocols.find("cifar10-dc-hard")
    assert built.settings(protocol, ipc)["zca"] == (False, "default")
    assert built.published(protocol, ipc)["zca"].value is whitened
    assert set(built.deviations(protocol, ipc)) == {"iterate", "views of experts"}
    assert set(registry.build(Compressor, f"{method}:zca=true").deviations(protocol, ipc)) == {"iterate"}


def test_what_the_authors_do_not_tell_is_not_said_to_be_the_same() -> None:
    registry = Registry()
    protocol = registry.protocols.find("tiny-imagenet-dc-hard")
    value, source = registry.build(Compressor, "ftd").published(protocol, 10)["zca"]
    assert (value, source) == (None, "whether the authors whitened such images is not told")
