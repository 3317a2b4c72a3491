"""The columns of the trace against float64 brute force."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rethinkdc.seeds import generator
from rethinkdc.training import CLEAN_COLUMNS
from rethinkdc.training.columns import change, log_probabilities, observe


def _brute_force(logits: list[float], target: int, features: list[float]) -> dict[str, float]:
    total = math.fsum(math.exp(value) for value in logits)
    p = [math.exp(value) / total for value in logits]
    y = [1.0 if c == target else 0.0 for c in range(len(p))]
    error = math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(p, y, strict=True)))
    ranked = sorted(p, reverse=True)
    rest = [c for c in range(len(p)) if c != target]
    return {
        "p": p[target],
        "margin": p[target] - max(p[c] for c in rest),
        "logit_margin": logits[target] - max(logits[c] for c in rest),
        "correct": float(p[target] == ranked[0]),
        "error": error,
        "entropy": -math.fsum(value * math.log(value) for value in p),
        "top2": ranked[0] - ranked[1],
        "grad": error * math.sqrt(1 + math.fsum(value**2 for value in features)),
    }


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_every_column_equals_its_definition(classes: int, spread: float) -> None:
    draw = generator(classes)
    logits = torch.randn(40, classes, generator=draw) * spread
    targets = torch.randint(0, classes, (40,), generator=draw)
    features = torch.randn(40, 5, generator=draw)
    seen = observe(logits, targets, features)
    assert tuple(seen) == CLEAN_COLUMNS
    for row in range(40):
        expected = _brute_force(logits[row].tolist(), int(targets[row]), features[row].tolist())
        found = {name: float(values[row]) for name, values in seen.items()}
        assert found == pytest.approx(expected, rel=2e-6, abs=1e-7)


def test_a_hand_worked_case() -> None:
    """p = (1/2, 1/4, 1/4), true class 1, h = (3, 4)."""
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]])
    seen = observe(logits, torch.tensor([1]), torch.tensor([[3.0, 4.0]]))
    error = math.sqrt(0.25 + 0.5625 + 0.0625)
    expected = {
        "p": 0.25,
        "margin": -0.25,
        "logit_margin": -math.log(2),
        "correct": 0.0,
        "error": error,
        "entropy": 1.5 * math.log(2),
        "top2": 0.25,
        "grad": error * math.sqrt(26),
    }
    assert {name: float(values) for name, values in seen.items()} == pytest.approx(expected, rel=1e-6)


def test_the_easiest_images_keep_their_order_where_one_minus_p_is_zero_in_float32() -> None:
    margins = torch.tensor([40.0, 41.0, 60.0, 80.0])
    logits = torch.stack([margins, torch.zeros(4), torch.zeros(4)], dim=1)
    seen = observe(logits, torch.zeros(4, dtype=torch.int64), torch.zeros(4, 1))
    # 1 - p = 2 e^-m to first order, and the other two classes have e^-m each.
    expected = [math.sqrt(6) * math.exp(-margin) for margin in margins.tolist()]
    assert seen["error"].tolist() == pytest.approx(expected, rel=1e-6)
    assert seen["entropy"].tolist() == pytest.approx([2 * math.exp(-m) * (1 + m) for m in margins.tolist()], rel=1e-6)
    assert seen["logit_margin"].tolist() == margins.tolist()
    assert (1 - seen["p"]).tolist() == [0.0] * 4, "in float32 p alone could not tell them apart"


def test_the_most_wrong_images_have_an_error_of_root_two() -> None:
    seen = observe(torch.tensor([[500.0, 0.0]]), torch.tensor([1]), torch.zeros(1, 1))
    assert float(seen["error"]) == pytest.approx(math.sqrt(2))
    assert float(seen["p"]) == pytest.approx(0, abs=1e-30)


def test_large_logits_stay_finite() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-3e4, 3e4, 1.0]])
    seen = observe(logits, torch.tensor([0, 0]), torch.ones(2, 2))
    assert all(bool(values.isfinite().all()) and values.dtype == torch.float32 for values in seen.values())


def _log(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows).log()


def test_change_is_the_sum_of_absolute_terms() -> None:
    """p goes from (1/2, 1/2) to (3/4, 1/4): 3/4 log(3/2) + 1/4 log 2, both counted as positive."""
    found = float(change(_log([[0.75, 0.25]]), _log([[0.5, 0.5]])))
    assert found == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(2), rel=1e-6)


def test_no_change_is_no_change_up_to_float16() -> None:
    logits = torch.randn(50, 10, generator=generator(0))
    now = log_probabilities(logits)
    assert float(change(now, now).max()) == 0
    assert float(change(now, now.half()).max()) < 1e-3


def test_probabilities_that_vanish_are_kept_as_the_lowest_float16() -> None:
    kept = log_probabilities(torch.tensor([[0.0, -1e6]])).half()
    assert kept.tolist() == [[0.0, -65504.0]]
