"""The standard evaluator: train a student from scratch, report the last epoch."""

from __future__ import annotations

from typing import ClassVar

from rethinkdc.contracts import Method, hookimpl
from rethinkdc.evaluation import StudentEvaluator


class Standard(StudentEvaluator):
    """Trains the protocol's student from scratch; top-1, top-5 and loss of the last epoch, per class, and a curve."""

    name: ClassVar[str] = "standard"


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the evaluator ``standard``."""
    return [Standard]
