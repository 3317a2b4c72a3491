"""GLISTER: rows that lower the validation loss after one step (Killamsetty et al., AAAI 2021, arXiv 2012.10630).

The paper picks anew every 20 epochs of the student's own training; here, as in DeepCore, rows are picked once, from the
last-layer gradients of a proxy (10 to 40 epochs there). ``step`` is DeepCore's learning rate; CORDS takes 0.01.
The validation rows are the training rows that are picked from: nothing is chosen on the test set.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choice, Choose, LastLayer, Selector, by_rank, pick_by_step


class Glister(Selector):
    """Rows whose last-layer gradients lower the loss of all most, after a step on those picked before."""

    name: ClassVar[str] = "glister"
    paper: ClassVar[str] = "arXiv 2012.10630"

    rounds: int = Field(default=15, ge=1, description="r, how often the validation gradient is computed anew.")
    step: float = Field(default=0.1, gt=0, description="Learning rate of the step that is looked ahead.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:  # noqa: ARG002
        predictions = context.predictions()

        def choose(rows: Tensor, count: int) -> Choice:
            gradients = LastLayer(predictions, data.targets, rows)
            return Choice(pick_by_step(gradients, count, self.rounds, self.step, context.resumable("picks")))

        return by_rank(ranks, choose)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``glister``."""
    return [Glister]
