"""Stored labels: shards of coded logits, streamed to disk and read back through memory maps."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc import ranks
from rethinkdc.contracts.context import Context
from rethinkdc.data.chunks import joined
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.labels.coding import Coding
from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.storage import copy_file, load_tensors, write_tensors
from rethinkdc.training.ahead import in_order
from rethinkdc.types import ViewBatch

SHARD_BYTES = 16 << 20
"""Bytes of labels in a shard, about."""


PIECE_VIEWS = 1 << 14
"""Views in a piece of a shard, about; a shard of a thousand classes in float16 is one piece."""


class Piece(NamedTuple):
    """Some batches of a shard, and the file that keeps them while labels are made; the shard's own where it is all."""

    file: str
    shard: int
    batches: range


class Shards:
    """Which batches lie in which file.

    Args:
        schedule: the batches.
        coding: of their logits.
        classes: C.
    """

    def __init__(self, schedule: LabelSchedule, coding: Coding, classes: int) -> None:
        self.schedule, self.coding, self.classes = schedule, coding, classes
        each = schedule.length.batch * coding.bytes_per_view(classes)
        self.batches = max(1, SHARD_BYTES // each)

    @property
    def count(self) -> int:
        """Number of files."""
        return -(-self.schedule.count // self.batches)

    @property
    def files(self) -> list[str]:
        """Names of the files."""
        return [f"labels-{shard:05d}.safetensors" for shard in range(self.count)]

    def within(self, shard: int) -> range:
        """The batches of a shard."""
        return range(shard * self.batches, min((shard + 1) * self.batches, self.schedule.count))

    @property
    def pieces(self) -> list[Piece]:
        """The shards, those of very many views in several pieces, which are made, and shared by ranks, one by one."""
        pieces = []
        for shard, name in enumerate(self.files):
            batches = self.within(shard)
            views = self.schedule.start(batches.stop) - self.schedule.start(batches.start)
            count = max(1, min(round(views / PIECE_VIEWS), len(batches)))
            cuts = [batches.start + len(batches) * cut // count for cut in range(count + 1)]
            for index, (first, end) in enumerate(pairwise(cuts)):
                file = name if count == 1 else f"labels-{shard:05d}-{index:05d}.safetensors"
                pieces.append(Piece(file, shard, range(first, end)))
        return pieces

    def place(self, batch: int) -> tuple[int, slice]:
        """The shard of a batch, and its rows in there."""
        shard = batch // self.batches
        first = self.schedule.start(shard * self.batches)
        return shard, slice(self.schedule.start(batch) - first, self.schedule.start(batch + 1) - first)


def write_labels(
    shards: Shards, ensemble: Ensemble, render: Callable[[int], ViewBatch], context: Context, out: Path
) -> None:
    """Asks the teachers for the logits of every batch of views, once, and writes them to ``out``.

    Args:
        shards: which batches, how coded.
        ensemble: the teachers.
        render: gives the views of a batch.
        context: of the making. Its working folder survives a kill: what lies there is not made again.
        out: folder of the artefact.

    Raises:
        RequestError: a logit is not finite; names the batch.
    """
    pieces = shards.pieces

    def make(index: int) -> dict[str, Tensor]:
        batches = pieces[index].batches

        def coded(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            wanted = [batches[span.start] for span in spans]
            yield from _coded(wanted, shards.coding, ensemble, render, context.workers)

        chunks = context.chunks("labels", len(batches), 1, coded, unit="batches")
        return {name: joined(chunks, name) for name in chunks[0]}

    made = context.parts(len(pieces), make, files=[piece.file for piece in pieces])
    for shard, name in enumerate(shards.files if ranks.writes() else []):
        own = [index for index, piece in enumerate(pieces) if piece.shard == shard]
        if len(own) == 1:
            _give_second_name(context.folder / name, out / name)
        else:
            parts = [made[index] for index in own]
            write_tensors(out / name, {key: joined(parts, key) for key in parts[0]})


class LabelReader:
    """Reads the logits of a batch back; a shard is mapped when it is first asked for.

    Args:
        folder: of the shards.
        shards: which batches, how coded.
        decoder: file of what the coding was learned to be; None = it was not learned.
    """

    def __init__(self, folder: Path, shards: Shards, decoder: Path | None = None) -> None:
        self.folder, self.shards, self.decoder = folder, shards, decoder
        self._mapped: dict[int, dict[str, Tensor]] = {}

    @property
    def bytes(self) -> int:
        """Bytes of the files, exactly as on disk: those of the labels, and what is needed to decode them."""
        files = [self.folder / name for name in self.shards.files]
        return sum(path.stat().st_size for path in (*files, *filter(None, [self.decoder])))

    def logits(self, batch: int) -> Tensor:
        """Float32 [B, C]."""
        shard, rows = self.shards.place(batch)
        if shard not in self._mapped:
            self._mapped[shard] = load_tensors(self.folder / self.shards.files[shard])
        path = self.folder / self.shards.files[shard]
        try:
            logits = self.shards.coding.decode({name: tensor[rows] for name, tensor in self._mapped[shard].items()})
        except (KeyError, IndexError, RuntimeError) as error:
            raise _other_labels(path) from error
        if logits.shape != (rows.stop - rows.start, self.shards.classes):
            raise _other_labels(path)
        return logits


def _other_labels(path: Path) -> DamagedError:
    return DamagedError(f"{path} is damaged: it holds other labels. Delete its folder and run again.")


def asked(
    batches: Sequence[int], ensemble: Ensemble, render: Callable[[int], ViewBatch], workers: int
) -> Generator[tuple[int, Tensor], None, None]:
    """The number of each batch, and what the teachers say of its views: float32 [B, C] on the CPU.

    Raises:
        RequestError: a logit is not finite; names the batch.
    """
    with closing(in_order(lambda number: (number, render(number)), batches, workers)) as rendered:
        for number, batch in rendered:
            logits = ensemble.logits(batch.pixels).cpu()
            if not bool(torch.isfinite(logits).all()):
                raise RequestError(f"A teacher gives logits that are not finite, first in batch {number} of the views.")
            yield number, logits


def _coded(
    batches: Sequence[int],
    coding: Coding,
    ensemble: Ensemble,
    render: Callable[[int], ViewBatch],
    workers: int,
) -> Iterator[dict[str, Tensor]]:
    """What is stored of each batch."""
    with closing(asked(batches, ensemble, render, workers)) as answers:
        for number, logits in answers:
            code = coding.encode(logits)
            # A float16 may not hold what a float32 did.
            if not all(bool(torch.isfinite(tensor).all()) for tensor in code.values() if tensor.is_floating_point()):
                raise RequestError(
                    f"The logits of batch {number} of the views are too large for their coding: the largest is "
                    f"{float(logits.abs().max()):.3g}. Store them with dtype=float32."
                )
            yield code


def _give_second_name(made: Path, final: Path) -> None:
    """Gives a file a second name: until the artefact is whole, the work must be able to go on from the first."""
    try:
        os.link(made, final)
    except OSError:
        # No hard links here (exFAT, some network mounts).
        copy_file(made, final)
