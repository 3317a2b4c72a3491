"""GRAD-MATCH: weighted rows whose gradients add up to that of all (Killamsetty et al., ICML 2021, arXiv 2103.00123).

The paper picks anew every 20 epochs of the student's own training; here, as in DeepCore, rows are picked once, from
the last-layer gradients of a proxy (10 to 40 epochs there). ``lam`` is DeepCore's; CORDS takes 0.5 on CIFAR-10. As in
CORDS the sum of the gradients is matched; DeepCore matches the mean, so that its weights are smaller by the number of
rows. Weights keep the scale that they are solved for, which is what tells classes apart; the set divides all by their
mean. Rows without weight are replaced by others; DeepCore leaves them out, and CORDS fills up at random.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl
from rethinkdc.pruning import Choose, LastLayer, Selector, by_rank, match_gradients, require_room


class GradMatch(Selector):
    """Weighted rows whose last-layer gradients add up to the full gradient, by orthogonal matching pursuit."""

    name: ClassVar[str] = "gradmatch"
    paper: ClassVar[str] = "arXiv 2103.00123"
    revision: ClassVar[int] = 2

    lam: float = Field(default=1.0, ge=0, description="Strength of the penalty on large weights.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:
        # Before a proxy is trained for it.
        if not self.balanced:
            require_room(len(data), budget.total)
        predictions = context.predictions()
        return by_rank(
            ranks,
            lambda rows, count: match_gradients(
                LastLayer(predictions, data.targets, rows), count, self.lam, context.resumable("picks")
            ),
        )


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``gradmatch``."""
    return [GradMatch]
