"""Each rule of view ops is broken by an op that breaks nothing else, and the framework's own keep all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.registry.registry import Registry
from rethinkdc.testing.checking import Subject, check_subject
from rethinkdc.testing.rule import NOBODY, judge
from rethinkdc.testing.verdicts import Verdict
from rethinkdc.testing.view_op_rules import VIEW_OP_RULES, ViewOpCase
from rethinkdc.views.base import DifferentiableOp
from rethinkdc.views.op import OWN_OPS, ViewOp

REGISTRY = Registry()
Fault = Literal["", "dtype", "draws", "deaf", "batch", "uniforms", "seeded", "written", "blind"]


class Dim(DifferentiableOp):
    """Shows views darker, each by its own share."""

    view_uniforms: ClassVar[int] = 1
    op: Literal["dim"] = "dim"
    fault: Fault = Field(default="", description="What to do wrong.")

    def place(self, per_view: Tensor, per_batch: Tensor, sizes: Tensor) -> Tensor:
        placed = per_view[:, 0].clone()
        if self.fault == "uniforms":
            per_view.zero_()
        return torch.full_like(placed, 0.5) if self.fault == "deaf" else placed

    def render(self, pixels: Tensor, placed: Tensor) -> Tensor:
        if self.fault == "draws":
            placed = torch.rand(len(placed), generator=torch.Generator().manual_seed(torch.seed() % 1000))
        if self.fault == "seeded":
            torch.manual_seed(0)
        if self.fault == "batch":
            placed = placed / placed.max()
        shown = pixels * placed[:, None, None, None]
        return shown if self.fault == "dtype" else shown.to(torch.uint8)

    def warp(self, images: Tensor, placed: Tensor) -> Tensor:
        if self.fault == "written":
            images.data.zero_()
        shown = images * placed[:, None, None, None]
        return shown.detach() if self.fault == "blind" else shown


class Known(Registry):
    """Knows the op of this test."""

    def __init__(self) -> None:
        super().__init__()
        self.view_ops.find = lambda names: dict.fromkeys(names, Dim)  # type: ignore[method-assign]


def broken(op: ViewOp, folder: Path) -> list[Verdict]:
    verdicts = judge(ViewOpCase(op, Known(), folder), VIEW_OP_RULES)
    return [verdict for verdict in verdicts if verdict.outcome == "broken"]


@pytest.mark.parametrize("name", sorted(OWN_OPS))
def test_the_frameworks_own_ops_keep_every_rule(name: str, tmp_path: Path) -> None:
    given = ":high=8" if name == "roll" else ""
    report = check_subject(
        Subject("view-op", name + given),
        REGISTRY,
        tmp_path,
        quick=False,
        device="cpu",
        varies_with=None,
        listener=NOBODY,
        cache_folder=tmp_path,
    )
    assert not report.broken, report.sentences()
    assert [verdict.rule for verdict in report.verdicts] == [rule.name for rule in VIEW_OP_RULES]


def test_an_op_without_fault_keeps_every_rule(tmp_path: Path) -> None:
    assert broken(Dim(), tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "rule", "said"),
    [
        ("dtype", "works", "expected uint8, found float64"),
        ("deaf", "seeds", "it shows the same views under 8 other seeds"),
        ("batch", "one by one", "is another when it is asked for by itself"),
        ("uniforms", "untouched", "place changes the numbers"),
        ("seeded", "process", "global random state of torch"),
        ("written", "floats", "warp changes the images"),
        ("blind", "floats", "no gradient comes through warp"),
    ],
)
def test_a_fault_breaks_its_rule_alone(fault: Fault, rule: str, said: str, tmp_path: Path) -> None:
    (verdict,) = broken(Dim(fault=fault), tmp_path)
    assert verdict.rule == rule
    assert said in verdict.told


def test_draws_of_its_own_are_found_out(tmp_path: Path) -> None:
    rules = {verdict.rule for verdict in broken(Dim(fault="draws"), tmp_path)}
    assert rules == {"repeats", "process"}


def test_a_parameter_that_is_needed_is_named(tmp_path: Path) -> None:
    given: dict[str, Any] = {"quick": True, "device": "cpu", "varies_with": None, "listener": NOBODY}
    report = check_subject(Subject("view-op", "roll"), REGISTRY, tmp_path, cache_folder=tmp_path, **given)
    assert not report.kept
    assert report.sentences() == ""
    assert report.verdicts[0].told.startswith("high: Field required; name its parameters")
