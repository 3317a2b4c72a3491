"""Whether labelers and evaluators keep their word: training, boards and tables know no more of them."""

from __future__ import annotations

from typing import Any

from rethinkdc.contracts.kinds import Evaluator
from rethinkdc.errors import ContractError, PluginError
from rethinkdc.measurement import Evaluation

_ASKED = ("cost", "mix", "drawn", "targets", "loss")


def check_metrics(evaluator: Evaluator) -> None:
    """Checks the metrics that an evaluator declares.

    Raises:
        PluginError: there are none, or two of one name.
    """
    names = [metric.name for metric in evaluator.metrics]
    if not names or len(set(names)) != len(names):
        raise PluginError(
            f"The evaluator {evaluator.name} must declare metrics of different names, its main one first, as in "
            f'metrics = (Metric("top1", "higher", "fraction"),); found {", ".join(names) or "none"}.'
        )


def check_supervision(supervision: Any, who: str) -> None:
    """Checks that what a labeler returned is a :class:`~rethinkdc.contracts.Supervision`.

    Args:
        supervision: what it returned.
        who: names the labeler, at the beginning of a sentence.

    Raises:
        ContractError: it lacks what training asks for.
    """
    missing = [word for word in _ASKED if not hasattr(supervision, word)]
    if missing:
        raise ContractError(
            f"{who} returned a value of the type {type(supervision).__name__}, which has no "
            f"{' and no '.join(missing)}; it must return a Supervision."
        )


def check_evaluation(evaluation: Evaluation, evaluator: Evaluator) -> None:
    """Checks that what was measured is what the evaluator declares, and can be: else no board would read the record.

    Raises:
        ContractError: a metric is missing or not declared, or a number is none that its unit allows.
    """
    if fault := evaluation.fault(evaluator.metrics):
        raise ContractError(
            f"The evaluator {evaluator.name} returned what cannot be recorded: {fault}. `evaluate` returns exactly the "
            "metrics that `metrics` declares; fractions lie in 0..1."
        )
