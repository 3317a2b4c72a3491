"""Whether an evaluator keeps its word: boards and tables know no more of it than the metrics that it declares."""

from __future__ import annotations

import math

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
    """Checks that what was measured is what the evaluator declares.

    Raises:
        RethinkError: a metric is missing or not declared, or a number is not finite.
    """
    declared, measured = {metric.name for metric in evaluator.metrics}, evaluation.metrics
    if declared != measured.keys():
        raise RethinkError(
            f"The evaluator {evaluator.name} declares the metrics {', '.join(sorted(declared))}; its evaluation has "
            f"{', '.join(sorted(measured)) or 'none'}. Declare in `metrics` exactly what `evaluate` returns."
        )
    if odd := {name: value for name, value in measured.items() if not math.isfinite(value)}:
        raise RethinkError(f"The evaluator {evaluator.name} measured no finite number: {odd}.")
    # JSON has no such numbers: the record could be written, and never read.
    for name, values in (
        ("curve", [value for point in evaluation.curve for value in point.values()]),
        ("per_class", evaluation.per_class),
    ):
        if not all(map(math.isfinite, values)):
            raise RethinkError(f"The evaluator {evaluator.name} returned a number in `{name}` that is not finite.")
