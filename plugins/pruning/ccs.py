"""CCS: coverage-centric coreset selection (Zheng et al., ICLR 2023, arXiv 2210.15809).

Drops a share of the hardest rows, which are often mislabelled, splits the range of the rest into strata of equal width
and draws a fair share of each. The authors cut by AUM whatever the score, and choose the cut by pruning rate: 0.3 at
90 % on CIFAR-10 and ImageNet; budgets of 10 to 100 images per class lie beyond their table. Their AUM is the sum of
the probability margin over one full run: 200 epochs on CIFAR, 60 on ImageNet with ResNet-34. They do not balance the
classes (``balance=none``). In their code strata reach a ten-thousandth of the highest score further, so that it lies
in the last one; here that one is closed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Budget, Context, Images, Method, OfKind, Reference, hookimpl
from rethinkdc.pruning import Choice, Choose, Selector, cover_strata, drop_highest, rotate

AUM = Reference(name="aum", values={"space": "prob"})


class CCS(Selector):
    """Drops the hardest rows, then draws evenly over the range of the score."""

    name: ClassVar[str] = "ccs"
    paper: ClassVar[str] = "arXiv 2210.15809"

    score: Annotated[Reference, OfKind("score")] = Field(default=AUM, description="The score that is covered.")
    cut: float = Field(default=0.3, ge=0, lt=1, description="Share of the hardest rows that is dropped first.")
    cut_by: Annotated[Reference | None, OfKind("score")] = Field(
        default=None, description="Score that the cut goes by; none = the same (the authors: aum of probabilities)."
    )
    strata: int = Field(default=50, ge=1, description="Strata of equal width; at most the budget of a class.")

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:
        scores = context.score(self.score)
        cut_by = scores if self.cut_by is None else context.score(self.cut_by)
        draws = context.generator("set", self.name, "strata")
        # Of every class before any is picked from: what a class gets depends on no other.
        rotations = [rotate(count, self.strata, draws) for count in budget.per_class] if self.balanced else []

        def choose(rows: Tensor, count: int) -> Choice:
            rotation = rotations[int(data.targets[rows[0]])] if rotations and len(rows) else None
            kept = drop_highest(cut_by[rows], ranks[rows], self.cut)
            left = rows[kept]
            return Choice(kept[cover_strata(scores[left], count, self.strata, ranks[left], rotation)])

        return choose


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``ccs``."""
    return [CCS]
