"""Whether an evaluator keeps its word: boards and tables know no more of it than the metrics that it declares."""

from __future__ import annotations

from rethinkdc.contracts.kinds import Evaluator
from rethinkdc.errors import PluginError, RethinkError
from rethinkdc.measurement import Evaluation


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


def check_evaluation(evaluation: Evaluation, evaluator: Evaluator) -> None:
    """Checks that what was measured is what the evaluator declares, and can be: else no board would read the record.

    Raises:
        RethinkError: a metric is missing or not declared, or a number is none that its unit allows.
    """
    if fault := evaluation.fault(evaluator.metrics):
        raise RethinkError(
            f"The evaluator {evaluator.name} returned what cannot be recorded: {fault}. `evaluate` returns exactly the "
            "metrics that `metrics` declares; fractions lie in 0..1."
        )
