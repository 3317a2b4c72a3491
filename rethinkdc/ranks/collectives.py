"""Tensors that all ranks put together, or nothing where this process works alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.distributed as dist
from torch import Tensor

from rethinkdc.ranks.living import ENDED, Missing, ended
from rethinkdc.ranks.place import RankError, rank, world
from rethinkdc.ranks.walk import home, met

_SIGNS = ("connection", "gloo", "nccl", "timed out", "socket", "peer", "process group")
"""Words in what torch raises where a rank does not answer."""
_batch: ContextVar[bool | None] = ContextVar("batch", default=None)
"""Whether this rank's rows count in the batch that all share; None = a batch is this process's own."""


@contextmanager
def hearing_ends() -> Iterator[None]:
    """Inside, tensors are put together; that a rank does not answer is an error that names it.

    Raises:
        RankError: a rank ended, or gave no answer in time.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in _SIGNS):
            raise
        raise _silent(error) from error


def sum_up(tensor: Tensor) -> Tensor:
    """Puts the sum over all ranks in place of a tensor, which it returns; the same bits on all."""
    met()
    dist.all_reduce(tensor)
    return tensor


def gather(tensor: Tensor) -> list[Tensor]:
    """The tensors of all ranks, of one shape, by rank."""
    met()
    found = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world())]
    dist.all_gather(found, tensor.contiguous())
    return found


@contextmanager
def sharing_batch(*, counts: bool) -> Iterator[None]:
    """Inside, what this rank has of a batch is a piece of the one that all share.

    Args:
        counts: whether its rows count; a rank without any goes along with one that does not.
    """
    before = _batch.set(counts)
    try:
        yield
    finally:
        _batch.reset(before)


def counts_here() -> bool:
    """Whether this rank's rows count in the batch that all share."""
    return _batch.get() is not False


def whole_norms(norms: Tensor) -> Tensor:
    """Frobenius norms [...] of matrices with a row for each image of a batch, of which each rank has some.

    Args:
        norms: those of this rank's rows; of all rows where no batch is shared, and then given back.
    """
    if _batch.get() is None:
        return norms
    squares = norms.double().square() if counts_here() else torch.zeros_like(norms, dtype=torch.float64)
    return sum_up(squares).sqrt().to(norms.dtype)


def gather_rows(tensor: Tensor, counts: Sequence[int]) -> Tensor | None:
    """The rows of all ranks, one rank's after the other's, on the first rank; None on the others.

    Args:
        tensor: [b, ...], at least the rows that count.
        counts: how many rows of each rank count.
    """
    met()
    most = max(counts)
    sent = tensor.new_zeros((most, *tensor.shape[1:]))
    sent[: counts[rank()]] = tensor[: counts[rank()]]
    found = [torch.empty_like(sent) for _ in counts] if rank() == 0 else None
    dist.gather(sent, found, dst=0)
    return None if found is None else torch.cat([part[:count] for part, count in zip(found, counts, strict=True)])


def copy_first(tensors: Sequence[Tensor]) -> None:
    """Puts the first rank's tensors in place of those of the others."""
    met()
    for tensor in tensors:
        dist.broadcast(tensor, src=0)


def _silent(cause: RuntimeError) -> RankError:
    """Who has ended, as far as that is seen soon; else what torch says."""
    missing, until = Missing(home()), time.monotonic() + ENDED
    while time.monotonic() < until:
        gone = missing.longer_than(0.5, [other for other in range(world()) if other != rank()])
        if gone is not None:
            return ended(gone, "what all compute together")
        time.sleep(0.1)
    return RankError(
        f"Another rank did not answer in time, or could not be reached ({str(cause).strip().splitlines()[0]}): it says "
        "itself why, if it ended. What is finished and the last checkpoint are kept: run the same command again, with "
        "any number of ranks."
    )
