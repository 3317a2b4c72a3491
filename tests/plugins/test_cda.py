"""CDA: the curriculum of the crop."""

from __future__ import annotations

from typing import Any

import pytest

from rethinkdc.distillation import curriculum
from rethinkdc.errors import RequestError
from rethinkdc.plugins.distillation.cda import CDA
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.views import RandomResizedCrop

VALUES: dict[str, Any] = {"crop": True, "flip": True, "roll": (0, 4), "iterations": 1000}


def smallest(method: CDA, iteration: int) -> float:
    crop = method.ops(VALUES, 32, iteration)[0]
    assert isinstance(crop, RandomResizedCrop)
    assert crop.scale[1] == 1.0
    return crop.scale[0]


@pytest.mark.parametrize(("curve", "half"), [("cosine", 0.54), ("linear", 0.54), ("step", 1.0)])
def test_the_smallest_area_falls_from_one_to_its_floor_at_the_milestone(curve: Any, half: float) -> None:
    assert curriculum(0, 1000, curve) == 1.0
    assert curriculum(500, 1000, curve) == pytest.approx(half)
    assert curriculum(1000, 1000, curve) == 0.08
    assert curriculum(1500, 1000, curve) == 0.08


def test_the_cosine_is_flat_at_both_ends() -> None:
    assert curriculum(250, 1000, "cosine") == pytest.approx(0.08 + 0.92 * 0.8535534)
    assert curriculum(250, 1000, "linear") == pytest.approx(0.08 + 0.92 * 0.75)


def test_the_curriculum_spans_the_whole_run_unless_told_otherwise() -> None:
    method = CDA()
    assert [smallest(method, t) for t in (0, 500, 1000)] == pytest.approx([1.0, 0.54, 0.08])
    half = CDA(milestone=0.5, min_area=0.2)
    assert [smallest(half, t) for t in (0, 250, 500, 900)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_without_a_milestone_it_is_sre2l_and_without_crops_it_is_refused() -> None:
    assert smallest(CDA(milestone=0.0), 0) == 0.08
    with pytest.raises(RequestError, match="leaves no curriculum"):
        Registry().build("compressor", "cda:crop=false")


def test_it_crops_on_every_dataset() -> None:
    protocol: Protocol = Registry().protocols.find("cifar10-soft")
    assert CDA().settings(protocol, None)["crop"].value is True
