"""GLISTER: rows that lower the validation loss after one step (Killamsetty et al., AAAI 2021, arXiv 2012.10630).

The paper picks anew every 20 epochs of the student's own training; here, as in DeepCore, rows are picked once, from
the last-layer gradients of a proxy (10 to 40 epochs there). ``step`` is DeepCore's learning rate; CORDS takes the
student's, 0.05 on CIFAR-10. As in its supervised configuration one validation loss, of all classes, leads all picks;
there its rows are a tenth of the training set, held out, and here they are the training rows themselves: nothing is
chosen on the test set. With ``balance=class`` each round picks the same number of each class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, hookimpl, joined
from rethinkdc.pruning import Choice, LastLayer, Selector, groups_of, pick_by_step


class Glister(Selector):
    """Rows whose last-layer gradients lower the loss of all most, after a step on those picked before."""

    name: ClassVar[str] = "glister"
    paper: ClassVar[str] = "arXiv 2012.10630"
    revision: ClassVar[int] = 2

    rounds: int = Field(default=15, ge=1, description="r, how often the validation gradient is computed anew.")
    step: float = Field(default=0.1, gt=0, description="Learning rate of the step that is looked ahead.")

    def choice(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choice:
        counts = [count for _, count in groups_of(data.targets, budget, balanced=self.balanced)]
        order = torch.argsort(ranks)
        group = data.targets[order] if self.balanced else torch.zeros(len(data), dtype=torch.int64)
        gradients = LastLayer(context.predictions(), data.targets, order)

        def picked(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for _ in spans:
                found = pick_by_step(gradients, group, counts, self.rounds, self.step, context.resumable("picks"))
                yield {"rows": order[found.picks], "restarts": torch.tensor([found.restarts])}

        chunks = context.chunks("picks", 1, 1, picked, unit="choices")
        rows, restarts = joined(chunks, "rows"), int(joined(chunks, "restarts"))
        if restarts:
            context.note(glister_vanished=restarts)
        return Choice(rows[torch.argsort(data.targets[rows], stable=True)] if self.balanced else rows)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``glister``."""
    return [Glister]
