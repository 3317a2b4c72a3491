"""What an evaluator returns is held to what a record can hold."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rethinkdc.contracts.declared import check_evaluation
from rethinkdc.contracts.kinds import Evaluator
from rethinkdc.errors import RethinkError
from rethinkdc.measurement import Evaluation
from rethinkdc.registry.registry import Registry


def measured(**values: Any) -> Evaluation:
    given: dict[str, Any] = {
        "metrics": {"top1": 0.5, "top5": 0.5, "loss": 1.0},
        "per_class": [0.5],
        "curve": [{"epoch": 1.0, "train_loss": 2.0}],
        "views": 1,
        "steps": 1,
        "seconds": 0.0,
        "peak_memory": 0,
        "result_digest": "",
        **values,
    }
    return Evaluation(**given)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"curve": [{"epoch": 1.0, "train_loss": math.nan}]}, "curve"),
        ({"per_class": [0.5, math.inf]}, "per_class"),
    ],
)
def test_a_number_that_no_record_could_give_back_is_refused(values: dict[str, Any], named: str) -> None:
    evaluator = Registry().build(Evaluator, "standard")
    check_evaluation(measured(), evaluator)
    with pytest.raises(RethinkError, match=f"standard returned what cannot be recorded: {named} has"):
        check_evaluation(measured(**values), evaluator)
