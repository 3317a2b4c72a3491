"""NCFM: its losses beside the authors' code, its values, its loop written out, its networks.

Golden numbers are those of ``match_loss`` and ``cailb_loss`` in NCFM/NCFM.py and ``ConvNet`` in models/convnet.py
(depth 2, width 4, 3 classes, 8 px) of gszfwsb/NCFM at de92fb8, under float32 on a CPU, on the waves below.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts import Compressor, FullTraining, Model
from rethinkdc.contracts.context import Context
from rethinkdc.distillation import characteristic_distance, embedding, fill, form
from rethinkdc.errors import DivergedImagesError
from rethinkdc.models import build_seeded
from rethinkdc.registry.registry import Registry
from rethinkdc.storage import load_tensors
from rethinkdc.testing import context, images
from rethinkdc.types import Budget, ViewKey
from rethinkdc.views import CutMix, DifferentiableViews, Dsa

NETWORK = "network=[convnet:depth=1,width=4]"
SHORT = f"networks=2,epochs=1,batch=12,frequencies=16,{NETWORK}"


def wave(shape: tuple[int, ...], pace: float) -> Tensor:
    count = torch.Size(shape).numel()
    return torch.sin(pace * torch.arange(1, count + 1, dtype=torch.float32)).view(shape)


def here(folder: Path) -> Context:
    return context(folder, data=images(classes=3, per_class=12, size=8), protocol="digits-hard")


def made(folder: Path, method: str, ipc: int = 1) -> CompressedSet:
    surroundings = here(folder)
    return surroundings.compress(method, surroundings.data, Budget(ipc=ipc, classes=3, size=8))


def test_the_losses_and_their_gradients_are_those_of_the_authors_code() -> None:
    network = build_seeded(Registry().build("model", "convnet:depth=2,width=4"), 3, 8, 0)  # type: ignore[arg-type]
    with torch.no_grad():
        for place, parameter in enumerate(network.parameters(), start=1):
            parameter.copy_(wave(tuple(parameter.shape), 0.1 * place))
    some = wave((2, 3, 8, 8), 0.53).requires_grad_()
    with embedding(network) as embed:
        real, own = (F.normalize(embed(images), dim=1) for images in (wave((3, 3, 8, 8), 0.37), some))
    found = 300 * characteristic_distance(real.detach(), own, 2 * wave((8, 16), 0.4), 0.5, 0.5)
    assert found.item() == pytest.approx(141.256409, rel=1e-5)
    assert torch.autograd.grad(found, some)[0].norm().item() == pytest.approx(419.398834, rel=1e-4)


@pytest.mark.parametrize(
    ("protocol", "ipc", "expected"),
    [
        ("cifar10-hard", 10, ("adamw", 0.001, 60, "convnet")),
        ("cifar100-hard", 10, ("sgd", 0.01, 60, "convnet")),
        ("cifar100-hard", 50, ("adamw", 0.001, 60, "convnet")),
        ("tiny-imagenet-hard", 1, ("adamw", 0.001, 60, "convnet:depth=4")),
        ("imagenet1k-hard", 10, ("adamw", 0.001, 80, "convnet:depth=5")),
    ],
)
def test_values_are_those_of_the_authors_files(protocol: str, ipc: int, expected: tuple[object, ...]) -> None:
    method = Registry().build("compressor", "ncfm")
    assert isinstance(method, Compressor)
    found = method.settings(Registry().protocols.find(protocol), ipc)
    told = [found[name].value for name in ("optimizer", "lr", "epochs", "network")]
    assert (*told[:3], str(told[3])) == expected
    shared = [found[name].value for name in ("iterations", "factor", "batch", "frequencies", "networks", "calibration")]
    assert shared == [20_000, 2, 1024, 4096, 20, 1.0]
    assert "gszfwsb/NCFM" in found["optimizer"].source


def test_the_loop_is_that_of_the_authors_code(tmp_path: Path) -> None:
    """Written out for SGD: a network between its first and last weights, a step down each loss for each class."""
    surroundings, mean, std = here(tmp_path), 0.305, 0.376
    found = made(tmp_path, f"ncfm:iterations=2,optimizer=sgd,lr=0.02,calibration=0.5,{SHORT}")
    recipes = list((tmp_path / "cache" / "networks").iterdir())
    assert len(recipes) == 2
    ops = [Dsa(strategies=(name,)) for name in ("color", "crop", "cutout")]
    alike = DifferentiableViews(ops, size=8, shared=True)
    weights = [
        {name: load_tensors(folder / f"weights-{name:05d}.safetensors") for name in (0, 1)} for folder in recipes
    ]
    model = surroundings.method(Model, "convnet:depth=1,width=4")
    seeds = surroundings.seeds
    # Which folder is whose follows from the initial weights.
    begun = [build_seeded(model, 3, 8, seeds.of("set", "ncfm", index, "init")).state_dict() for index in range(2)]
    weights.sort(key=lambda one: not all(torch.equal(one[0][name], begun[0][name]) for name in begun[0]))

    def of_class(label: int, *names: str | int) -> Tensor:
        rows = torch.randperm(12, generator=surroundings.generator("set", *names)) + 12 * label
        return surroundings.data.canvases(rows, 8).float().div(255)

    canvases = [fill(of_class(label, "init", label)[:4], 2) for label in range(3)]
    before, speeds = torch.cat(canvases), [torch.zeros(1, 3, 8, 8) for _ in range(3)]
    between, final = (build_seeded(model, 3, 8, 0) for _ in range(2))

    def moved(label: int, loss: Tensor, own: Tensor) -> None:
        speeds[label] = 0.5 * speeds[label] + torch.autograd.grad(loss, own)[0]
        canvases[label] = (own - 0.02 * speeds[label]).detach()

    for iteration in range(2):
        draws = surroundings.generator("set", "network", iteration)
        chosen = weights[int(torch.randint(2, (1,), generator=draws))]
        share = float(torch.rand(1, generator=draws))
        final.load_state_dict(chosen[1])
        between.load_state_dict({name: share * chosen[0][name] + (1 - share) * chosen[1][name] for name in chosen[0]})
        canvases = [one.clamp(0, 1) for one in canvases]
        for label in range(3):
            own = canvases[label].clone().requires_grad_()
            key = ViewKey(seeds.of("set", "views", label), iteration, 0)
            with embedding(between) as embed:
                sides = [
                    F.normalize(embed(alike.render((some - mean) / std, key)), dim=1)
                    for some in (of_class(label, "real", label, iteration), form(own, 2))
                ]
            drawn = surroundings.generator("set", "frequencies", label, iteration)
            frequencies = torch.randn((16, sides[0].shape[1]), generator=drawn)
            moved(label, 300 * characteristic_distance(sides[0].detach(), sides[1], frequencies, 0.5, 0.5), own)
        for label in range(3):
            own = canvases[label].clone().requires_grad_()
            key = ViewKey(seeds.of("set", "calibration", label), iteration, 0)
            logits = final(alike.render((form(own, 2) - mean) / std, key))
            moved(label, 0.5 * F.cross_entropy(logits, torch.full((4,), label)), own)
    stored = found.canvases(torch.arange(3), 8).float()
    assert float((stored - torch.cat(canvases).clamp(0, 1) * 255).abs().max()) <= 0.52
    assert float((stored - before * 255).abs().max()) > 5


def test_networks_are_trained_as_in_the_authors_script(tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    method = surroundings.method(Compressor, "ncfm")
    values = {name: one.value for name, one in method.settings(surroundings.protocol, 1).items()}
    recipe = sys.modules[type(method).__module__].training_recipe(values, surroundings.protocol)
    assert isinstance(recipe, FullTraining)
    training, rate = recipe.training, recipe.training.optimizer
    assert (training.epochs, training.batch, rate.lr, rate.momentum, rate.weight_decay) == (60, 128, 0.01, 0.9, 5e-4)
    assert training.schedule.gamma == 0.2
    assert [round(one * 60) for one in training.schedule.milestones] == [40, 50]
    assert training.mix == CutMix(p=0.5)
    assert [op.strategies for op in training.views if isinstance(op, Dsa)] == [("color",), ("crop",)]


def test_a_class_moves_at_its_own_steps_alone_and_rates_fall_on_a_plateau(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a rate of nearly nothing the loss cannot fall for long: two iterations without are then the end."""
    rates = list[float]()
    original = torch.optim.AdamW.step

    def step(self: torch.optim.AdamW) -> None:
        assert sum(one.grad is not None for one in self.param_groups[0]["params"]) == 1
        rates.append(self.param_groups[0]["lr"])
        original(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    monkeypatch.setattr("rethinkdc.plugins.distillation.ncfm.PATIENCE", 1)
    made(tmp_path, f"ncfm:iterations=12,lr=1e-6,{SHORT}")
    assert len(rates) == 12 * 6
    assert rates[0] == 1e-6
    assert rates[-1] < 1e-6


def test_what_the_authors_code_does_otherwise_is_to_be_had(tmp_path: Path) -> None:
    plain = made(tmp_path / "a", f"ncfm:iterations=2,lr=0.1,{SHORT.replace('batch=12', 'batch=5')}")
    first = made(tmp_path / "b", f"ncfm:iterations=2,lr=0.1,as_published=true,{SHORT.replace('batch=12', 'batch=5')}")
    learned = made(tmp_path / "c", f"ncfm:iterations=2,lr=0.1,sampling=learned,{SHORT}")
    rows = torch.arange(3)
    seen = [one.canvases(rows, 8) for one in (plain, first, learned)]
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert plain.seen_in_cells


def test_images_that_diverge_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DivergedImagesError, match="ncfm"):
        made(tmp_path, f"ncfm:iterations=4,optimizer=sgd,lr=1e38,{SHORT}")
