"""MixUp beside numbers of its authors' code (``mixup.json`` says how), and timm's and torchvision's, run here."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.training import HardTargets
from rethinkdc.types import ViewBatch, ViewKey
from rethinkdc.views import MixUp

READ = json.loads(Path(__file__).with_name("mixup.json").read_text())
KEPT = READ["inputs"]["kept"]


def pixels() -> Tensor:
    return torch.tensor(READ["inputs"]["pixels"], dtype=torch.uint8).contiguous(memory_format=torch.channels_last)


def mixed(partner: Tensor, kept: float = KEPT) -> Tensor:
    return MixUp().render(pixels(), torch.tensor([kept], dtype=torch.float64), partner)


def test_views_and_losses_are_those_of_its_authors() -> None:
    partner, targets = (torch.tensor(READ["inputs"][name]) for name in ("partner", "targets"))
    views = mixed(partner)
    assert views.flatten().tolist() == pytest.approx(
        torch.tensor(READ["outputs"]["mixed"]).flatten().tolist(), abs=1e-6
    )
    batch = ViewBatch(
        pixels=views,
        rows=torch.arange(5),
        hard=targets,
        key=ViewKey(0, 0, 0),
        partner_rows=partner,
        partner_hard=targets[partner],
        area=MixUp().area(torch.tensor([KEPT], dtype=torch.float64), 2, 5),
    )
    supervision = HardTargets()
    losses = supervision.loss(torch.tensor(READ["inputs"]["logits"]), supervision.targets(batch))
    assert losses.tolist() == pytest.approx(READ["outputs"]["loss"], abs=1e-6)


def test_views_are_those_of_torchvision_whose_partner_is_the_view_before() -> None:
    from torchvision.transforms.v2 import MixUp as TorchvisionMixUp

    images = pixels().float() / 255
    params = {"lam": KEPT, "labels": None, "batch_size": 5}
    theirs = TorchvisionMixUp(num_classes=3).transform(images, params)
    torch.testing.assert_close(mixed(torch.arange(5).roll(1)), theirs, rtol=0, atol=1e-6, check_stride=False)


def test_views_are_those_of_timm_whose_partner_comes_from_the_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # It ships no types.
    timms: Any = import_module("timm.data.mixup")
    images = pixels().float() / 255
    made = timms.Mixup(mixup_alpha=0.8, num_classes=3)
    monkeypatch.setattr(made, "_params_per_batch", lambda: (KEPT, False))
    assert made._mix_batch(images) == KEPT
    torch.testing.assert_close(mixed(torch.arange(5).flip(0)), images, rtol=0, atol=1e-6, check_stride=False)


@pytest.mark.parametrize("alpha", [0.2, 0.8])
def test_shares_are_drawn_as_timm_draws_them(alpha: float) -> None:
    """Quantiles of 20,000 of numpy's draws, as timm takes them, at those of ours: within five standard errors."""
    import numpy as np

    theirs = np.sort(np.random.default_rng(0).beta(alpha, alpha, 20_000))
    for quantile in (0.1, 0.3, 0.5, 0.7, 0.9):
        below = float((theirs < MixUp(alpha=alpha).kept(quantile)).mean())
        assert abs(below - quantile) < 5 * (quantile * (1 - quantile) / 20_000) ** 0.5
