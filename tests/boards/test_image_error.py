"""The test set's own error of a difference to random, from predictions that lie beside the records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rethinkdc.boards import index
from rethinkdc.measurement import Metric, Predictions
from rethinkdc.statistics import resample_images

IMAGES = 400
TOP5 = Metric("top5", "higher", "fraction")


def right(share: float, seed: int) -> np.ndarray:
    """Which images are right: just this share of them."""
    order = np.random.default_rng(seed).permutation(IMAGES)
    return order < round(share * IMAGES)


def record(desk: Any, name: str, hits: np.ndarray, seed: int) -> None:
    rank = torch.from_numpy(np.where(hits, 0, 3))
    zeros = torch.zeros(IMAGES)
    desk.record(name, float(hits.mean()), seed, said=Predictions(rank.clone(), zeros.half(), rank, zeros))


def test_the_interval_is_of_the_images_that_both_say(desk: Any, row: Any) -> None:
    ours, random = [right(0.7, 1), right(0.72, 2)], [right(0.6, 3), right(0.5, 4)]
    for seed in range(2):
        record(desk, "pca", ours[seed], seed)
        record(desk, "random", random[seed], seed)
    board = desk.only(test_error=True)
    found = row(board, "pca").image_error
    apart = np.mean([mine.astype(float) - theirs for mine, theirs in zip(ours, random, strict=True)], axis=0)
    assert found.interval == resample_images(apart)
    assert found.interval.mean == pytest.approx(row(board, "pca").difference.mean)
    assert found.interval.low < found.interval.mean < found.interval.high
    assert (found.pairs, found.missing) == (2, ())
    assert row(board, "random").image_error is None
    assert row(desk.only(), "pca").image_error is None


def test_what_has_no_predictions_is_named(desk: Any, row: Any) -> None:
    record(desk, "pca", right(0.7, 1), 0)
    desk.record("random", 0.5, 0)
    found = row(desk.only(test_error=True), "pca").image_error
    assert (found.interval, found.pairs, found.missing) == (None, 0, ("random's seed 0: none were kept",))


def test_predictions_that_are_not_those_of_the_record_are_refused(
    desk: Any, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_SETTLED", -3600.0)
    record(desk, "pca", right(0.7, 1), 0)
    record(desk, "random", right(0.5, 2), 0)
    # The index has seen them whole.
    desk.boards()
    for path in desk.records.folder.glob("*/*.npz"):
        path.write_bytes(b"other")
    found = row(desk.only(test_error=True), "pca").image_error
    assert found.interval is None
    assert len(found.missing) == 2
    assert all("is not the one that the record names" in text for text in found.missing)


def test_a_run_of_random_without_the_metric_is_named(desk: Any, row: Any) -> None:
    for seed in range(2):
        record(desk, "pca", right(0.7, seed), seed)
    record(desk, "random", right(0.5, 3), 0)
    measured = desk.record("random", 0.5, 2).evaluation
    desk.record("random", 0.5, 1, evaluation=measured.model_copy(update={"metrics": {"top5": 1.0}}), metrics=(TOP5,))
    found = row(desk.only(test_error=True, metric="top1"), "pca").image_error
    assert (found.pairs, found.missing) == (1, ("random's seed 1: the record has no top1",))
