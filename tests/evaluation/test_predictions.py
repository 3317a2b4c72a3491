"""What is kept of a student's predictions: the metrics follow from it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.evaluation.metrics import classification_metrics, predictions_of
from rethinkdc.runs.prediction_files import recompute
from rethinkdc.seeds import generator


@given(
    classes=st.integers(1, 12),
    images=st.integers(1, 40),
    spread=st.sampled_from([0.0, 1e-3, 1.0, 30.0]),
    whole=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_metrics_follow_from_what_is_kept(classes: int, images: int, spread: float, whole: bool, seed: int) -> None:
    """Also of equal logits, of which whole numbers have many."""
    drawn = generator(seed)
    logits = spread * torch.randn((images, classes), generator=drawn)
    logits = logits.round() if whole else logits
    targets = torch.randint(0, classes, (images,), generator=drawn)
    kept, measured = predictions_of(logits, targets), classification_metrics(logits, targets)
    again = recompute({name: values.numpy() for name, values in vars(kept).items()}, ["top1", "top5", "loss"])
    assert (again["top1"], again["top5"]) == (measured["top1"], measured["top5"])
    assert again["loss"] == pytest.approx(measured["loss"], rel=1e-6, abs=1e-6)
    assert torch.equal(kept.predicted, logits.argmax(dim=1))
    assert bool((kept.rank < classes).all())


def test_an_example_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 5.0]])
    kept = predictions_of(logits, torch.tensor([2, 2]))
    assert kept.predicted.tolist() == [0, 2]
    assert kept.rank.tolist() == [1, 0]
    e = torch.tensor(1.0).exp()
    assert kept.log_probability[0] == pytest.approx(float(torch.log(e / (e**2 + 1 + e))))
    assert kept.probability[0] == pytest.approx(float(e**2 / (e**2 + 1 + e)), abs=1e-3)
    assert [kept.probability.dtype, kept.log_probability.dtype] == [torch.float16, torch.float32]


def test_the_rank_counts_the_likelier_classes() -> None:
    logits = torch.arange(9.0)[None].repeat(9, 1)
    assert predictions_of(logits, torch.arange(9)).rank.tolist() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
