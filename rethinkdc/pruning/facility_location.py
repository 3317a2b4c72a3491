"""Facility location: picks that are near every row, by exact greedy gains without an n x n kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rethinkdc.pruning.ties import first_largest, largest, settled
from rethinkdc.pruning.vectors import Vectors
from rethinkdc.training.checkpoint import Resumable

Similarity = Callable[[Tensor, Tensor], Tensor]
"""Similarity of rows at some positions (int64 [a]) to rows at others ([b]): float64 [a, b], not negative, symmetric."""

_TILE = 512
"""Rows by rows whose similarities are held at a time: 2 MiB."""

_LISTED = 2 << 20
"""Similarities above what the picks give that are listed from then on: 12 bytes each, 24 MiB."""


def cosine_similarity(vectors: Vectors) -> Similarity:
    """(1 + cos) / 2; a vector of length 0 is at right angles to all."""
    norms = vectors.squared_norms().sqrt()
    inverse = torch.where(norms > 0, 1 / norms, 0.0)

    def similarity(left: Tensor, right: Tensor) -> Tensor:
        halves: Tensor = vectors.products(left, right).mul_(inverse[left, None] / 2).mul_(inverse[right])
        return halves.add_(0.5).clamp_(0, 1)

    return similarity


def distance_similarity(vectors: Vectors) -> Similarity:
    """A constant beyond every distance, less the Euclidean distance; the greedy picks do not depend on the constant."""
    norms = vectors.squared_norms()
    beyond, scale = 2 * float(norms.max()) ** 0.5, 4 * float(norms.max())

    def similarity(left: Tensor, right: Tensor) -> Tensor:
        squared: Tensor = vectors.products(left, right).mul_(-2).add_(norms[left, None]).add_(norms[right])
        # A root makes much of a rounding next to 0.
        return settled(squared.clamp_(min=0), scale).sqrt_().neg_().add_(beyond)

    return similarity


def locate_facilities(
    similarity: Similarity, rows: int, count: int, weights: Tensor | None = None, kept: Resumable | None = None
) -> Tensor:
    """Greedily maximises f(S) = sum_i w_i max_{j in S} s_ij (Mirzasoleiman et al., arXiv 1409.7938).

    The gain of x is sum_i w_i max(0, s_ix - m_i) with m_i = max_{j in S} s_ij. All gains are kept exact: a pick changes
    m_i for the rows that are nearer to it than to those before, and only their similarities are computed again; their
    number falls as 1 / |S|. As soon as few similarities lie above m_i these are listed, and none is computed any more.

    Args:
        similarity: of rows at positions in the order in which ties are broken.
        rows: n.
        count: rows to pick, at most n.
        weights: float64 [n], not negative; None = 1 each.
        kept: where a kill left off, also inside the passes over n x n pairs; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order. Memory: 64 MiB and a few numbers for each row.
    """
    weights = torch.ones(rows, dtype=torch.float64) if weights is None else weights
    location = _Location(similarity, weights, kept)
    location.sum_gains()
    taken = torch.zeros(rows, dtype=torch.bool)
    taken[location.picks] = True
    while len(location.picks) < count:
        if not location.covering:
            best = first_largest(location.gains.masked_fill(taken, -torch.inf), location.scale)
            location.picks.append(best)
            taken[best] = True
        if len(location.picks) < count:
            location.cover()
    return torch.tensor(location.picks, dtype=torch.int64)


class _Location:
    """The picks so far and the gains of all rows, with how far the pass has come that goes on.

    Attributes:
        picks: positions, in pick order.
        gains: float64 [n], exact but while a pick is being covered.
        scale: of the gains before the first pick.
        covering: whether the newest pick has not been covered to its end.
    """

    def __init__(self, similarity: Similarity, weights: Tensor, kept: Resumable | None) -> None:
        rows = len(weights)
        self._similarity, self._weights, self._kept = similarity, weights, kept
        self._tiles = torch.arange(rows).split(_TILE)
        self.picks: list[int] = []
        self.gains, self._covered = (torch.zeros(rows, dtype=torch.float64) for _ in range(2))
        self.scale, self.covering = 0.0, False
        self._summed = self._tile = 0
        self._listing, self._listed = _Listing(rows), False
        # Few enough pairs are to be expected when n^2 / (picks + 1) are; looked for again later where there are more.
        self._look = rows * rows / _LISTED - 1
        if kept is not None and (state := kept.restore()):
            self._restore(state)

    def sum_gains(self) -> None:
        """Computes the gain of each row before anything is covered."""
        for part in self._tiles[self._summed :]:
            for others in self._tiles:
                self.gains[part] += self._weights[others] @ self._similarity(others, part)
            self._summed += 1
            self._keep()
        if not self.picks:
            self.scale = float(self.gains.max())

    def cover(self) -> None:
        """Covers by the newest pick what is nearer to it than to those before, and goes on where it was left."""
        self.covering = True
        best, index = self.picks[-1], len(self.picks) - 1
        if not self._listed and index >= self._look:
            self._list(1.5 * index + 1)
        if self._listed:
            self._listing.pick(best, self._covered, self.gains, self._weights)
        else:
            self._cover(best)
        self.covering = False
        self._keep()

    def _cover(self, best: int) -> None:
        column = torch.cat([self._similarity(part, torch.tensor([best]))[:, 0] for part in self._tiles])
        nearer = (column > self._covered).nonzero().flatten()
        for part in nearer.split(_TILE)[self._tile :]:
            low, high = self._covered[part, None], column[part, None]
            for others in self._tiles:
                lost = self._similarity(part, others).clamp_(low, high).sub_(low)
                self.gains[others] -= self._weights[part] @ lost
            self._tile += 1
            self._keep()
        self._covered[nearer], self._tile = column[nearer], 0

    def _list(self, later: float) -> None:
        """Lists the pairs; where there are too many of them, they are looked for again at a later pick."""
        while self._listing.listed < len(self._tiles):
            if not self._listing.extend(self._similarity, self._tiles, self._covered):
                self._listing, self._look = _Listing(len(self._covered)), later
                return
            self._keep()
        self._listed = True

    def _keep(self) -> None:
        if self._kept is not None:
            self._kept.keep(self._state, done=len(self.picks))

    def _state(self) -> dict[str, Any]:
        return {
            "picks": list(self.picks),
            "gains": self.gains,
            "covered": self._covered,
            "numbers": [self.scale, self.covering, self._summed, self._tile, self._listed, self._look],
            "listing": self._listing.state(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.picks, self.gains, self._covered = list(state["picks"]), state["gains"], state["covered"]
        self.scale, self.covering, self._summed, self._tile, self._listed, self._look = state["numbers"]
        self._listing.restore(state["listing"])


class _Listing:
    """The pairs of rows whose similarity lies above what covers the first of them, in the order of those.

    Attributes:
        listed: tiles of first rows whose pairs are listed.
    """

    def __init__(self, rows: int) -> None:
        self.listed = self._pairs = 0
        # Where the pairs of each row start.
        self._starts = torch.zeros(rows + 1, dtype=torch.int64)
        self._others, self._values = torch.empty(0, dtype=torch.int32), torch.empty(0, dtype=torch.float64)

    def extend(self, similarity: Similarity, tiles: Sequence[Tensor], covered: Tensor) -> bool:
        """Lists the pairs of the next tile of first rows; False where there are too many of them."""
        if not len(self._values):
            # Whole at once: pieces that are kept between tiles would keep the memory of the tiles, too.
            self._others, self._values = self._others.new_empty(_LISTED), self._values.new_empty(_LISTED)
        part, begin, owners = tiles[self.listed], self._pairs, []
        for block in tiles:
            near = similarity(part, block)
            above = near > covered[part, None]
            end = self._pairs + int(above.sum())
            if end > _LISTED:
                return False
            owner, places = above.nonzero(as_tuple=True)
            owners.append(owner.to(torch.int16))
            self._others[self._pairs : end], self._values[self._pairs : end] = block[places], near[above]
            self._pairs = end
        mine, owned = slice(begin, self._pairs), torch.cat(owners)
        order = torch.argsort(owned, stable=True)
        self._others[mine], self._values[mine] = self._others[mine][order], self._values[mine][order]
        self._starts[part + 1] = begin + torch.bincount(owned, minlength=len(part)).cumsum(0)
        self.listed += 1
        return True

    def pick(self, best: int, covered: Tensor, gains: Tensor, weights: Tensor) -> None:
        """Covers by one more row, in place: int ``best``, float64 ``covered``, ``gains`` and ``weights`` [n]."""
        all_others, values = self._others[: self._pairs], self._values[: self._pairs]
        pairs = (all_others == best).nonzero().flatten()
        rows = torch.bucketize(pairs, self._starts[1:], right=True)
        nearer = values[pairs] > covered[rows]
        rows, high = rows[nearer], values[pairs[nearer]]
        # All pairs of those rows, one row after the other.
        lengths = self._starts[rows + 1] - self._starts[rows]
        owner = torch.repeat_interleave(torch.arange(len(rows)), lengths)
        within = torch.arange(len(owner)) - (lengths.cumsum(0) - lengths)[owner]
        places = self._starts[rows][owner] + within
        low = covered[rows][owner]
        lost = torch.clamp(torch.minimum(values[places], high[owner]) - low, min=0) * weights[rows][owner]
        gains -= torch.bincount(all_others[places], weights=lost, minlength=len(gains))
        covered[rows] = high

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` puts back."""
        pairs = slice(0, self._pairs)
        return {
            "listed": self.listed,
            "starts": self._starts,
            "others": self._others[pairs].clone(),
            "values": self._values[pairs].clone(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what :meth:`state` gave."""
        self.listed, self._starts, self._pairs = state["listed"], state["starts"], len(state["values"])
        if self.listed:
            self._others, self._values = self._others.new_empty(_LISTED), self._values.new_empty(_LISTED)
            self._others[: self._pairs], self._values[: self._pairs] = state["others"], state["values"]


def assigned(similarity: Similarity, rows: int, picks: Tensor) -> Tensor:
    """How many rows each pick stands for: float64 [k], of sum n; a row between two goes to the earlier pick."""
    counts = torch.zeros(len(picks), dtype=torch.int64)
    for part in torch.arange(rows).split(max(1, _TILE * _TILE // len(picks))):
        nearest = largest(similarity(part, picks)).to(torch.uint8).argmax(1)
        counts += torch.bincount(nearest, minlength=len(picks))
    return counts.to(torch.float64)
