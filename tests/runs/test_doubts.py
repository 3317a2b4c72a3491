"""Results that cannot be right: what is said of them, and of which nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.measurement import Evaluation
from rethinkdc.runs.doubts import CONTROLS, doubts_of
from rethinkdc.types import Track

NAMES = ("a", "b", "c")
FALLING = [{"train_loss": 1.1 / epoch} for epoch in range(1, 11)]
FLAT = [{"train_loss": 1.1} for _ in range(10)]


def images(counts: tuple[int, ...]) -> DecodedImages:
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return DecodedImages(torch.zeros(len(targets), 3, 4, 4, dtype=torch.uint8), targets, NAMES)


def measured(top1: float, predicted: list[int] | None = None, **changes: Any) -> Evaluation:
    values: dict[str, Any] = {
        "metrics": {"top1": top1},
        "per_class": [],
        "predicted": [1, 1, 1] if predicted is None else predicted,
        "curve": FALLING,
        "views": 0,
        "steps": 300,
        "seconds": 0.0,
        "peak_memory": 0,
        "result_digest": "",
    }
    return Evaluation.model_validate(values | changes)


def doubts(
    evaluation: Evaluation,
    counts: tuple[int, ...] = (100, 100, 100),
    *,
    track: Track = "hard",
    family: str = "pruning",
    labels: str = "",
) -> str:
    return "\n".join(doubts_of(evaluation, images(counts), track=track, family=family, labels=labels))


def test_a_good_result_is_not_doubted() -> None:
    assert doubts(measured(0.6)) == ""


@pytest.mark.parametrize(
    ("top1", "counts", "doubted"),
    [
        # Of 300 alike, a third by chance, give or take 2 sqrt(2/9/300) = 5.4 points.
        (0.20, (100, 100, 100), True),
        (0.38, (100, 100, 100), True),
        (0.40, (100, 100, 100), False),
        # Naming the largest class alone is right of 80 in 100.
        (0.80, (240, 30, 30), True),
        (0.86, (240, 30, 30), False),
        # Ten images tell little: 2 sqrt(.4 * .6 / 10) = 31 points.
        (0.70, (4, 3, 3), True),
    ],
)
def test_chance_is_the_largest_class_within_its_own_error(top1: float, counts: tuple[int, ...], doubted: bool) -> None:
    assert ("cannot be told from chance" in doubts(measured(top1), counts)) == doubted


def test_of_few_test_images_the_number_is_the_cause() -> None:
    assert "too few test images (10) to tell" in doubts(measured(0.70), (4, 3, 3))
    assert "too few" not in doubts(measured(0.20), (4, 3, 3))


def test_controls_are_meant_to_be_at_chance() -> None:
    assert doubts(measured(0.33, [300, 0, 0]), family=CONTROLS) == ""
    assert "never fell" in doubts(measured(0.33, curve=FLAT), family=CONTROLS)


def test_labels_at_chance_are_the_cause_of_what_follows() -> None:
    said = doubts(measured(0.33, curve=FLAT), track="static", labels="The labels name another class.")
    assert said.startswith("The labels name another class.\nThe training loss never fell")
    assert said.count("labels that do not name the classes") == 2
    assert doubts(measured(0.6), track="static", labels="Odd.", family=CONTROLS) == ""


def test_a_loss_that_never_fell_is_told_with_its_values() -> None:
    said = doubts(measured(0.6, curve=FLAT))
    assert "never fell: 1.1 in the first epoch, 1.1 in the last" in said
    assert "learning rate" in said
    assert "never fell" not in doubts(measured(0.6, curve=FLAT[:2]))


def test_a_class_that_is_never_predicted_is_named() -> None:
    said = doubts(measured(0.6, [200, 0, 100]))
    assert "1 of 3 classes were never predicted: 'b'" in said
    # Without test images of it nothing is missed; and an evaluator may not tell.
    assert doubts(measured(0.8, [200, 0, 100]), (100, 0, 100)) == ""
    assert doubts(measured(0.6, predicted=[], curve=FALLING)) == ""


@pytest.mark.parametrize(
    ("evaluation", "track", "cause"),
    [
        (measured(0.33, curve=FLAT), "online", "labels that say nothing of the images"),
        (measured(0.33, steps=5), "hard", "only 5 steps"),
        (measured(0.33), "hard", "another order"),
        (measured(0.60, [300, 0, 0], steps=5), "hard", "only 5 steps"),
    ],
)
def test_the_likeliest_cause_is_named(evaluation: Evaluation, track: Track, cause: str) -> None:
    assert cause in doubts(evaluation, track=track)
