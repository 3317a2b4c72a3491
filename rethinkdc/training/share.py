"""Which part of each batch a rank trains on, and how a batch is normalised."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from rethinkdc import ranks
from rethinkdc.errors import RequestError


@dataclass(frozen=True)
class Share:
    """The positions of a batch are split over the ranks: each has a piece, one after the other.

    Attributes:
        rank: which of the ranks this is.
        world: how many there are.
        groups: parts of a batch that BatchNorm normalises each by itself; 1 = the batch as a whole.
    """

    rank: int = 0
    world: int = 1
    groups: int = 1

    def pieces(self, count: int) -> list[range]:
        """The positions of each rank in a batch of ``count``; some have none where it is smaller than the ranks."""
        if self.groups == 1:
            return _ranges([len(part) for part in torch.arange(count).tensor_split(self.world)])
        each = self.groups // self.world
        bounds = [0, *(sum(self.sizes(count)[: each * (rank + 1)]) for rank in range(self.world))]
        return [range(first, last) for first, last in pairwise(bounds)]

    def own(self, count: int) -> range:
        """The positions of this rank."""
        return self.pieces(count)[self.rank]

    def places(self, count: int) -> Tensor:
        """Int64 [b]: the positions that this rank renders; the first, which then does not count, where it has none."""
        own = self.own(count)
        return torch.arange(own.start, own.stop) if own else torch.zeros(1, dtype=torch.int64)

    def sizes(self, count: int) -> list[int]:
        """The groups of a batch of ``count`` as ``torch.nn.DataParallel`` scatters it over as many replicas."""
        sizes = [len(part) for part in torch.arange(count).chunk(self.groups)]
        return sizes + [0] * (self.groups - len(sizes))

    def own_sizes(self, count: int) -> list[int]:
        """The groups of this rank."""
        each = self.groups // self.world
        return self.sizes(count)[each * self.rank : each * (self.rank + 1)]


def share_of(batch: int, groups: int) -> Share:
    """This rank's share of batches of ``batch`` images; all of them where this process works alone.

    Raises:
        RequestError: there are more ranks than images in a batch, or they do not divide the groups.
    """
    if groups > batch:
        raise RequestError(
            f"The recipe normalises each batch in {groups} groups, and a batch has {batch} images: give it fewer "
            "groups, or a larger batch."
        )
    if not ranks.together():
        return Share(groups=groups)
    share = Share(ranks.rank(), ranks.world(), groups)
    if share.world > batch:
        raise RequestError(
            f"{share.world} ranks cannot share a batch of {batch} images: each needs one at least. Start {batch} ranks "
            "or fewer (torchrun --nproc-per-node)."
        )
    if groups > 1 and groups % share.world:
        fitting = ", ".join(str(count) for count in range(1, groups + 1) if groups % count == 0)
        raise RequestError(
            f"The recipe normalises each batch in {groups} groups, which {share.world} ranks cannot share equally. "
            f"Start as many ranks as divide them: {fitting}."
        )
    return share


def _ranges(sizes: list[int]) -> list[range]:
    bounds = [0]
    for size in sizes:
        bounds.append(bounds[-1] + size)
    return [range(first, last) for first, last in pairwise(bounds)]
