"""What a run cost in images: of its own work, of what it used, and of what others made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.compressed import Card, CompressedSet
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Work
from rethinkdc.measurement import Evaluation
from rethinkdc.runs.counting import count_cost
from rethinkdc.testing import context
from rethinkdc.types import Budget, LabelCost

TRAINED = 1437
"""Training images of the digits."""
SHORT = {"training.steps": 4, "teacher.recipes.standard.training.epochs": 1, "proxy.training.epochs": 1}


@pytest.fixture
def there(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}


@pytest.fixture
def short(there: dict[str, Any]) -> dict[str, Any]:
    return {**there, "dataset": "digits", "overrides": SHORT}


def seen(record: rdc.Record) -> tuple[dict[str, int], int | None]:
    assert record.cost is not None
    return record.cost.images_seen, record.cost.total_images_seen


def test_what_teachers_are_asked_while_the_student_trains_counts_under_labels(short: dict[str, Any]) -> None:
    other = "trained:recipe=standard,model=[convnet:depth=1,width=4]"
    record = rdc.run("random", f"soft:teachers=[trained,{other}]", ipc=1, **short)
    images, total = seen(record)
    assert images == {"selection": 0, "teacher": 2 * TRAINED, "labels": 2 * 40, "training": 40}
    assert total == 2 * TRAINED + 120


def test_a_finished_set_brings_what_its_making_took(tmp_path: Path, there: dict[str, Any]) -> None:
    """The one iteration shows a network every image of the ten classes, and the synthetic ones."""
    machine = {name: value for name, value in there.items() if name != "records"}
    rdc.compress("dm:iterations=1", ipc=1, dataset="digits", out=tmp_path / "set", **machine)
    record = rdc.evaluate(tmp_path / "set", **there)
    assert record.evaluation is not None
    views = record.evaluation.views
    assert seen(record) == ({"synthesis": TRAINED + 10, "labels": 0, "training": views}, TRAINED + 10 + views)


def test_rows_from_a_file_make_the_total_unknown(tmp_path: Path, short: dict[str, Any]) -> None:
    (tmp_path / "rows.txt").write_text("\n".join(map(str, range(20))))
    images, total = seen(rdc.run(f"rows:path={tmp_path / 'rows.txt'}", "hard", **short))
    assert images.keys() == {"selection", "labels", "training"}
    assert total is None


MEASURED = Evaluation(
    metrics={}, per_class=[], curve=[], views=40, steps=4, seconds=1.0, peak_memory=0, result_digest=""
)


def drawn(here: RunContext) -> CompressedSet:
    return here.compress("random", here.data, Budget(ipc=1, classes=4, size=8))


@pytest.mark.parametrize("forgets", ["images", "all"])
def test_a_set_whose_making_did_not_count_or_is_not_known_is_not_one_that_took_nothing(
    tmp_path: Path, forgets: str
) -> None:
    here = context(tmp_path)
    made = drawn(here)
    card = made.card.model_copy(update={"images_seen": {}}) if forgets == "images" else Card()
    other = replace(here, work=Work())
    cost = count_cost(other, made.with_card(card), LabelCost(0), MEASURED, label_seconds=0.5, label_images=0)
    assert cost.images_seen == {"labels": 0, "training": 40}
    assert cost.total_images_seen is None


@pytest.mark.parametrize(
    ("labels", "asked"),
    [
        (LabelCost(0), 7),
        (LabelCost(0, teacher_at_training=True, asked_per_view=2), 7 + 2 * 40),
        (LabelCost(0, teacher_at_training=True), None),
    ],
)
def test_a_supervision_that_asks_and_does_not_say_how_often_is_unknown_and_not_0(
    tmp_path: Path, labels: LabelCost, asked: int | None
) -> None:
    here = context(tmp_path)
    compressed = drawn(here)
    cost = count_cost(here, compressed, labels, MEASURED, label_seconds=0.5, label_images=7)
    known = {} if asked is None else {"labels": asked}
    assert cost.images_seen == {"selection": 0, **known, "training": 40}
    assert cost.total_images_seen == (None if asked is None else asked + 40)
    assert cost.seconds["labels"] == 0.5
    unknown = count_cost(here, compressed, LabelCost(0), MEASURED, label_seconds=0.5, label_images=None)
    assert "labels" not in unknown.images_seen
