"""Families of protocols: axes as studies write them, the settings that they make, and axes that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.planning import runs_by_point, runs_of
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.study import Study
from rethinkdc.studies.writing import write_study

TEXT = """
title = "A family"
dataset = "digits"
compressors = ["random", "noise"]
ipc = [1]
seeds = [0, 1]
students_per_set = 2
settings = 4

[overrides]
training.steps = 4

[axes]
labels = [
  { name = "hard", protocol = "digits-hard", labeler = "hard" },
  { name = "soft 4", protocol = "digits-soft", labeler = "soft", soft.temperature = 4.0 },
]
student = ["convnet:depth=1,width=64,norm=group", "convnet:depth=1,width=8"]
training.batch = [64, 5]
"""


def study(**changes: Any) -> Study:
    values: dict[str, Any] = {
        "protocol": "digits-hard",
        "compressors": ("random", "noise"),
        "ipc": (1,),
        "seeds": (0, 1),
        "axes": {"training.batch": [64, 5], "training.optimizer.lr": [0.003, 0.001]},
    }
    return Study(**{**values, **changes})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(TEXT)
    return tmp_path / "mine.toml"


def test_a_setting_is_one_level_of_every_knob(file: Path) -> None:
    family = load_study(file).family
    assert family is not None
    assert [knob.name for knob in family.knobs] == ["labels", "student", "training.batch"]
    assert str(family.design) == "orthogonal array OA(4, 2^3), a regular fraction of 8 settings, resolution III"
    first, *_, last = family.settings
    assert (first.number, last.number) == (1, 4)
    assert str(first) == "labels=hard, student=convnet:depth=1,width=64,norm=group, training.batch=64"
    assert first.overrides == {"training.batch": 64}
    assert last.sets == {
        "protocol": "digits-soft",
        "labeler": "soft",
        "soft.temperature": 4.0,
        "student": "convnet:depth=1,width=8",
        "training.batch": 64,
    }


def test_every_run_is_made_under_every_setting_with_students_of_its_own(file: Path, tmp_path: Path) -> None:
    registry, cache = Registry(), Cache(tmp_path / "cache")
    found = runs_by_point(load_study(file), str(file), registry, cache)
    assert len(found) == 4 * 2 * 2 * 2
    seeds = [(run.seeds.set, run.seeds.student, run.seeds.proxy) for _, run in found[:4]]
    assert seeds == [(0, 0, 0), (0, 2, 0), (1, 1, 1), (1, 3, 1)], "the first student of a set has the set's seed"
    last = found[-1][1]
    assert last.protocol.overrides == {"training.steps": 4, "soft.temperature": 4.0, "training.batch": 64}
    assert last.names.labeler == "soft"
    assert last.names.student == "convnet:depth=1,width=8"
    assert last.request.setting.startswith("mine, setting 4: labels=soft 4, student=convnet:depth=1,width=8, ")
    digests = {run.protocol.digest for _, run in found}
    assert len(digests) == 4, "each setting is a whole protocol of its own"


def test_the_setting_that_is_the_protocol_shares_its_records(tmp_path: Path) -> None:
    registry, cache = Registry(), Cache(tmp_path / "cache")
    family = runs_of(study(), "a", registry, cache)
    plain = runs_of(study(axes={}), "b", registry, cache)
    assert {run.key for run in plain} == {run.key for run in family if not run.modified}
    assert len(family) == 4 * len(plain)


def test_what_is_written_reads_back_as_the_same_runs(file: Path, tmp_path: Path) -> None:
    read = load_study(file)
    (tmp_path / "again.toml").write_text(write_study(read))
    again = load_study(tmp_path / "again.toml")
    assert again == read
    assert again.family == read.family


def test_a_value_of_an_axis_may_be_a_list_and_teacher_is_a_word_for_the_one_in_use() -> None:
    family = study(
        axes={
            "training.views": [[], [{"op": "flip"}]],
            "teacher": ["trained", "trained:recipe=weak"],
            "training": {"schedule": [{"name": "cosine"}, {"name": "constant"}]},
        }
    ).family
    assert family is not None
    assert [knob.name for knob in family.knobs] == ["training.views", "teacher", "training.schedule"]
    assert family.settings[-1].sets == {
        "training.views": [{"op": "flip"}],
        "teacher.use": "trained:recipe=weak",
        "training.schedule.name": "constant",
    }


def test_long_values_that_begin_alike_keep_their_whole_names() -> None:
    crops = [[{"op": "random-resized-crop", "scale": [least, 1.0]}] for least in (0.25, 0.08)]
    family = study(axes={"training.views": crops}).family
    assert family is not None
    assert [level.name for level in family.knobs[0].levels] == [
        f'[{{"op":"random-resized-crop","scale":[{least},1.0]}}]' for least in (0.25, 0.08)
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": {"training.batch": [64]}}, "training.batch = .64.: expected a list of at least two levels"),
        ({"axes": {"training.batch": 64}}, "expected a list of at least two levels"),
        ({"axes": {"training.batch": [64, 64]}}, 'the axis training.batch has the level "64" twice'),
        ({"axes": {"studnet": ["a", "b"]}}, "'studnet' is no value of a protocol. Did you mean 'student'"),
        ({"axes": {"labels": [{"labeler": "hard"}, {"labeler": "soft"}]}}, "each of its levels needs a name"),
        (
            {"axes": {"labels": [{"name": "a", "labler": "x"}, {"name": "b"}]}},
            "'labler' is no key of a protocol. Did",
        ),
        ({"axes": {"x": [{"name": "a", "training.batch": 2}, {"name": "a", "training.batch": 3}]}}, "twice"),
        ({"axes": {"training.schedule": [1, 2], "training.schedule.name": ["a", "b"]}}, "or what it lies in"),
        (
            {"settings": 3},
            "3 settings are too few .*: 4 are needed. Raise settings",
        ),
        ({"axes": {}, "settings": 4}, "settings = 4 counts settings of .axes., and the study has none"),
        (
            {"axes": {"protocol": ["digits-hard", "digits-soft"]}},
            "protocol is set by an axis, and protocol for the",
        ),
        ({"overrides": {"training.batch": 3}}, "training.batch is set by an axis, and training.batch for the whole"),
        ({"labelers": ("hard", "soft")}, "has several labelers too"),
        ({"ipc": (1, 2)}, "has several sizes too"),
        ({"runs": ({"ipc": (1,)},)}, r"has \[\[runs\]\] too"),
        ({"students": ("a", "b")}, "has students too"),
    ],
)
def test_axes_that_say_nothing_or_too_much_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        study(**changes).blocks()


def test_a_key_that_no_protocol_has_is_named_with_the_setting(tmp_path: Path) -> None:
    wrong = study(axes={"training.bacth": [64, 5]})
    with pytest.raises(RequestError, match=r"setting 1 \(training\.bacth=64\).*has no value 'training\.bacth'|bacth"):
        runs_of(wrong, "mine", Registry(), Cache(tmp_path / "cache"))


def test_a_fault_of_axes_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(TEXT.replace("[64, 5]", "[64]"))
    with pytest.raises(RequestError, match=r"bad\.toml: axes: the axis training\.batch"):
        load_study(path)
