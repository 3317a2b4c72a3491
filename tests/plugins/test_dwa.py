"""DWA: the ascent of a copy of the teacher, the real images that it begins with, and the teacher that stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.data import rows_by_class
from rethinkdc.distillation.recovering import Batch, initial_rows
from rethinkdc.models import build_seeded, weights_digest
from rethinkdc.plugins.distillation.dwa import DWA, adjusted
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import generator
from rethinkdc.testing import images

LABELS = torch.tensor([0, 1, 2, 0])


def network() -> nn.Module:
    model: Any = Registry().build("model", "convnet:depth=1,width=4,norm=batch")
    return build_seeded(model, 3, 8, 0).eval().requires_grad_(False)


def shown() -> Tensor:
    return torch.randn((4, 3, 8, 8), generator=generator(0))


def moved(before: nn.Module, after: nn.Module) -> Tensor:
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return torch.cat([(new - old).flatten() for old, new in pairs])


def test_one_step_is_rho_along_the_normalised_gradient() -> None:
    module = network()
    found = adjusted(module, shown(), LABELS, 1, 0.015)
    free = network().requires_grad_(True)
    gradients = torch.autograd.grad(F.cross_entropy(free(shown()), LABELS), list(free.parameters()))
    gradient = torch.cat([part.flatten() for part in gradients])
    assert torch.allclose(moved(module, found), 0.015 * gradient / gradient.norm(), atol=1e-7)


def test_steps_go_up_and_their_lengths_add_up_to_rho() -> None:
    module = network()
    losses = []
    for steps in (0, 1, 12):
        found = adjusted(module, shown(), LABELS, steps, 0.5)
        losses.append(float(F.cross_entropy(found(shown()), LABELS)))
        assert float(moved(module, found).norm()) <= 0.5 + 1e-5
        assert not any(parameter.requires_grad for parameter in found.parameters())
        assert not found.training
    assert losses[0] < losses[1] <= losses[2] * 1.01
    assert torch.equal(
        moved(module, adjusted(module, shown(), LABELS, 0, 0.5)), torch.zeros(1).expand_as(moved(module, module))
    )


def test_the_network_itself_stays_as_it_was() -> None:
    module = network()
    before = weights_digest(module)
    found = adjusted(module, shown(), LABELS, 12, 0.5)
    assert weights_digest(module) == before
    assert not any(parameter.requires_grad for parameter in module.parameters())
    for name, buffer in module.named_buffers():
        assert torch.equal(found.get_buffer(name), buffer)


def test_every_batch_adjusts_the_teacher_afresh(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[nn.Module, str]] = []

    def watched(module: nn.Module, *others: Any) -> nn.Module:
        given.append((module, weights_digest(module)))
        copied: nn.Module = adjusted(module, *others)
        return copied

    monkeypatch.setattr("rethinkdc.plugins.distillation.dwa.adjusted", watched)
    recovered = inversions.watch()
    inversions.made(inversions.here(tmp_path), "dwa:iterations=2,batch=2,rho=0.5")
    assert len(given) == 4
    assert len({before for _, before in given}) == 1
    assert {weights_digest(module) for module, _ in given} == {given[0][1]}
    # Each batch goes its own way, and none inverts the teacher itself.
    inverted = [digest for call in recovered.calls for digest in call["digests"]]
    assert len({*inverted, given[0][1]}) == 5
    assert [call["recipe"].variance for call in recovered.calls] == [11.0] * 4


def test_images_begin_as_different_real_ones_of_their_class(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    watched = inversions.watch()
    inversions.made(surroundings, "dwa:iterations=1,batch=3")
    teacher, data = surroundings.teacher(), surroundings.data
    store = surroundings.protocol.store
    real = teacher.normalised(data.canvases(torch.arange(len(data)), 8, store.fit, store.interpolation))
    rows = []
    for call in watched.calls:
        for image, label in zip(call["start"], call["labels"].tolist(), strict=True):
            (row,) = (real == image).flatten(1).all(dim=1).nonzero().flatten().tolist()
            assert int(data.targets[row]) == label
            rows.append(row)
    assert len(set(rows)) == 8


def test_a_class_gives_each_of_its_images_before_one_comes_again() -> None:
    shuffled = rows_by_class(images(classes=2, per_class=3).targets, 2, torch.randperm(6, generator=generator(5)))
    rows = [int(initial_rows(shuffled, Batch(torch.tensor([1]), torch.tensor([copy])))) for copy in range(6)]
    assert sorted(rows[:3]) == [3, 4, 5]
    assert rows[3:] == rows[:3]
    both = initial_rows(shuffled, Batch(torch.tensor([0, 1]), torch.tensor([0, 0])))
    assert int(both[1]) == rows[0]
    assert int(both[0]) < 3


def test_the_weight_of_variances_may_be_given() -> None:
    values = {"iterations": 1, "lr": 0.1, "bn_weight": 0.01, "first_bn": 10.0, "bn_variance": 3.0}
    assert DWA().recipe(values).variance == 3.0
