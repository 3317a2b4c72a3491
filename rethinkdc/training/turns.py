"""Batches that ranks predict in turns, and all are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from rethinkdc import ranks
from rethinkdc.ranks.collectives import gather, hearing_ends


def own_turns(parts: Sequence[Tensor]) -> Sequence[Tensor]:
    """Of the batches (rows int64 [b] each) those that this rank predicts: all, or every ``world``-th.

    A rank for which there is none predicts the first, so that it knows the shapes.
    """
    if not ranks.together():
        return parts
    return [parts[index] for index in ranks.own_parts(len(parts))] or parts[:1]


def given_all(own: Iterator[tuple[Tensor, ...]], parts: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """What was predicted of all batches, in order, on every rank.

    Args:
        own: what this rank predicts of :func:`own_turns`: tensors [b, ...] on the CPU.
        parts: all batches.

    Raises:
        RankError: another rank ended.
    """
    if not ranks.together():
        yield from own
        return
    most, world = max(map(len, parts), default=0), ranks.world()
    sent: list[Tensor] = []
    for first in range(0, len(parts), world):
        # Past its last batch a rank sends what nobody reads.
        if (found := next(own, None)) is not None:
            sent = [tensor.new_zeros((most, *tensor.shape[1:])) for tensor in found]
            for place, tensor in zip(sent, found, strict=True):
                place[: len(tensor)] = tensor
        with hearing_ends():
            heard = [gather(tensor) if tensor.numel() else [tensor] * world for tensor in sent]
        for turn, part in enumerate(parts[first : first + world]):
            yield tuple(tensors[turn][: len(part)] for tensors in heard)
