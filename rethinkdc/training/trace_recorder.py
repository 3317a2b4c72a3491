"""Records the trace of a proxy run in place on disk while it trains.

The tables are memory-mapped, so a killed run loses nothing that its checkpoint counts on: the steps after the
checkpoint are played again and write the same numbers in the same places.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.storage import copy_file, flush_table, make_table, open_table, write_atomic
from rethinkdc.training.columns import CLEAN_COLUMNS, COLUMNS, change, log_probabilities, observe
from rethinkdc.training.predict import Prediction
from rethinkdc.training.trace import ABOUT, CLEAN, SCHEMA, TRAIN, About


class TraceRecorder:
    """Observes a training run and keeps its trace in ``folder``.

    Beside the trace it keeps, until the run is over, the log-probabilities of two epochs as float16 [2, N, C]. Two,
    because the steps after a checkpoint are played again when a killed run resumes: they must find the previous
    epoch's numbers, not their own. So the loop has to checkpoint at each epoch's end.

    Args:
        folder: where the files are; those of the same shape that lie there are continued.
        rows: N, images in the training set.
        epochs: T, epochs of the run; every one visits every row.
        classes: C, at least 2.
        clean_epochs: 1-based epochs after which the un-augmented rows are observed too.
        observe_clean: gives the model's predictions on all un-augmented rows, features included.

    Raises:
        RequestError: a clean epoch outside 1..T, or clean epochs without ``observe_clean``.
    """

    wants_batches: ClassVar[bool] = True
    wants_features: ClassVar[bool] = True
    wants_epoch_checkpoints: ClassVar[bool] = True

    def __init__(
        self,
        folder: Path,
        *,
        rows: int,
        epochs: int,
        classes: int,
        clean_epochs: tuple[int, ...] = (),
        observe_clean: Callable[[nn.Module], Iterable[Prediction]] | None = None,
    ) -> None:
        self.folder, self.rows, self.epochs, self.classes = folder, rows, epochs, classes
        self.clean_epochs = tuple(sorted(set(clean_epochs)))
        self._observe_clean = observe_clean
        self._check_clean()
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            TRAIN: ((len(COLUMNS), epochs, rows), np.float32),
            CLEAN: ((len(CLEAN_COLUMNS), len(self.clean_epochs), rows), np.float32),
            "before.npy": ((2, rows, classes), np.float16),
            "targets.npy": ((rows,), np.int64),
            "ended.npy": ((epochs,), np.bool_),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._train, self._clean, self._before, self._targets, self._ended = _open(folder, shapes)
        self._epochs, self._seen = [_Sums()], np.zeros(rows, np.bool_)

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Records one training batch of 0-based ``epoch``; its logits come from outside autocast."""
        assert features is not None
        seen = observe(logits, targets, features)
        now = log_probabilities(logits)
        place = rows.numpy()
        if epoch == 0:
            seen["change"] = torch.zeros_like(seen["p"])
        else:
            before = torch.from_numpy(self._before[(epoch - 1) % 2, place])
            seen["change"] = change(now, before.to(now.device))
        # One transfer for all columns.
        written = _Written(
            torch.stack([seen[name] for name in COLUMNS]).cpu().numpy(), now.half().cpu().numpy(), targets.cpu().numpy()
        )
        self._train[:, epoch, place], self._before[epoch % 2, place], self._targets[place] = written
        self._epochs[-1].add(written)
        self._seen[place] = True

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Observes the un-augmented rows when 0-based ``epoch`` is a clean one, and flushes to disk."""
        if epoch + 1 in self.clean_epochs:
            assert self._observe_clean is not None
            at = self.clean_epochs.index(epoch + 1)
            for rows, logits, features in self._observe_clean(model):
                place = rows.numpy()
                seen = observe(logits, torch.from_numpy(self._targets[place]), features)
                self._clean[:, at, place] = torch.stack([seen[name] for name in CLEAN_COLUMNS]).numpy()
            self._epochs[-1].clean = _sum_words(self._clean[:, at])
        self._ended[epoch] = True
        self._epochs.append(_Sums())
        self._seen.fill(False)

    def state(self) -> dict[str, Any]:
        """Flushes the tables to disk; the sums of what each epoch wrote, and the rows that the last one has seen."""
        for table in (self._train, self._clean, self._before, self._targets, self._ended):
            flush_table(table)
        # As texts, since torch reads no whole numbers beyond 63 bits.
        sums = [[str(value) for value in astuple(epoch)] for epoch in self._epochs]
        return {"sums": sums, "seen": torch.from_numpy(self._seen.copy())}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Whether the tables hold what the checkpoint counts on; what was written after it is written again."""
        if state is None:
            self._epochs, self._ended[:] = [_Sums()], False
            self._seen.fill(False)
            return True
        if "sums" not in state:
            return False
        self._epochs = [_Sums(*map(int, sums)) for sums in state["sums"]]
        self._seen = state["seen"].numpy().copy()
        return all(self._is_as_written(epoch) for epoch in range(len(self._epochs)))

    def finish(self, out: Path) -> None:
        """Puts the finished trace into ``out``, as a :class:`~rethinkdc.training.trace.Trace`; this folder stays.

        Raises:
            DamagedError: epochs are missing, because files were removed under a running training.
        """
        missing = [int(epoch) + 1 for epoch in np.flatnonzero(~np.asarray(self._ended))]
        if missing:
            raise DamagedError(
                f"The trace in {self.folder} lacks the epochs {missing} although the training is over: "
                "files were removed while it ran. Delete the folder and run again."
            )
        if not all(self._is_as_written(epoch) for epoch in range(self.epochs)):
            raise DamagedError(
                f"The trace in {self.folder} is not as it was written: another program changed its files, or the disk "
                "fails. Delete the folder and run again."
            )
        out.mkdir(parents=True, exist_ok=True)
        for name in (TRAIN, CLEAN):
            # A copy, not a link: whatever writes to this folder again must not reach the finished trace.
            copy_file(self.folder / name, out / name)
        about = About(
            schema=SCHEMA,
            epochs=self.epochs,
            rows=self.rows,
            classes=self.classes,
            clean_epochs=self.clean_epochs,
            columns=COLUMNS,
            clean_columns=CLEAN_COLUMNS,
            accuracy=float(self._train[COLUMNS.index("correct"), -1].mean(dtype=np.float64)),
        )
        write_atomic(out / ABOUT, json.dumps(about.model_dump(mode="json", by_alias=True), indent=1).encode())

    def _is_as_written(self, epoch: int) -> bool:
        """Whether the tables hold what a 0-based epoch wrote, as far as it is needed from here on."""
        if epoch == self.epochs:
            # All are over.
            return True
        told, running = self._epochs[epoch], epoch == len(self._epochs) - 1
        if not running and not self._ended[epoch]:
            return False
        seen = self._seen if running else None
        if _sum_rows(self._train[:, epoch].T, seen) != told.train or _sum_rows(self._targets, seen) != told.targets:
            return False
        # Two epochs later others were written in their place.
        if epoch >= len(self._epochs) - 2 and _sum_rows(self._before[epoch % 2], seen) != told.before:
            return False
        listed = epoch + 1 in self.clean_epochs and not running
        return not listed or _sum_words(self._clean[:, self.clean_epochs.index(epoch + 1)]) == told.clean

    def _check_clean(self) -> None:
        outside = [epoch for epoch in self.clean_epochs if not 1 <= epoch <= self.epochs]
        if outside:
            raise RequestError(f"The clean epochs {outside} are not among the epochs 1 to {self.epochs} of this run.")
        if self.clean_epochs and self._observe_clean is None:
            raise RequestError(f"Clean epochs {list(self.clean_epochs)} were listed without a way to observe them.")


class TraceAssistant:
    """What a rank beside the first does for a trace: its share of the work, of which it keeps nothing.

    Args:
        clean_epochs: as of :class:`TraceRecorder`.
        observe_clean: as of :class:`TraceRecorder`.
    """

    wants_batches: ClassVar[bool] = True
    wants_features: ClassVar[bool] = True
    wants_epoch_checkpoints: ClassVar[bool] = True

    def __init__(
        self, *, clean_epochs: tuple[int, ...], observe_clean: Callable[[nn.Module], Iterable[Prediction]]
    ) -> None:
        self.clean_epochs, self._observe_clean = clean_epochs, observe_clean

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        """Is never shown one."""

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Helps to observe the un-augmented rows."""
        if epoch + 1 in self.clean_epochs:
            for _ in self._observe_clean(model):
                pass

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: Mapping[str, Any] | None) -> bool:  # noqa: ARG002 - the contract's signature
        """The first rank knows."""
        return True


class _Written(NamedTuple):
    """What one batch writes: columns float32 [k, B], log-probabilities float16 [B, C], targets int64 [B]."""

    train: NDArray[Any]
    before: NDArray[Any]
    targets: NDArray[Any]


@dataclass
class _Sums:
    """Sums of the words that one epoch wrote into each table: in whatever order, and one flipped bit changes them."""

    train: int = 0
    before: int = 0
    targets: int = 0
    clean: int = 0

    def add(self, written: _Written) -> None:
        """Adds a batch, whose rows nothing of the epoch held before."""
        for name, values in written._asdict().items():
            setattr(self, name, (getattr(self, name) + _sum_words(values)) % _WORDS)


_WORDS = 1 << 64
_CHUNK = 1 << 14
"""Rows of a table whose words are added up at a time: 32 MiB at 1,000 classes."""


def _sum_words(values: NDArray[Any]) -> int:
    """The sum of the bits of numbers, each as a whole number, modulo 2 to the 64."""
    words = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    return int(words.sum(dtype=np.uint64))


def _sum_rows(table: NDArray[Any], seen: NDArray[np.bool_] | None) -> int:
    """The same of a table's rows, or of those that were seen, a bounded number at a time: N x C may fill memory."""
    total = 0
    for start in range(0, len(table), _CHUNK):
        part = table[start : start + _CHUNK]
        total += _sum_words(part if seen is None else part[seen[start : start + _CHUNK]])
    return total % _WORDS


def _open(folder: Path, shapes: dict[str, tuple[tuple[int, ...], Any]]) -> list[np.memmap[Any, Any]]:
    """The memory-mapped tables: all continued, or all new, because they only mean something together."""
    try:
        return [open_table(folder / name, kind, shape) for name, (shape, kind) in shapes.items()]
    except (OSError, ValueError):
        # Missing, or cut off.
        return [make_table(folder / name, kind, shape) for name, (shape, kind) in shapes.items()]
