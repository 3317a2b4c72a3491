"""Stored labels: shards of coded logits, streamed to disk and read back through memory maps."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.labels.coding import Coding
from rethinkdc.labels.ensemble import Ensemble
from rethinkdc.labels.schedule import LabelSchedule
from rethinkdc.storage import copy_file, keep_part, load_tensors
from rethinkdc.training.ahead import in_order
from rethinkdc.types import ViewBatch

SHARD_BYTES = 16 << 20
"""Bytes of labels in a shard, about: the most that writing holds in memory beside a batch."""


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

    def views(self, shard: int) -> int:
        """Number of views in a shard."""
        batches = self.within(shard)
        return self.schedule.start(batches.stop) - self.schedule.start(batches.start)

    def place(self, batch: int) -> tuple[int, slice]:
        """The shard of a batch, and its rows in there."""
        shard = batch // self.batches
        first = self.schedule.start(shard * self.batches)
        return shard, slice(self.schedule.start(batch) - first, self.schedule.start(batch + 1) - first)


def write_labels(
    shards: Shards,
    ensemble: Ensemble,
    render: Callable[[int], ViewBatch],
    *,
    work: Path,
    out: Path,
    workers: int,
    done: Callable[[int], None],
    found: Callable[[int], None] = lambda _: None,
) -> float:
    """Asks the teachers for the logits of every batch of views, once, and writes them to ``out``.

    Args:
        shards: which batches, how coded.
        ensemble: the teachers.
        render: gives the views of a batch.
        work: survives a kill; a shard that lies there whole is not made again.
        out: folder of the artefact.
        workers: threads that render views ahead.
        done: called with the number of batches done since the last call.
        found: called with the number of views that earlier tries had asked the teachers about.

    Returns:
        Seconds that earlier tries spent on the shards that were found.

    Raises:
        RequestError: a logit is not finite; names the batch.
    """
    earlier = 0.0
    for shard, name in enumerate(shards.files):
        path = work / name
        made = keep_part(path, lambda: save(_coded(shards, shard, ensemble, render, workers, done)))  # noqa: B023
        if made is not None:
            earlier += made.seconds
            found(shards.views(shard))
            done(len(shards.within(shard)))
    for name in shards.files:
        _give_second_name(work / name, out / name)
    return earlier


class LabelReader:
    """Reads the logits of a batch back; a shard is mapped when it is first asked for."""

    def __init__(self, folder: Path, shards: Shards) -> None:
        self.folder, self.shards = folder, shards
        self._mapped: dict[int, dict[str, Tensor]] = {}

    @property
    def bytes(self) -> int:
        """Bytes of the files, exactly as on disk."""
        return sum((self.folder / name).stat().st_size for name in self.shards.files)

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


def _coded(
    shards: Shards,
    shard: int,
    ensemble: Ensemble,
    render: Callable[[int], ViewBatch],
    workers: int,
    done: Callable[[int], None],
) -> dict[str, Tensor]:
    parts: list[dict[str, Tensor]] = []
    with closing(in_order(lambda number: (number, render(number)), shards.within(shard), workers)) as rendered:
        for number, batch in rendered:
            logits = ensemble.logits(batch.pixels).cpu()
            if not bool(torch.isfinite(logits).all()):
                raise RequestError(f"A teacher gives logits that are not finite, first in batch {number} of the views.")
            code = shards.coding.encode(logits)
            # A float16 may not hold what a float32 did.
            if not all(bool(torch.isfinite(tensor).all()) for tensor in code.values() if tensor.is_floating_point()):
                raise RequestError(
                    f"The logits of batch {number} of the views are too large for their coding: the largest is "
                    f"{float(logits.abs().max()):.3g}. Store them with dtype=float32."
                )
            parts.append(code)
            done(1)
    return {name: torch.cat([part[name] for part in parts]).contiguous() for name in parts[0]}


def _give_second_name(made: Path, final: Path) -> None:
    """Gives a file a second name: until the artefact is whole, the work must be able to go on from the first."""
    try:
        os.link(made, final)
    except OSError:
        # No hard links here (exFAT, some network mounts).
        copy_file(made, final)
