"""Estimates: from runs of the same kind, what is shared counted once, and unknown said where nobody knows."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.record import Record
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.estimating import MAKING, Estimate, RunEstimate, StageEstimate, estimate
from rethinkdc.studies.experience import Experience, recall
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.sharing import shared_by
from rethinkdc.studies.study import Study

SHORT = {
    "training.steps": 3,
    "proxy.training.epochs": 1,
    "proxy.scores.el2n.epochs": 1,
    "teacher.recipes.standard.training.epochs": 1,
}
EASY, HARD = "el2n:direction=easy", "el2n:direction=hard"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("here")
    return {"records": folder / "records", "cache_dir": folder / "cache", "device": "cpu"}


@pytest.fixture(scope="module")
def past(here: dict[str, Any]) -> list[Record]:
    """Two methods under hard labels, and one under soft ones."""
    hard = Study(dataset="digits", ipc=(1,), compressors=(EASY, HARD), overrides=SHORT)
    soft = Study(dataset="digits", ipc=(1,), compressors=("random",), labelers=("soft",), overrides=SHORT)
    return [*rdc.sweep(hard, **here), *rdc.sweep(soft, **here)]


def runner(here: dict[str, Any]) -> Runner:
    return make_runner(Machine(cache_dir=here["cache_dir"], device="cpu"), Keeping(records=here["records"]))


def planned(here: dict[str, Any], **values: Any) -> list[Run]:
    study = Study(dataset="digits", ipc=(1,), **{"overrides": SHORT, **values})
    known = runner(here)
    return runs_of(study, "study", known.registry, known.cache)


def estimated(here: dict[str, Any], runs: list[Run]) -> Estimate:
    known = runner(here)
    return estimate(runs, recall(known.records, device="cpu", threads=1), known)


def test_what_runs_share_is_found_in_the_cache_under_its_key(here: dict[str, Any], past: list[Record]) -> None:
    known = runner(here)
    (hard,) = planned(here, compressors=(EASY,))
    (soft,) = planned(here, compressors=("random",), labelers=("soft",))
    (other,) = planned(here, compressors=(EASY,), seeds=(7,))
    assert [(each.kind, each.cached) for each in shared_by(hard, known.registry, known.cache)] == [
        ("sets", True),
        ("scores", True),
        ("proxies", True),
    ]
    assert ("teachers", True, True) in [
        (each.kind, each.cached, each.of_labels) for each in shared_by(soft, known.registry, known.cache)
    ]
    assert not any(each.cached for each in shared_by(other, known.registry, known.cache))


def test_a_run_takes_what_runs_of_its_method_took_and_a_shared_proxy_counts_once(
    here: dict[str, Any], past: list[Record]
) -> None:
    runs = planned(here, compressors=(EASY, HARD), seeds=(7,))
    first, second = estimated(here, runs).runs
    took = {
        name: [record.cost.seconds for record in past if record.names.compressor == name and record.cost]
        for name in (EASY, HARD)
    }
    assert [stage.stage for stage in first.stages] == ["proxy", "selection", "labels", "training"]
    assert [stage.stage for stage in second.stages] == ["selection", "labels", "training"]
    for about, name in ((first, EASY), (second, HARD)):
        for stage in about.stages:
            assert stage.seconds == median(each[stage.stage] for each in took[name])
            assert stage.basis == "same method"
            assert set(stage.keys) == {record.key for record in past if record.names.compressor == name}
    assert first.disk
    assert first.disk > 1000


def test_a_set_that_is_there_is_not_made_again(here: dict[str, Any], past: list[Record]) -> None:
    (run,) = planned(here, compressors=(EASY,), seeds="student=5")
    (about,) = estimated(here, [run]).runs
    assert [stage.stage for stage in about.stages] == ["labels", "training"]
    assert about.disk is not None


def test_of_another_method_the_training_is_known_and_its_making_is_not(
    here: dict[str, Any], past: list[Record]
) -> None:
    (run,) = planned(here, compressors=("herding",))
    (about,) = estimated(here, [run]).runs
    assert about.unknown == (MAKING,)
    assert [(stage.stage, stage.basis) for stage in about.stages[1:]] == [
        ("labels", "same protocol"),
        ("training", "same protocol"),
    ]
    assert about.disk is None


def test_under_another_protocol_nothing_is_known(here: dict[str, Any], past: list[Record]) -> None:
    whole = estimated(here, planned(here, compressors=(EASY,), overrides={}))
    assert whole.runs[0].unknown
    assert whole.seconds() == 0
    assert whole.keys == ()


def test_a_teacher_that_is_there_is_not_trained_again(here: dict[str, Any], past: list[Record]) -> None:
    there, other = planned(here, compressors=("random",), labelers=("soft",), seeds=(0, 3))
    known, new = estimated(here, [there, other]).runs
    assert "teacher" not in [stage.stage for stage in known.stages]
    assert "teacher" in [stage.stage for stage in new.stages]


def test_records_of_other_machines_are_left_out(here: dict[str, Any], past: list[Record]) -> None:
    records = runner(here).records
    assert recall(records, device="cpu", threads=1).count == len(past)
    assert recall(records, device="cuda", threads=1).count == 0
    assert recall(records, device="cpu", threads=4).count == 0


def test_a_run_that_failed_tells_nothing(past: list[Record]) -> None:
    failed = [record.model_copy(update={"status": "failed"}) for record in past]
    assert Experience(failed).count == 0


@pytest.mark.parametrize(("jobs", "seconds"), [(1, 60.0), (2, 30.0), (3, 30.0), (60, 30.0)])
def test_side_by_side_takes_a_part_of_the_time_and_at_least_that_of_the_longest(jobs: int, seconds: float) -> None:
    runs = [
        RunEstimate(str(number), (StageEstimate("training", took), StageEstimate(MAKING, None)), (), None)
        for number, took in enumerate((10.0, 20.0, 30.0))
    ]
    whole = Estimate(tuple(runs), records=0)
    assert whole.seconds(jobs) == seconds
    assert whole.seconds(of=["0", "1"]) == 30.0
    assert whole.unknown == ("0", "1", "2")
    assert whole.disk == (0, 3)
    assert whole.of("1") is runs[1]
