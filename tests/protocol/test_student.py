"""How long a student is trained, and by which recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.compressed import CompressedSet
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.student import student_training
from rethinkdc.testing import images

PROTOCOLS = Path(__file__).resolve().parents[2] / "protocols"


def digits(changes: dict[str, Any]) -> Protocol:
    return load_protocol(PROTOCOLS / "digits-hard.toml").override(changes)


def full() -> CompressedSet:
    data = images(classes=4, per_class=200)
    return CompressedSet.of_rows(data, torch.arange(len(data)))


@pytest.mark.parametrize(
    ("changes", "batch", "steps"),
    [
        ({}, 64, 600),
        # 40 images are one batch, and so many are shown at each step of the full set's training too.
        ({"training.steps": None, "training.epochs": 30}, 40, 30),
        ({"training.batch": 16}, 16, 600),
    ],
    ids=["steps by ipc", "epochs", "smaller batches"],
)
def test_the_full_set_is_trained_as_one_of_an_ipc_by_as_many_steps_of_as_many_images(
    changes: dict[str, Any], batch: int, steps: int
) -> None:
    protocol = digits({**changes, "full_at_ipc": 10})
    whole = full()
    small = student_training(CompressedSet.of_rows(whole, torch.arange(0, 800, 20)), None, protocol, ipc=10)
    large = student_training(whole, None, protocol, ipc=None)
    assert large.recipe == small.recipe == protocol.training
    assert large.length.steps == small.length.steps == steps
    assert large.length.batch == small.length.batch == min(batch, 40)
    assert large.length.rows == 800
    assert sum(len(step.rows) for step in large.length.walk(0)) == pytest.approx(large.length.views)


def test_without_an_ipc_the_full_set_is_trained_by_the_reference() -> None:
    protocol = digits({})
    assert student_training(full(), None, protocol, ipc=None).recipe == protocol.reference
