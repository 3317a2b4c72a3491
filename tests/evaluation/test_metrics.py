"""The numbers of a test run."""

from __future__ import annotations

import math

import pytest
import torch

from rethinkdc.evaluation.metrics import classification_metrics, per_class_top1

LOGITS = torch.tensor(
    [
        [9.0, 5, 4, 3, 2, 1, 0],
        [9.0, 5, 4, 3, 2, 1, 0],
        [9.0, 5, 4, 3, 2, 1, 0],
        [0.0, 1, 2, 3, 4, 5, 9],
    ]
)
TARGETS = torch.tensor([0, 4, 6, 6])


def test_top1_and_top5_count_as_by_hand() -> None:
    found = classification_metrics(LOGITS, TARGETS)
    assert found["top1"] == 0.5
    assert found["top5"] == 0.75


def test_the_loss_is_the_mean_cross_entropy_in_nats() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])
    found = classification_metrics(logits, torch.tensor([0, 1]))
    assert found["loss"] == pytest.approx((math.log(4) + math.log(2)) / 2)


def test_with_fewer_than_five_classes_every_class_is_among_the_best() -> None:
    found = classification_metrics(torch.tensor([[3.0, 2, 1], [3.0, 2, 1]]), torch.tensor([0, 2]))
    assert (found["top1"], found["top5"]) == (0.5, 1.0)


def test_top1_of_each_class_and_of_one_without_images() -> None:
    assert per_class_top1(LOGITS, TARGETS, 7) == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5]
