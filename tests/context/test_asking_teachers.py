"""Runs that ask teachers: what defines them, what marks them, what they cost and tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import save_file

import rethinkdc as rdc
from rethinkdc.compressed import CompressedSet
from rethinkdc.context.cache import Cache
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RequestError
from rethinkdc.models import build_seeded
from rethinkdc.notes import merge_notes
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import Records
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run
from rethinkdc.runs.runner import Runner
from rethinkdc.types import Budget, Images

WEAKER = {"teacher.recipes.standard.training.epochs": 1}
SHORT = {"training.steps": 4, **WEAKER}


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu", "dataset": "digits"}


def plan(tmp_path: Path, compressor: str, labeler: str = "hard", **request: Any) -> Run:
    return resolve_run(Request(compressor, labeler, dataset="digits", **request), Registry(), Cache(tmp_path / "cache"))


def test_another_teacher_is_another_run_of_what_asks_it_and_the_same_of_what_does_not(tmp_path: Path) -> None:
    """Under hard labels the protocol's digest does not know the teachers."""
    plain, changed = plan(tmp_path, "random"), plan(tmp_path, "random", overrides=WEAKER)
    assert plain.key == changed.key
    assert not changed.modified
    asking, other = plan(tmp_path, "rded"), plan(tmp_path, "rded", overrides=WEAKER)
    assert asking.key != other.key
    assert other.modified
    assert not asking.modified
    soft = plan(tmp_path, "random", "soft", overrides=WEAKER)
    assert soft.modified
    assert soft.key != plan(tmp_path, "random", "soft").key


def test_a_protocols_teacher_from_a_file_counts_by_its_content(tmp_path: Path) -> None:
    model = Registry().build("model", "convnet:depth=1,width=8")
    paths = [tmp_path / name for name in ("one.safetensors", "two.safetensors", "three.safetensors")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        save_file(build_seeded(model, 10, 8, seed).state_dict(), path)  # type: ignore[arg-type]
    use = [f'checkpoint:path="{path}",model=[convnet:depth=1,width=8]' for path in paths]
    definitions = [plan(tmp_path, "rded", overrides={"teacher.use": text}).definition for text in use]
    asked = [found.compressor_teachers["use"] for found in definitions if found.compressor_teachers]
    assert asked[0] == asked[1] != asked[2]


def test_a_raised_revision_of_a_teachers_model_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan(tmp_path, "rded").key
    monkeypatch.setattr(Registry().find("model", "convnet"), "revision", 7)
    assert plan(tmp_path, "rded").key != before


def test_a_teacher_that_cannot_be_had_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no teacher recipe 'nosuch'"):
        plan(tmp_path, "random", "soft:teachers=[trained:recipe=nosuch]")
    with pytest.raises(RequestError, match="tells 1000 classes apart, and the data has 10"):
        plan(tmp_path, "rded:teacher=torchvision/resnet18")


def test_hard_labels_on_a_set_that_a_teacher_made_are_compared_with_random(
    machine: dict[str, Any], tmp_path: Path
) -> None:
    from rethinkdc.runs.comparison import difference_to_random

    random = rdc.run("random", "hard", ipc=2, overrides={"training.steps": 4}, **machine)
    made = rdc.run("rded", "hard", ipc=2, overrides={"training.steps": 4}, **machine)
    assert made.evaluation is not None
    assert random.evaluation is not None
    found = difference_to_random(made, Records(tmp_path / "records"), Registry())
    assert found is not None
    assert not found.mixed
    assert found.difference == made.evaluation.metrics["top1"] - random.evaluation.metrics["top1"]
    (teacher,) = made.notes["teachers"].values()
    assert teacher["for"] == ["set"]
    assert teacher["top1"] is not None


def test_one_teacher_for_set_and_labels_is_paid_for_once_also_from_a_folder(
    machine: dict[str, Any], tmp_path: Path
) -> None:
    record = rdc.run("rded", "soft", ipc=2, **machine)
    assert record.cost is not None
    (teacher,) = record.notes["teachers"].values()
    assert teacher["for"] == ["labels", "set"]
    place = {"cache_dir": machine["cache_dir"], "device": "cpu", "dataset": "digits"}
    rdc.compress("rded", tmp_path / "set", ipc=2, protocol="digits-soft", **place)
    found = rdc.evaluate(tmp_path / "set", labeler="soft", protocol="digits-soft", **machine)
    assert found.cost is not None
    assert found.cost.seconds["teacher"] == record.cost.seconds["teacher"] > 0
    assert found.cost.seconds["selection"] == record.cost.seconds["selection"] > 0
    assert found.notes["teachers"] == record.notes["teachers"]
    assert found.result_digest == record.result_digest


def test_memory_of_optimising_images_is_told_also_of_a_set_that_was_there(machine: dict[str, Any]) -> None:
    first, again = (
        rdc.run("sre2l:iterations=2", "hard", ipc=1, overrides=SHORT, force=force, **machine) for force in (False, True)
    )
    assert first.cost is not None
    assert again.cost is not None
    assert first.cost.memory["synthesis"] == again.cost.memory["synthesis"] > 0
    assert "selection" not in first.cost.memory


def test_while_tuning_only_a_teacher_of_the_split_is_asked(machine: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    save_file(build_seeded(Registry().build("model", "convnet:depth=1,width=8"), 10, 8, 0).state_dict(), path)  # type: ignore[arg-type]
    file = f'soft:teachers=[checkpoint:path="{path}",model=[convnet:depth=1,width=8]]'
    with pytest.raises(RequestError, match=r"--tune trains and tests on a split.*checkpoint may have seen both"):
        rdc.run("random", file, ipc=2, tune=True, overrides={"training.steps": 4}, **machine)
    assert rdc.run("random", file, ipc=2, overrides={"training.steps": 4}, **machine).status == "ok"
    assert rdc.run("random", "soft", ipc=2, tune=True, overrides=SHORT, **machine).tune


class Secretive(Compressor):
    """Asks a teacher and does not say so."""

    name: ClassVar[str] = "secretive"

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        context.teacher()
        return CompressedSet.of_rows(data, torch.arange(budget.total))


def test_a_set_may_not_depend_on_a_teacher_that_its_method_does_not_name(tmp_path: Path) -> None:
    runner = Runner(cache=Cache(tmp_path / "cache"), records=Records(tmp_path / "records"))
    found = plan(tmp_path, "random", ipc=2)
    splits = found.dataset.load()
    here = runner.context(found, splits, None)

    class WithSecretive(Registry):
        def build(self, kind: Any, reference: Any) -> Any:
            return Secretive() if str(reference) == "secretive" else super().build(kind, reference)

        def definition(self, method: Any) -> dict[str, Any]:
            return {"kind": method.kind, "name": method.name}

    here = replace(here, methods=WithSecretive())
    with pytest.raises(RequestError, match="that asks a teacher must say so"):
        here.compress("secretive", splits.train, Budget(ipc=2, classes=10, size=8))


def test_what_a_set_is_made_of_never_sees_the_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    registry = Registry()
    kept = registry.find("compressor", "random").compress  # type: ignore[attr-defined]

    def watched(self: Compressor, data: Images, budget: Budget, context: RunContext) -> CompressedSet:
        seen.append(context.test)
        made: CompressedSet = kept(self, data, budget, context)
        return made

    monkeypatch.setattr(registry.find("compressor", "random"), "compress", watched)
    place: dict[str, Any] = {"cache_dir": tmp_path / "cache", "records": tmp_path / "records"}
    rdc.run("random", "soft", dataset="digits", ipc=2, overrides=SHORT, **place)
    assert seen == [None]


def test_notes_of_two_sources_add_up() -> None:
    one = {"proxy": "shared", "external_data": ["b"], "teachers": {"t": {"top1": 0.5, "digest": "d", "for": ["set"]}}}
    two = {
        "proxy": "paper",
        "external_data": ["a"],
        "teachers": {"t": {"top1": None, "digest": "d", "for": ["labels"]}},
    }
    assert merge_notes(one, two) == {
        "proxy": "paper",
        "external_data": ["a", "b"],
        "teachers": {"t": {"top1": 0.5, "digest": "d", "for": ["labels", "set"]}},
    }
    assert merge_notes({}, {"ties": 3}) == {"ties": 3}
