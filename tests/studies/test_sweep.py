"""Studies are read whole before anything runs; a sweep's runs each end on record."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import Keeping, Machine
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.records import Records
from rethinkdc.runs.resolving import Run
from rethinkdc.seeds import Seeds
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.shipped import shipped_studies
from rethinkdc.studies.study import Study
from rethinkdc.studies.sweep import carry_out, standings_of

SHORT = {"training.steps": 5, "proxy.training.epochs": 1, "proxy.scores.el2n.epochs": 1}


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}


def study(tmp_path: Path, text: str) -> Study:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return load_study(path)


def planned(tmp_path: Path, text: str) -> list[Run]:
    """On the digits, where the text says nothing else."""
    text = text if "dataset = " in text else f'dataset = "digits"\n{text}'
    return runs_of(study(tmp_path, text), "study.toml", Registry(), Cache(tmp_path / "cache"))


def run_of(run: Run) -> tuple[str, str, int]:
    return run.names.compressor, run.names.ipc, run.request.seeds.set


# -- studies -------------------------------------------------------------------------------------------------------


def test_a_study_is_the_product_of_its_lists(tmp_path: Path) -> None:
    runs = planned(tmp_path, 'compressors = ["random", "pca"]\nipc = [1, 2]\nseeds = [0, 1]')
    assert [run_of(plan) for plan in runs] == [
        (name, ipc, seed) for ipc in ("1", "2") for name in ("random", "pca") for seed in (0, 1)
    ]
    assert {plan.names.labeler for plan in runs} == {"hard"}


def test_blocks_take_from_the_top_what_they_do_not_say(tmp_path: Path) -> None:
    text = """
compressors = ["random", "pca"]
seeds = [0, 1]
[[runs]]
ipc = [1]
[[runs]]
ipc = [5]
seeds = [7]
compressors = ["random"]
"""
    assert [run_of(plan) for plan in planned(tmp_path, text)] == [
        ("random", "1", 0),
        ("random", "1", 1),
        ("pca", "1", 0),
        ("pca", "1", 1),
        ("random", "5", 7),
    ]


def test_a_run_that_is_named_twice_is_planned_once(tmp_path: Path) -> None:
    text = 'compressors = ["el2n:direction=easy", "select:score=el2n,direction=easy"]\n[[runs]]\n[[runs]]'
    assert [plan.names.compressor for plan in planned(tmp_path, text)] == ["el2n:direction=easy"]


def test_the_full_set_beside_budgets_is_run_once(tmp_path: Path) -> None:
    runs = planned(tmp_path, 'compressors = ["random", "full"]\nipc = [1, 2]')
    assert [run_of(plan)[:2] for plan in runs] == [("random", "1"), ("full", "full"), ("random", "2")]


def test_seeds_may_be_those_of_one_axis(tmp_path: Path) -> None:
    runs = planned(tmp_path, 'compressors = ["random"]\nseeds = "student=0,3"')
    assert [plan.request.seeds for plan in runs] == [Seeds(), Seeds(student=3)]


@pytest.mark.parametrize("key", ["training.steps", '"training.steps"'])
def test_overrides_mark_the_runs_modified(tmp_path: Path, key: str) -> None:
    (plan,) = planned(tmp_path, f'compressors = ["random"]\n[overrides]\n{key} = 5')
    assert plan.protocol.training.steps == 5
    assert plan.protocol.modified


def test_what_replaces_the_studys_holds_for_all_its_blocks(tmp_path: Path) -> None:
    found = study(tmp_path, 'compressors = ["random"]\ndataset = "cifar10"\n[[runs]]\nseeds = [0]\n[[runs]]\nipc = [2]')
    found = found.replaced(dataset="digits:fold=1", protocol="digits-hard", seeds="4,5")
    runs = runs_of(found, "study", Registry(), Cache(tmp_path / "cache"))
    assert {plan.names.dataset for plan in runs} == {"digits:fold=1"}
    assert [run_of(plan)[1:] for plan in runs] == [("1", 4), ("1", 5), ("2", 4), ("2", 5)]
    assert found.replaced() == found


def test_each_block_may_have_a_protocol_of_its_own(tmp_path: Path) -> None:
    text = """
compressors = ["random"]
[[runs]]
protocol = "digits-hard"
[[runs]]
protocol = "digits-soft"
labelers = ["soft", "soft-static"]
"""
    runs = planned(tmp_path, text)
    assert [(plan.names.protocol, plan.names.labeler) for plan in runs] == [
        ("digits-hard v1", "hard"),
        ("digits-soft v1", "soft"),
        ("digits-soft v1", "soft-static"),
    ]
    one = study(tmp_path, text).replaced(protocol="digits-soft")
    assert {block.protocols for block in one.blocks()} == {("digits-soft",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'compressors = ["random"]\nipcs = [1]',
            r"study\.toml, line 2: ipcs = \[1\]: no such field. Did you mean 'ipc'",
        ),
        ('compressors = ["random"]\nipc = 1', "ipc = 1: expected a list, each a whole number"),
        ('compressors = ["random"]\nipc = [1, 0]', r"ipc\[1\] = 0"),
        ('compressors = ["random"]\nseeds = [0, -1]', r"seeds\[1\] = -1"),
        ('compressors = ["random"]\nseeds = [true]', r"seeds\[0\] = true"),
        ('compressors = ["random"]\n[[runs]]\ndataset = "digits"', r"runs\[0\]\.dataset"),
        ("ipc = [1]", "the study names no compressor"),
        ('[[runs]]\ncompressors = ["random"]\n[[runs]]\nipc = [1]', r"block 2 of \[\[runs\]\] names no compressor"),
        ("compressors = ", "not valid TOML"),
    ],
)
def test_a_wrong_study_names_the_file_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        study(tmp_path, text)
    assert "study.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('compressors = ["random", "pcaa"]', r"^study\.toml, compressor 'pcaa', labeler 'hard': .*'pca'"),
        ('compressors = ["pca:grid=0"]\nipc = [3]', r"compressor 'pca:grid=0', labeler 'hard', ipc 3: .*grid = 0"),
        ('compressors = ["random"]\n[[runs]]\n[[runs]]\nlabelers = ["herd"]', r"block 2 of \[\[runs\]\].*'herd'"),
        ('compressors = ["random"]\nprotocol = "digits"', "Unknown protocol 'digits'"),
        ('compressors = ["random"]\nprotocol = "cifar10-hard"\ndataset = "digits"', "50000 training"),
        ('compressors = ["random"]\nseeds = "students=0"', r"^study\.toml: .*unknown axis 'students'"),
        ('compressors = ["random"]\nseeds = [1, 1]', "must differ"),
        ('compressors = ["random"]\n[overrides]\ntraining.stepss = 3', r"training\.stepss"),
    ],
)
def test_a_wrong_entry_is_named_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        planned(tmp_path, text)


def test_an_unknown_study_names_the_shipped_ones() -> None:
    assert "digits-small" in shipped_studies()
    with pytest.raises(RequestError, match=r"'digits-smal'.*'digits-small'.*\.toml"):
        load_study("digits-smal")
    with pytest.raises(RequestError, match=r"Cannot read the study nowhere\.toml"):
        load_study("nowhere.toml")


# -- sweeps --------------------------------------------------------------------------------------------------------


def test_a_second_sweep_runs_nothing(machine: dict[str, Any]) -> None:
    chosen = Study(dataset="digits", compressors=("random",), seeds=(0, 1), overrides={"training.steps": 5})
    first = rdc.sweep(chosen, **machine)
    assert [(record.status, record.definition.seeds.set) for record in first] == [("ok", 0), ("ok", 1)]
    assert rdc.sweep(chosen, **machine) == first
    assert len(list(Records(machine["records"]).all())) == 2
    more = rdc.sweep(chosen, seeds="0,1,2", **machine)
    assert more[:2] == first
    assert len(list(Records(machine["records"]).all())) == 3


def test_an_unsupported_run_is_recorded_once_unless_it_is_asked_for_again(machine: dict[str, Any]) -> None:
    chosen = Study(dataset="digits", compressors=("random",), ipc=(1000, 1), overrides={"training.steps": 5})
    ended = rdc.sweep(chosen, **machine)
    assert [record.status for record in ended] == ["unsupported", "ok"]
    assert "needs 1,000 training images of every class" in ended[0].reason
    assert rdc.sweep(chosen, **machine)[0].attempt == 1
    assert rdc.sweep(chosen, retry_unsupported=True, **machine)[0].attempt == 2


def test_two_processes_give_the_results_of_one(tmp_path: Path, machine: dict[str, Any]) -> None:
    """Each with a cache of its own, so that everything is computed twice."""
    chosen = Study(dataset="digits", compressors=("random", "pca"), seeds=(0, 1), overrides=SHORT)
    one = rdc.sweep(chosen, **machine)
    two = rdc.sweep(chosen, jobs=2, **{**machine, "records": tmp_path / "two", "cache_dir": tmp_path / "other"})
    assert [record.status for record in one] == ["ok"] * 4
    assert [record.key for record in two] == [record.key for record in one]
    assert [record.result_digest for record in two] == [record.result_digest for record in one]
    assert [record.environment["threads"] for record in two] == [1] * 4


def test_an_interrupt_leaves_no_process_behind(machine: dict[str, Any]) -> None:
    runner = make_runner(Machine(cache_dir=machine["cache_dir"], device="cpu"), Keeping(records=machine["records"]))
    chosen = Study(dataset="digits", compressors=("random",), ipc=(1000, 1001, 1002))
    standings = standings_of(runs_of(chosen, "study", runner.registry, runner.cache), runner.records)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(standings, runner, interrupted, jobs=2)
    assert multiprocessing.active_children() == []
