"""A run's definition: its key, and what may be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rethinkdc.context.cache import Cache
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.definition import KEY_LENGTH, Definition, MethodDefinition, SetDefinition
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.seeds import Seeds
from rethinkdc.storage import digest

RANDOM = MethodDefinition(kind="compressor", name="random", revision=1, parameters={})
TEACHERS = {"use": None}


def method(kind: str, name: str, **parameters: Any) -> MethodDefinition:
    return MethodDefinition(kind=kind, name=name, revision=1, parameters=parameters)


def definition(**changes: Any) -> Definition:
    given: dict[str, Any] = {
        "dataset": "d",
        "compressor": method("compressor", "rded", grid=2),
        "labeler": method("labeler", "hard"),
        "evaluator": method("evaluator", "standard"),
        "protocol": "p",
        "student": method("model", "convnet"),
        "ipc": None,
        "seeds": Seeds.all(1),
        "tune": False,
        "semantics": {"views": 1},
        **changes,
    }
    return Definition(**given)


def test_the_key_is_the_digest_of_what_is_there() -> None:
    """An ipc that is None is said; teachers and distributions that are not there are not."""
    plain = definition().model_dump(mode="json")
    assert plain["ipc"] is None
    assert not {"compressor_teachers", "labeler_teachers"} & plain.keys()
    assert "distribution" not in plain["compressor"]
    assert definition().key == digest(plain)[:KEY_LENGTH]
    asking = definition(compressor_teachers=TEACHERS)
    assert asking.model_dump(mode="json") == {**plain, "compressor_teachers": TEACHERS}
    foreign = RANDOM.model_copy(update={"distribution": "acme"})
    assert foreign.model_dump()["distribution"] == "acme"


def test_a_definition_reads_back_as_it_was_written() -> None:
    finished = SetDefinition(name="mine", fingerprint="f", ipc=10)
    for one in (definition(), definition(labeler_teachers=TEACHERS), definition(compressor=finished)):
        again = Definition.model_validate_json(one.model_dump_json())
        assert (again, again.key) == (one, one.key)


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "e"},
        {"protocol": "q"},
        {"ipc": 5},
        {"tune": True},
        {"seeds": Seeds.all(2)},
        {"seeds": Seeds(set=1, proxy=1, teacher=1, labels=1, student=2)},
        {"semantics": {"views": 2}},
        {"labeler": method("labeler", "hard", label_smoothing=0.1)},
        {"labeler_teachers": TEACHERS},
        {"evaluator": method("evaluator", "own")},
        {"student": method("model", "convnet", depth=1)},
    ],
    ids=str,
)
def test_runs_are_of_one_condition_when_all_but_the_compressor_agrees(changes: dict[str, Any]) -> None:
    one, other = definition(), definition(**changes)
    assert one.condition != other.condition
    assert one.with_compressor(RANDOM).condition == one.condition
    assert one.key != other.key


def test_another_compressor_asks_teachers_of_its_own() -> None:
    asking = definition(compressor_teachers=TEACHERS, labeler_teachers=TEACHERS)
    random = asking.with_compressor(RANDOM)
    assert (random.compressor_teachers, random.labeler_teachers) == (None, TEACHERS)
    assert random.key == definition(compressor=RANDOM, labeler_teachers=TEACHERS).key
    assert random.condition == asking.condition
    assert asking.with_compressor(RANDOM, TEACHERS).compressor_teachers == TEACHERS


def test_static_labels_of_cells_make_another_method_under_the_same_condition() -> None:
    """So the run is never taken for one before them, and is ranked beside ``random``, which has no cells."""
    whole, cells = definition(), definition(cell_labels=1)
    assert "cell_labels" not in whole.model_dump(mode="json")
    assert cells.key != whole.key
    assert cells.method != whole.method
    assert cells.condition == whole.condition
    assert cells.with_compressor(RANDOM).key == whole.with_compressor(RANDOM).key


@pytest.mark.parametrize(
    ("compressor", "labeler", "found"),
    [
        ("pca", "soft-static", 1),
        ("combine:select=random,grid=3", "soft-static", 1),
        ("pca:constrained=false", "soft-static", None),
        ("pca:grid=1", "soft-static", None),
        ("rded:factor=2", "soft-static", None),
        ("random", "soft-static", None),
        ("pca", "soft-stored", None),
    ],
)
def test_only_static_labels_of_what_is_seen_in_cells_are_of_cells(
    compressor: str, labeler: str, found: int | None, tmp_path: Path
) -> None:
    request = Request(compressor=compressor, labeler=labeler, dataset="digits", protocol="digits-soft")
    assert resolve_run(request, Registry(), Cache(tmp_path)).definition.cell_labels == found


def test_only_the_frameworks_own_random_is_random() -> None:
    assert RANDOM.is_random
    assert RANDOM.model_copy(update={"revision": 2}).is_random
    assert not method("compressor", "random", some=1).is_random
    assert not method("score", "random").is_random
    assert not RANDOM.model_copy(update={"distribution": "acme"}).is_random
    assert not SetDefinition(name="random", fingerprint="f", ipc=1).is_random


def test_a_definition_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        definition().ipc = 3  # type: ignore[misc]
