"""EL2N from a trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.plugins.pruning.el2n import EL2N
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images, shortened
from rethinkdc.training.trace import Trace

Probabilities = tuple[float, float, float]
# Softmax of log p is p: three rows of class 0 with these probabilities, hand-worked |p - y| beside them.
CERTAIN, TORN, WRONG = (0.8, 0.1, 0.1), (0.5, 0.5, 0.0), (0.1, 0.3, 0.6)
NORMS = {CERTAIN: (0.04 + 0.01 + 0.01) ** 0.5, TORN: 0.5**0.5, WRONG: (0.81 + 0.09 + 0.36) ** 0.5}
EPOCHS = [(CERTAIN, TORN), (TORN, WRONG), (WRONG, CERTAIN), (CERTAIN, CERTAIN)]


@pytest.fixture
def traced(record: Callable[..., Trace], surround: Callable[..., Any]) -> Any:
    """Two rows in four epochs; the clean columns show the next epoch's probabilities."""
    return surround(record(EPOCHS, clean=(2, 3)))


def scored(traced: Any, **values: Any) -> list[float]:
    found: Tensor = EL2N(**values).score(images(), traced)
    assert found.dtype == torch.float32
    return found.tolist()


def norms(*rows: Probabilities) -> Any:
    return pytest.approx([NORMS[row] for row in rows], abs=1e-6)


def test_a_snapshot_is_the_norm_of_the_softmax_error(traced: Any) -> None:
    for epoch, rows in enumerate(EPOCHS, start=1):
        assert scored(traced, epochs=epoch) == norms(*rows)


def test_a_mean_is_taken_of_the_norms_of_each_epoch(traced: Any) -> None:
    means = [(NORMS[TORN] + NORMS[WRONG]) / 2, (NORMS[WRONG] + NORMS[CERTAIN]) / 2]
    assert scored(traced, epochs=(2, 3)) == pytest.approx(means, abs=1e-6)


@pytest.mark.parametrize(("fraction", "epoch"), [(1.0, 4), (0.5, 2), (0.01, 1), (0.74, 3)])
def test_a_fraction_is_of_the_proxys_length(traced: Any, fraction: float, epoch: int) -> None:
    assert scored(traced, epochs=fraction) == scored(traced, epochs=epoch)
    assert scored(traced, epochs=(fraction, 1.0)) == scored(traced, epochs=(epoch, 4))


def test_the_whole_number_1_is_the_first_epoch_and_the_fraction_the_last(traced: Any) -> None:
    assert scored(traced, epochs=1) == norms(CERTAIN, TORN)
    assert scored(traced, epochs=1.0) == norms(CERTAIN, CERTAIN)


def test_without_epochs_the_protocols_are_taken(traced: Any) -> None:
    assert scored(traced) == norms(*EPOCHS[-1])
    traced.scores = {"el2n": {"epochs": 2}}
    assert scored(traced) == norms(*EPOCHS[1])
    traced.scores = {"el2n": {"epochs": [2, 3]}}
    assert scored(traced) == scored(traced, epochs=(2, 3))


def test_clean_scores_are_of_the_clean_observations(traced: Any) -> None:
    assert scored(traced, observe="clean", epochs=2) == norms(*EPOCHS[2])
    assert scored(traced, observe="clean", epochs=3) == norms(*EPOCHS[3])
    assert scored(traced, observe="clean") == scored(traced, observe="clean", epochs=2)


def test_a_clean_epoch_that_was_not_observed_is_an_error_that_names_those_that_were(traced: Any) -> None:
    with pytest.raises(RequestError, match=r"lists the epochs 2, 3\."):
        scored(traced, observe="clean", epochs=4)


@pytest.mark.parametrize(
    ("epochs", "message"), [(5, "within 1..4"), ((3, 9), "within 1..4"), ((3, 2), "runs backwards")]
)
def test_epochs_that_do_not_exist_are_an_error(traced: Any, epochs: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        scored(traced, epochs=epochs)


def test_repeats_average_the_scores_of_independent_runs(record: Callable[..., Trace], traced: Any) -> None:
    traced.runs.append(record([(WRONG, WRONG)] * 4))
    found = scored(traced, epochs=1, repeats=2)
    assert found == pytest.approx([(NORMS[CERTAIN] + NORMS[WRONG]) / 2, (NORMS[TORN] + NORMS[WRONG]) / 2], abs=1e-6)


def short_protocol() -> Protocol:
    return shortened(Registry().protocols.find("digits-hard"))


def test_repeats_train_other_proxies_and_keep_them_apart(tmp_path: Path) -> None:
    surroundings = context(tmp_path, protocol=short_protocol(), short=False)
    once, twice = (surroundings.score(f"el2n:epochs=1,repeats={repeats}") for repeats in (1, 2))
    assert not torch.equal(once, twice)
    both = [surroundings.trace(repeat).column("train.error", 1, 1)[0] for repeat in (0, 1)]
    assert torch.equal(once, both[0])
    assert torch.allclose(twice, (both[0] + both[1]) / 2)
    assert len(list((tmp_path / "cache" / "proxies").glob("[!.]*"))) == 2
