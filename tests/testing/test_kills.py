"""Work that is killed at any moment, and work of two ranks: methods that lose something of it are found out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rethinkdc.testing import registry_with
from rethinkdc.testing.case import Case
from rethinkdc.testing.contract import open_case
from rethinkdc.testing.kill_rules import KILLS, RANKS
from rethinkdc.testing.rule import Rule, judge
from rethinkdc.testing.verdicts import Verdict

PLUGIN = '''
import os
from typing import ClassVar, Literal
import torch
from pydantic import Field
from rethinkdc.contracts import CompressedSet, Compressor, hookimpl

class Painting(Compressor):
    """Canvases that are painted part by part, each in two steps."""
    name: ClassVar[str] = "painting"
    fault: Literal["nothing", "order", "state", "rank"] = Field(default="nothing", description="What to do wrong.")

    def rows_per_canvas(self):
        return 0

    def compress(self, data, budget, context):
        shared = context.generator("set", "painting")

        def make(index):
            draws = shared if self.fault == "order" else context.generator("set", "painting", index)
            total = torch.zeros(budget.ipc, 3, budget.size, budget.size)
            kept = context.resumable("painting")
            state = kept.restore() or {"step": 0, "total": total, "last": total}
            total, last = state["total"], state["last"]
            if self.fault == "state":
                last = torch.zeros_like(last)
            for step in range(state["step"], 2):
                last = last / 2 + torch.rand(total.shape, generator=torch.Generator().manual_seed(step))
                total = total + last
                kept.keep(lambda: {"step": step + 1, "total": total, "last": last})
            pixels = total * 30 + torch.rand(total.shape, generator=draws) * 90
            if self.fault == "rank":
                pixels = pixels + int(os.environ.get("RANK", 0))
            return {"canvases": pixels.byte(), "targets": torch.full((budget.ipc,), index)}

        return CompressedSet.of_canvases(context.parts(budget.classes, make), data.class_names)

@hookimpl
def register_methods():
    return [Painting]
'''
TriedBy = Callable[[str, Rule[Case]], Verdict]


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TriedBy]:
    """The verdict of one rule on a method whose module lies on the path."""
    # Named as its method, so that no other plugin is imported.
    (tmp_path / "painting.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "cache"))
    importlib.invalidate_caches()

    def judged(reference: str, rule: Rule[Case]) -> Verdict:
        case = open_case(reference, tmp_path / "tries", registry=registry_with("painting"))
        (verdict,) = judge(case, [rule])
        return verdict

    yield judged
    sys.modules.pop("painting", None)


@pytest.mark.promised
@pytest.mark.slow
def test_what_keeps_its_work_comes_through_kills(tried: TriedBy) -> None:
    verdict = tried("painting", KILLS)
    assert verdict.outcome == "kept", verdict.told
    # Two of each of four parts, and one of each of their two steps.
    assert verdict.told.startswith("killed at the moments ")
    assert "of 16 and begun again" in verdict.told


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["order", "state"])
def test_what_loses_something_in_a_kill_is_found_out(fault: str, tried: TriedBy) -> None:
    verdict = tried(f"painting:fault={fault}", KILLS)
    assert (verdict.outcome, verdict.differs) == ("broken", "canvases")
    assert "begun again, it differs in canvases" in verdict.told


@pytest.mark.slow
def test_two_ranks_make_what_one_makes(tried: TriedBy) -> None:
    verdict = tried("painting", RANKS)
    assert (verdict.outcome, verdict.told) == ("kept", "shared: parts, resumable")


@pytest.mark.slow
def test_what_depends_on_the_rank_is_found_out(tried: TriedBy) -> None:
    verdict = tried("painting:fault=rank", RANKS)
    assert (verdict.outcome, verdict.differs) == ("broken", "canvases")
    assert verdict.told == "2 ranks make another canvases than one process"


def test_what_keeps_nothing_is_not_tried(tried: TriedBy) -> None:
    verdict = tried("random", KILLS)
    assert verdict.outcome == "does not apply"
    assert verdict.told.startswith("it keeps no work in parts")
