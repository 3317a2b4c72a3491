"""A learned rate and learned labels: what counts where, and that records say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import rethinkdc as rdc
from rethinkdc.contracts import CompressedSet
from rethinkdc.protocol.student import student_training
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import images
from rethinkdc.training.recipe import Optimizer, Recipe

LEARNED = {"training.optimizer.learned_lr": True}


def learned_set(rate: float | None = 0.02) -> CompressedSet:
    data = images(classes=3, per_class=2, size=8)
    canvases = {"canvases": data.canvases(torch.arange(6), 8), "targets": data.targets}
    return CompressedSet.of_canvases([canvases], data.class_names, student_lr=rate)


def test_a_recipe_takes_a_learned_rate_where_it_says_so() -> None:
    fixed, open_ = (Recipe(epochs=1, optimizer=Optimizer(lr=0.5, learned_lr=learned)) for learned in (False, True))
    assert fixed.at(0.02) is fixed
    assert open_.at(None) is open_
    assert open_.at(0.02).optimizer.lr == 0.02
    assert "learned_lr" not in fixed.model_dump(mode="json")["optimizer"]


def test_a_student_is_trained_at_the_rate_of_its_set_where_the_protocol_allows_it() -> None:
    protocol = Registry().protocols.find("digits-hard")
    rates = [
        student_training(learned_set(rate), None, given, ipc=2).recipe.optimizer.lr
        for given, rate in ((protocol, 0.02), (protocol.override(LEARNED), 0.02), (protocol.override(LEARNED), None))
    ]
    assert rates == [protocol.training.optimizer.lr, 0.02, protocol.training.optimizer.lr]


@pytest.mark.parametrize(
    ("labeler", "learned_lr", "expected"),
    [
        ("hard", False, ("rate 0.02: not used, the protocol's is adamw 0.001", "labels: not used, hard has its own")),
        ("hard", True, ("rate 0.02: used", "labels: not used, hard has its own")),
        ("soft-static:source=learned", True, ("rate 0.02: used", "labels: used")),
    ],
)
def test_records_say_whether_what_was_learned_counted(
    labeler: str, learned_lr: bool, expected: tuple[str, ...], tmp_path: Path
) -> None:
    there: dict[str, Any] = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    protocol = tmp_path / "short.toml"
    protocol.write_text(
        f"""id = "short"\nversion = 1\nsummary = "Short."\nextends = "digits-{"hard" if labeler == "hard" else "soft"}"
        [training]\nsteps = 2\n[training.optimizer]\nlr = 0.001\nlearned_lr = {str(learned_lr).lower()}\n"""
    )
    pixels = torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    given: dict[str, Any] = {"protocol": str(protocol), "labeler": labeler, **there}
    learned: dict[str, Any] = {"student_lr": 0.02, "soft_targets": 5 * torch.eye(10)}
    assert rdc.evaluate(pixels, torch.arange(10), **learned, **given).told.learned == expected
    if labeler == "hard":
        assert rdc.evaluate(pixels, torch.arange(10), **given).told.learned == ()
