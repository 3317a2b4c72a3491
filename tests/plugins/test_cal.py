"""CAL by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from rethinkdc.data.chunks import at_once
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.plugins.pruning.cal import CAL
from rethinkdc.types import Predictions


class Predicted:
    """Rows 0 to 2 of class 0 and 3 to 5 of class 1 on a line; row 2 is seen unlike its neighbours."""

    chunks = staticmethod(at_once)

    def resumable(self, _: str) -> None:
        return None

    def predictions(self) -> Predictions:
        features = torch.tensor([[0.0], [1.0], [3.0], [0.1], [1.1], [9.0]])
        probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
        return Predictions(features, probabilities.log())


def scored(targets: list[int], **values: Any) -> list[float]:
    count = len(targets)
    data = DecodedImages(torch.zeros((count, 3, 1, 1), dtype=torch.uint8), torch.tensor(targets), list("abcdef")[:6])
    here: Any = Predicted()
    found: list[float] = CAL(**values).of_rows(data, torch.arange(count), here).tolist()
    return found


def kl(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_the_divergence_is_that_of_the_nearest_of_the_same_class_to_the_row() -> None:
    found = scored([0, 0, 0, 1, 1, 1], k=1)
    assert found == pytest.approx([0, 0, kl(0.9, 0.2), 0, 0, 0], abs=1e-6)
    both = scored([0, 0, 0, 1, 1, 1], k=2)
    assert both[:3] == pytest.approx([kl(0.2, 0.9) / 2, kl(0.2, 0.9) / 2, kl(0.9, 0.2)], abs=1e-6)
    mean = (kl(0.9, 0.2) + kl(0.2, 0.9)) / 2
    assert scored([0, 0, 0, 1, 1, 1], k=1, symmetric=True)[2] == pytest.approx(mean, abs=1e-6)


def test_the_row_that_is_unlike_its_neighbours_is_the_hardest() -> None:
    """A reference implementation sorts the other way, and keeps the rows that are like their neighbours."""
    found = scored([0, 0, 0, 1, 1, 1])
    assert max(range(6), key=lambda row: found[row]) == 2


def test_classes_of_one_row_contrast_with_nothing() -> None:
    assert scored([0, 1, 2, 3, 4, 5]) == [0] * 6
