"""What the ranks of a training do together: each renders and trains on its share, and all hold the same weights.

The batch is global: its rows, its order and its views are those of one process, split by position. Gradients are
averaged by ``torch.nn.parallel.DistributedDataParallel``. In a single process nothing of this happens.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from rethinkdc import interruption, ranks
from rethinkdc.ranks.collectives import copy_first, gather, gather_rows, hearing_ends, sharing_batch, sum_up
from rethinkdc.training.checkpoint import Clock
from rethinkdc.training.normalisation import GroupedStatistics, SharedStatistics
from rethinkdc.training.share import Share


class Told(NamedTuple):
    """What ranks told each other at the end of a step.

    Attributes:
        loss: float64 [], the mean loss of the whole batch.
        asked: the signal that asked any of them to end; None = none did. All end then, with a checkpoint.
        due: whether a checkpoint is to be written.
    """

    loss: Tensor
    asked: int | None
    due: bool


@dataclass(frozen=True)
class Together:
    """A training that ranks share.

    Attributes:
        share: of this rank.
        device: that trains.
    """

    share: Share
    device: torch.device

    @property
    def alone(self) -> bool:
        """Whether there is one process."""
        return self.share.world == 1

    def averaging(self, model: nn.Module) -> nn.Module:
        """What is trained in place of ``model``: the same, whose gradients are the mean over the ranks.

        All parameters take part in one order, whichever of them a step needs, so that the sums have the same bits after
        a kill.
        """
        if self.alone:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        with warnings.catch_warnings():
            # Newer versions of torch have another name for what older ones know by this one.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(
                model, device_ids=devices, broadcast_buffers=False, find_unused_parameters=True
            )

    def hearing(self) -> AbstractContextManager[Any]:
        """Inside, a rank that ends is an error that names it."""
        return nullcontext() if self.alone else hearing_ends()

    @contextmanager
    def asking(self, count: int) -> Iterator[None]:
        """Inside, teachers are asked of a batch of ``count``: those that take its statistics take all of it."""
        if self.alone:
            yield
            return
        with sharing_batch(counts=bool(self.share.own(count))), SharedStatistics():
            yield

    def normalising(self, count: int) -> AbstractContextManager[Any]:
        """Inside, the network that is trained is shown this rank's share of a batch of ``count``."""
        if self.share.groups > 1:
            return GroupedStatistics(self.share.own_sizes(count), keeps=self.share.rank == 0)
        return self.asking(count)

    def mean(self, losses: Tensor, count: int) -> Tensor:
        """What this rank differentiates: the mean over the ranks is the mean of all ``count`` losses.

        Args:
            losses: [b] of this rank's views, weighted.
            count: images in the batch.
        """
        if self.alone:
            return losses.mean()
        return losses[: len(self.share.own(count))].sum() * (self.share.world / count)

    def tell(self, loss: Tensor, clock: Clock) -> Told:
        """Tells the others of a step that is done, and hears of theirs.

        Args:
            loss: what :meth:`mean` gave.
            clock: says whether this rank wants a checkpoint.
        """
        # In this order: a signal that comes in between is heard of at the end of the next step, by all.
        asked, due = interruption.signalled(), clock.due()
        if self.alone:
            return Told(loss.detach(), asked, due)
        mine = (loss.detach().double() / self.share.world).view(1)
        flags = torch.tensor([float(asked or 0), float(due)], dtype=torch.float64)
        if self.device.type == "cpu":
            rows = torch.stack(gather(torch.cat([mine, flags])))
            losses, flags = rows[:, 0].sum(), rows[:, 1:]
        else:
            # Beside the others: reading it back would make a GPU wait.
            losses, flags = sum_up(mine)[0], torch.stack(gather(flags))
        signal = int(flags[:, 0].max()) or None
        return Told(losses, signal, signal is not None or bool(flags[0, 1]))

    def seen(self, tensor: Tensor, count: int) -> Tensor | None:
        """The rows of a whole batch of ``count`` from those of each rank, on the first; None on the others."""
        if self.alone:
            return tensor
        return gather_rows(tensor, [len(piece) for piece in self.share.pieces(count)])

    def copy_buffers(self, models: Iterable[nn.Module]) -> None:
        """Gives all ranks the first one's running statistics, where they differ: those of the first group."""
        if not self.alone and self.share.groups > 1:
            copy_first([buffer for model in models for buffer in model.buffers()])


def agreed_state(find: Callable[[], dict[str, Any] | None], folder: Path | None) -> dict[str, Any] | None:
    """The checkpoint that all ranks go on from, or None: that which the first finds.

    Args:
        find: reads it; its ``step`` names it.
        folder: where it lies, which an error names.

    Raises:
        RankError: this rank does not find what the first found.
    """
    state = find() if ranks.writes() else None
    told = ranks.decided(lambda: state["step"] if state else None, "the checkpoint")
    if told is not None and not ranks.writes():
        state = find()
        if state is None or state["step"] != told:
            raise ranks.RankError(
                f"Rank {ranks.rank()} cannot go on from the checkpoint of step {told:,} in {folder}, which the first "
                "rank read. Do all see one cache folder?"
            )
    # The first rank may write the next one.
    ranks.meet("the checkpoint, read")
    return state
