"""Kullback-Leibler divergences between predictions, row by row: every number depends on its own two rows alone."""

from __future__ import annotations

import torch
from torch import Tensor

from rethinkdc.pruning.greedy import Greedy
from rethinkdc.pruning.neighbours import Neighbours
from rethinkdc.pruning.ties import first_largest
from rethinkdc.training.checkpoint import Resumable

_CHUNK_NUMBERS = 1 << 20
"""Probabilities that are worked on at a time: 8 MiB."""
_HELD_NUMBERS = 1 << 25
"""Probabilities that are held beside their logarithms, where there are no more: 256 MiB."""


def log_probabilities(logits: Tensor, rows: Tensor, smallest: float) -> Tensor:
    """Logarithms of what a network says of some rows: float64 [n, C], and little beside them.

    Args:
        logits: float [N, C], may be memory-mapped.
        rows: int64 [n].
        smallest: probabilities count as no smaller.
    """
    logs = torch.empty((len(rows), logits.shape[1]), dtype=torch.float64)
    for part in torch.arange(len(rows)).split(max(1, _CHUNK_NUMBERS // logits.shape[1])):
        probabilities = torch.softmax(logits[rows[part]].to(torch.float64), 1)
        logs[part] = probabilities.clamp_(min=smallest).log_()
    return logs


def divergence(logs: Tensor, others: Tensor, *, symmetric: bool, own: Tensor | None = None) -> Tensor:
    """KL(others || logs), or the mean of both directions, of each row: float64 [n].

    Args:
        logs: float64 [n, C], log-probabilities.
        others: float64 [n, C], or [C] for all.
        symmetric: half the sum of (p - q)(log p - log q): no term is negative, and nothing cancels.
        own: the probabilities of ``logs``, float64 [n, C], where they are at hand.
    """
    if symmetric:
        return (others.exp() - (logs.exp() if own is None else own)).mul_(others - logs).sum(1) / 2
    return (others - logs).mul_(others.exp()).sum(1)


def farthest_first(logs: Tensor, count: int, kept: Resumable | None = None) -> Tensor:
    """Picks the row whose smallest symmetric divergence to all picks is largest, again and again (k-center greedy).

    Args:
        logs: float64 [n, C], in the order in which ties are broken; the first row is the first pick.
        count: rows to pick, at most n.
        kept: where a kill left off; None = it loses the picks.

    Returns:
        Distinct positions int64 [count], in pick order.
    """
    apart = torch.full((len(logs),), torch.inf, dtype=torch.float64)
    chunks = torch.arange(len(logs)).split(max(1, _CHUNK_NUMBERS // logs.shape[1]))
    # What most of the time would go into, at every pick.
    held = logs.exp() if logs.numel() <= _HELD_NUMBERS else None
    greedy = Greedy(count, {"apart": apart}, kept)
    for index in greedy.left:
        if index == 0:
            greedy.add(0)
            continue
        latest = int(greedy.picks[-1])
        for chunk in chunks:
            part = slice(int(chunk[0]), int(chunk[-1]) + 1)
            own = None if held is None else held[part]
            near = divergence(logs[part], logs[latest], symmetric=True, own=own)
            apart[part] = torch.minimum(apart[part], near)
        # Rows of equal predictions are 0 apart: a pick must not be picked again for them.
        apart[latest] = -torch.inf
        greedy.add(first_largest(apart))
    return greedy.picks


def contrast(logs: Tensor, queries: Tensor, neighbours: Neighbours, *, symmetric: bool) -> Tensor:
    """Mean divergence of each query from its neighbours: float64 [m]; 0 without neighbours.

    Args:
        logs: float64 [n, C], log-probabilities.
        queries: int64 [m], positions.
        neighbours: of the queries, [m, k].
        symmetric: both directions, else KL of the neighbour to the query.
    """
    step = max(1, _CHUNK_NUMBERS // logs.shape[1])
    total = torch.zeros(len(queries), dtype=torch.float64)
    for column in neighbours.positions.T:
        parts = zip(queries.split(step), column.split(step), strict=True)
        total += torch.cat([divergence(logs[here], logs[there], symmetric=symmetric) for here, there in parts])
    return total / max(1, neighbours.positions.shape[1])
