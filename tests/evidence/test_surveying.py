"""Families as questions: what is run and in which order, and what is refused; nothing is trained here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.compressed import export_folder, set_of_tensors
from rethinkdc.errors import RequestError
from rethinkdc.evidence.calls import RobustCall
from rethinkdc.evidence.surveying import FamilyQuestion, Trial, ask_sensitivity, runs_to_make
from rethinkdc.runs.machine import make_runner
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.study import Study

AXES: dict[str, Any] = {"training.batch": [10, 5], "student": ["convnet:depth=1,width=8", "convnet:depth=1,width=4"]}


def ask(tmp_path: Path, *, call: dict[str, Any] | None = None, **changes: Any) -> FamilyQuestion:
    values: dict[str, Any] = {
        "protocol": "digits-hard",
        "compressors": ("random", "noise"),
        "ipc": (1,),
        "seeds": (0, 1),
        "axes": AXES,
    }
    where = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu", "out": tmp_path / "out"}
    asked = RobustCall(study=Study(**{**values, **changes}), **{**where, **(call or {})})
    return ask_sensitivity(asked, make_runner(asked, asked))


def test_a_setting_is_done_before_the_next_begins(tmp_path: Path) -> None:
    question = ask(tmp_path)
    runs = [
        (run.request.overrides["training.batch"], run.names.student, run.names.compressor, run.seeds.set)
        for run in question.runs
    ]
    assert runs[:4] == [(10, AXES["student"][0], name, seed) for name in ("random", "noise") for seed in (0, 1)]
    assert len(runs) == 16
    assert list(question.parts) == [Trial(number, name) for number in (1, 2, 3, 4) for name in ("random", "noise")]
    assert question.name_part(question.runs[4]) == "setting 2, random"


def test_the_study_that_is_written_asks_for_the_same_runs(tmp_path: Path) -> None:
    question = ask(tmp_path)
    call: dict[str, Any] = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    asked = RobustCall(study=question.write(), **call)
    runner = make_runner(asked, asked)
    swept = runs_of(load_study(question.folder / "study.toml"), "study", runner.registry, runner.cache)
    assert [run.key for run in swept] == [run.key for run in question.runs]
    again = ask_sensitivity(asked, runner)
    assert [run.key for run in again.runs] == [run.key for run in question.runs]
    assert again.folder == Path("evidence/robust-study")


def test_shards_part_the_runs(tmp_path: Path) -> None:
    question = ask(tmp_path)
    parts = [runs_to_make(question, RobustCall(study="x", shard=f"{number}/3")) or [] for number in range(3)]
    assert sorted(run.key for part in parts for run in part) == sorted(run.key for run in question.runs)
    assert runs_to_make(question, RobustCall(study="x")) is None
    assert runs_to_make(question, RobustCall(study="x", shard="0/3", on_record=True)) == []
    with pytest.raises(RequestError, match="--shard 3/3"):
        runs_to_make(question, RobustCall(study="x", shard="3/3"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {}}, r"declares no family of protocols: robust needs \[axes\]"),
        ({"seeds": (0,)}, "its seeds give 1 set of each method, and robust needs 2 at least"),
        ({"seeds": "student=0,1"}, "its seeds give 1 set"),
        ({"compressors": ("random",)}, "robust compares methods, and the study names random alone"),
        ({"compressors": ("random", "full")}, "full is one set, and robust needs 2 of each method"),
        (
            {"protocol": "digits-soft", "axes": {"soft.temperature": [1.0, 4.0], "labels": [
                {"name": "hard", "labeler": "hard", "track": "any"}, {"name": "soft", "labeler": "soft"}
            ]}},
            r"setting 1 .*: soft\.temperature does nothing under hard labels, .* would count twice",
        ),
        ({"axes": {"training.batch": [10, 5], "teacher": ["trained", "trained:recipe=weak"]}}, "are one experiment"),
    ],
)  # fmt: skip
def test_what_would_count_wrongly_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        ask(tmp_path, **changes)
    assert not (tmp_path / "out").exists()


def test_a_finished_set_is_refused(tmp_path: Path) -> None:
    draws = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8, generator=draws)
    export_folder(set_of_tensors(images, torch.arange(10)), tmp_path / "made", size=8)
    with pytest.raises(RequestError, match="is one set, and robust needs 2 of each method"):
        ask(tmp_path, compressors=("random", str(tmp_path / "made")))


def test_another_protocol_for_the_whole_study_is_refused_beside_an_axis_of_protocols(tmp_path: Path) -> None:
    axes = {
        "labels": [
            {"name": "a", "protocol": "digits-hard"},
            {"name": "b", "protocol": "digits-hard", "training.steps": 5},
        ]
    }
    assert len(ask(tmp_path, protocol=None, axes=axes).runs) == 8
    with pytest.raises(RequestError, match="protocol is set by an axis, and protocol for the whole study"):
        ask(tmp_path, protocol=None, axes=axes, call={"protocol": "digits-hard"})
