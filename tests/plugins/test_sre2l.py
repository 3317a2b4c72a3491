"""SRe2L: a whole batch against the authors' loop, written out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rethinkdc.distillation.priors import mean_norm, total_variation
from rethinkdc.seeds import generator
from rethinkdc.types import ViewKey
from rethinkdc.views import DifferentiableViews, Flip, RandomResizedCrop, Roll

ITERATIONS, LR = 6, 0.25


@pytest.mark.parametrize("crop", [False, True])
def test_a_batch_is_that_of_the_authors_loop(crop: bool, inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    flag = str(crop).lower()
    found = inversions.made(surroundings, f"sre2l:iterations={ITERATIONS},crop={flag},flip={flag},roll=[-4,4]", ipc=1)
    teacher = surroundings.teacher()
    labels = torch.arange(4)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (teacher.mean, teacher.std))
    x = torch.randn((4, 3, 8, 8), generator=surroundings.generator("set", "inversion-start", 0)).requires_grad_()
    ops = [*([RandomResizedCrop(), Flip()] if crop else []), Roll(low=-4, high=4)]
    views = DifferentiableViews(ops, size=8, shared=True)
    adam = torch.optim.Adam([x], lr=LR, betas=(0.5, 0.9), eps=1e-8)
    norms = [layer for layer in teacher.module.modules() if isinstance(layer, nn.BatchNorm2d)]
    seen: list[Tensor] = []
    for layer in norms:
        layer.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    for iteration in range(ITERATIONS):
        for group in adam.param_groups:
            group["lr"] = 0.5 * (1 + math.cos(math.pi * iteration / ITERATIONS)) * LR
        adam.zero_grad()
        seen.clear()
        key = ViewKey(surroundings.seeds.of("set", "inversion-views"), iteration, 0)
        loss = F.cross_entropy(teacher.module(views.render(x, key)), labels)
        for index, (layer, given) in enumerate(zip(norms, seen, strict=True)):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            flat = given.permute(1, 0, 2, 3).flatten(1)
            term = (layer.running_var - flat.var(1, unbiased=False)).norm() + (layer.running_mean - flat.mean(1)).norm()
            loss = loss + 0.01 * (10 if index == 0 else 1) * term
        loss.backward()
        adam.step()
        with torch.no_grad():
            x.copy_(torch.maximum(torch.minimum(x, (1 - mean) / std), -mean / std))
    expected = ((x.detach() * std + mean) * 255).clamp(0, 255)
    off = (inversions.canvases(found).float() - expected).abs()
    # Rounded, not truncated; a pixel may lie on the other side of a half by the order of additions.
    assert float(off.max()) < 0.6
    assert float((off > 0.5).float().mean()) < 0.02
    assert found.targets.tolist() == [0, 1, 2, 3]


def test_the_priors_weights_reach_the_optimisation(inversions: Any, tmp_path: Path) -> None:
    watched = inversions.watch()
    for options in ("", ",tv=0.1,l2=0.2", ",l2=0.3"):
        inversions.made(inversions.here(tmp_path), f"sre2l:iterations=1,batch=4{options}", ipc=1)
    shown = torch.randn((2, 3, 4, 5), generator=generator(0))
    none, both, norm = (call["prior"] for call in watched.calls)
    assert none is None
    assert torch.equal(both(shown), 0.1 * total_variation(shown) + 0.2 * mean_norm(shown))
    assert torch.equal(norm(shown), 0.3 * mean_norm(shown))
