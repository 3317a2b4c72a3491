"""Messages between neighbours (Maharana et al., D2 Pruning, ICLR 2024, arXiv 2310.07931, section 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.neighbours import Neighbours
from rethinkdc.pruning.ties import first_largest
from rethinkdc.training.checkpoint import Resumable


class Edges(NamedTuple):
    """To whom each of n rows is joined: those of row i stand at ``starts[i]`` to ``starts[i + 1]``, in ascending order.

    Attributes:
        starts: int64 [n + 1].
        others: int64 [E], positions.
        distances: float64 [E].
    """

    starts: Tensor
    others: Tensor
    distances: Tensor

    def of(self, row: int) -> slice:
        """Where the edges of a row stand."""
        return slice(int(self.starts[row]), int(self.starts[row + 1]))


def join(neighbours: Neighbours, *, both_ways: bool) -> Edges:
    """Joins each row to its neighbours and, ``both_ways``, also to the rows whose neighbour it is.

    Args:
        neighbours: of each row, [n, k].
        both_ways: an undirected graph, as the paper has it; a row may then have more than k edges, and at most 2 n k
            stand in all.
    """
    rows, count = neighbours.positions.shape
    owners, others = torch.arange(rows).repeat_interleave(count), neighbours.positions.flatten()
    distances = neighbours.distances.flatten()
    if both_ways:
        owners, others = torch.cat([owners, others]), torch.cat([others, owners])
        distances = distances.repeat(2)
    keys = owners * rows + others
    order = torch.argsort(keys, stable=True)
    # Of an edge that stands there twice, the first.
    order = order[torch.cat([keys.new_ones(1, dtype=torch.bool), keys[order].diff() > 0])[: len(order)]]
    starts = torch.cat([keys.new_zeros(1), torch.bincount(owners[order], minlength=rows).cumsum(0)])
    return Edges(starts, others[order], distances[order])


def gather_scores(scores: Tensor, edges: Edges) -> Tensor:
    """Forward pass: each score and those that it is joined to, which weigh exp(-distance). Float64 [n].

    Args:
        scores: float64 [n], not negative.
        edges: of each row.
    """
    owners = torch.arange(len(scores)).repeat_interleave(edges.starts.diff())
    messages = torch.exp(-edges.distances) * scores[edges.others]
    return scores + torch.bincount(owners, weights=messages, minlength=len(scores))


def pick_apart(values: Tensor, edges: Edges, count: int, gamma: float, kept: Resumable | None = None) -> Tensor:
    """Reverse pass: picks the largest value again and again, each time taking exp(-gamma d) of it from its neighbours.

    Args:
        values: float64 [n], in the order in which ties are broken.
        edges: of each row.
        count: rows to pick, at most n.
        gamma: how fast a pick's influence fades with the distance d; 0 = not at all.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    left, scale = values.clone(), float(values.abs().max())
    greedy = Greedy(count, {"left": left}, kept)
    taken, shares = greedy.taken(len(values)), torch.exp(-gamma * edges.distances)
    for _ in greedy.left:
        best = first_largest(left.masked_fill(taken, -torch.inf), scale)
        taken[best] = True
        near = edges.of(best)
        left[edges.others[near]] -= shares[near] * left[best]
        greedy.add(best)
    return greedy.picks
