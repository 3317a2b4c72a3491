"""What selectors have in common: compressors that return rows of the training set, class by class or from all."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.pruning.classwise import Choice, Choose, choose_rows, random_ranks
from rethinkdc.types import Budget, Images

if TYPE_CHECKING:
    from rethinkdc.contracts.context import Context


class Selector(Compressor):
    """Base of compressors that return rows; a subclass says how rows of one class (or of all) are chosen."""

    family: ClassVar[str] = "pruning"
    shares: ClassVar[bool] = True

    balance: Literal["class"] | None = Field(
        default="class", description="The same number of each class; none = from all rows at once."
    )

    @property
    def balanced(self) -> bool:
        return self.balance == "class"

    def chooser(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choose:
        """Prepares what all classes share, and returns the function that picks from given rows.

        What it picks must follow from its rows alone, and not from what was picked before: classes that are kept from
        before a kill, or that other ranks pick from, are not asked for again. Draws for all classes are made here.

        Args:
            data: the training set.
            budget: of the whole set.
            ranks: int64 [N], a seeded random rank of each row: the lower one wins ties, and starts where a method
                starts at random.
            context: traces, predictions and scores come from here.
        """
        raise NotImplementedError

    def choice(self, data: Images, budget: Budget, ranks: Tensor, context: Context) -> Choice:
        """Picks the rows of the whole set: for a subclass whose classes depend on one another, in place of a chooser.

        Args:
            data: the training set.
            budget: of the whole set.
            ranks: as for :meth:`chooser`.
            context: keeps what is picked.

        Returns:
            Rows (not positions) int64 [total], class by class when ``balanced``; weights where there are some.
        """
        choose = self.chooser(data, budget, ranks, context)
        return choose_rows(data.targets, budget, balanced=self.balanced, choose=choose, passing=context.chunks)

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        ranks = random_ranks(len(data), context.generator("set", self.name))
        rows, weights = self.choice(data, budget, ranks, context)
        return CompressedSet.of_rows(data, rows, weights)
