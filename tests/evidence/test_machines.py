"""Records of several machines: the one that asks comes first, and a mix is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.cli.seed_lines import print_comparison, write_seed
from rethinkdc.evidence.calls import CompareCall
from rethinkdc.evidence.comparing import answer_comparison, ask_comparison
from rethinkdc.evidence.question import Progressing
from rethinkdc.evidence.wording import tell_comparison, tell_machines
from rethinkdc.evidence.writing import describe_answer
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.comparison import difference_to_random
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records

STEPS = {"training.steps": 2}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu", "dataset": "digits"}


def elsewhere(record: Record, accuracy: float) -> Record:
    """The same run, as a machine with another device would have recorded it."""
    assert record.evaluation is not None
    evaluation = record.evaluation.model_copy(update={"metrics": {**record.evaluation.metrics, "top1": accuracy}})
    environment = {**record.environment, "device": "cuda"}
    return record.model_copy(update={"evaluation": evaluation, "environment": environment})


def test_random_of_the_same_machine_counts_and_another_is_marked(
    place: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, noise = (rdc.run(name, "hard", ipc=1, overrides=STEPS, **place) for name in ("random", "noise"))
    only = Records(tmp_path / "other")
    only.add(elsewhere(random, 0.9))
    found = difference_to_random(noise, only, Registry())
    assert found is not None
    assert found.difference == pytest.approx(noise.results["top1"] - 0.9)
    assert found.mixed == "random on cuda (1 thread); this on cpu (1 thread)"
    assert found.mixed in write_seed(noise, only, found, spent=None)
    print_comparison([noise], [found], "")
    assert f"Machines are mixed, so that differences are not of the methods alone: {found.mixed}." in (
        capsys.readouterr().out
    )
    only.add(random)
    beside = difference_to_random(noise, only, Registry())
    assert beside is not None
    assert not beside.mixed
    assert beside.difference == noise.results["top1"] - random.results["top1"]


def test_a_question_takes_what_its_machine_made_and_tells_a_mix(place: dict[str, Any], tmp_path: Path) -> None:
    call = CompareCall(["noise"], ipc=1, seeds="0,", out=tmp_path / "asked", **place)
    runner = make_runner(call, call)
    question = ask_comparison(call, runner)
    random, noise = (rdc.run(name, "hard", ipc=1, **place) for name in ("random", "noise"))
    others = replace(runner, records=Records(tmp_path / "other"))
    others.records.add(elsewhere(random, 0.9))
    others.records.add(noise)
    mixed = answer_comparison(Progressing(question, question.standings(others)))
    said = "Machines are mixed, so that differences are not of the methods alone: "
    assert f"{said}noise on cpu (1 thread); random on cuda (1 thread)." in tell_comparison(mixed)
    rows = {one["method"]: one for one in describe_answer(mixed)["contenders"]}
    assert rows["random"]["machines"] == ["cuda (1 thread)"]
    assert rows["random"]["values"] == {"0": 0.9}
    others.records.add(random)
    alike = answer_comparison(Progressing(question, question.standings(others)))
    assert not any("mixed" in line for line in tell_comparison(alike))
    assert {one.method: dict(one.outcome.values) for one in alike.contenders}["random"] == {0: random.results["top1"]}
    assert tell_machines({one.method: one.outcome for one in alike.contenders}) == ()
