"""One walk down: dataset, compressor, labeler, evaluator, record."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch

from rethinkdc.compressed import CompressedSet, image_bytes
from rethinkdc.compressed.fitting import fit_set
from rethinkdc.context import ranks
from rethinkdc.context.books import by_stage
from rethinkdc.context.cache import Cache
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Work
from rethinkdc.contracts.context import Silent
from rethinkdc.contracts.evaluation import Evaluation
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DivergedError, RequestError, RethinkError, UnsupportedError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.environment import environment
from rethinkdc.runs.records import Cost, Record, Records, Status, now
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, check_request, load_splits, resolve_run
from rethinkdc.storage import lock
from rethinkdc.types import LabelCost, Progress

_CUDA = torch.device("cuda")

_MEASURED_IMAGES = 200_000
"""Compressed sets up to this many images have their bytes measured; encoding more would outlast the training."""


@dataclass
class Runner:
    """Carries out requests on this machine.

    Attributes:
        registry: finds the methods.
        cache: where shared artefacts live.
        records: where results go.
        device: where networks run.
        workers: threads that render views ahead.
        threads: that compute on a CPU. One by default: the bits of a result depend on it, two runs side by side use
            two cores best, and small networks gain nothing from more.
        progress: where long work reports to.
    """

    registry: Registry = field(default_factory=Registry)
    cache: Cache = field(default_factory=Cache)
    records: Records = field(default_factory=Records)
    device: torch.device = field(default_factory=lambda: choose_device(None))
    workers: int = 0
    threads: int = 1
    progress: Progress = field(default_factory=Silent)

    def run(
        self, request: Request, *, force: bool = False, seen: Callable[[CompressedSet, Run], None] | None = None
    ) -> tuple[Record, bool]:
        """Runs a request and writes its record.

        Args:
            request: what to run.
            force: add an attempt although an ok record exists.
            seen: called with the compressed set, before a student is trained; also when a record exists.

        Returns:
            The record, and whether it existed before. Ranks beside the first make their share of the set and wait for
            the first's record.

        Raises:
            RequestError: the request is wrong; nothing was written.
            DivergedError: the student's loss was not finite; recorded as failed.
        """
        run = resolve_run(request, self.registry, self.cache)
        if not ranks.leads():
            before = len(self.records.attempts(run.key))
            self.take_part(request, force=force or seen is not None)
            return self._of_first_rank(run, before, force), True

        def make(context: RunContext, splits: Splits) -> CompressedSet:
            made = self._compressed(run, context, splits)
            if seen:
                seen(made, run)
            return made

        record, existed = self._recorded(run, force, make)
        if existed and seen:
            seen(*self.compress(request))
        return record, existed

    def take_part(self, request: Request, *, force: bool = False) -> None:
        """What a rank beside the first does of a run: its share of the set, unless the run is on record already."""
        # Also where it is forced: what the first rank refuses must end here too.
        run = resolve_run(request, self.registry, self.cache)
        if force or not self.records.find(run.key):
            self.compress(request)

    def attempt(self, request: Request) -> tuple[Record, bool]:
        """As :meth:`run`, but a run that ends badly is recorded with its reason and returned, whatever ended it.

        A request that the method or the dataset cannot serve is recorded as ``unsupported``, all else as ``failed``.

        Raises:
            RequestError: the request is wrong, or records cannot be written; nothing was.
        """
        run = resolve_run(request, self.registry, self.cache)
        self.records.check_writable()
        try:
            return self._recorded(run, False, lambda context, splits: self._compressed(run, context, splits))
        except DivergedError:
            # On record already.
            return self.records.attempts(run.key)[-1], False
        except UnsupportedError as error:
            return self.record_end(run, "unsupported", str(error)), False
        except RethinkError as error:
            return self.record_end(run, "failed", str(error)), False
        except Exception as error:
            return self.record_end(run, "failed", f"{type(error).__name__}: {error}"), False

    def record_end(self, run: Run, status: Status, reason: str) -> Record:
        """Records that a run ended without a result."""
        return self.records.add(self._record(run, status=status, reason=reason))

    def evaluate(
        self, made: CompressedSet, request: Request, *, name: str, ipc: int | None, force: bool = False
    ) -> tuple[Record, bool]:
        """Evaluates a finished set under the request's protocol and labeler; as :meth:`run` otherwise."""
        definition = {"kind": "set", "name": name, "fingerprint": made.fingerprint, "ipc": ipc}
        run = resolve_run(request, self.registry, self.cache, made=definition)
        if not ranks.leads():
            return self._of_first_rank(run, len(self.records.attempts(run.key)), force), True

        def fitted(context: RunContext, splits: Splits) -> CompressedSet:
            # What its making used was not left behind because it was made before.
            context.note(**made.card.notes)
            return fit_set(
                made,
                dataset=run.labels["dataset"],
                class_names=splits.train.class_names,
                fingerprint=splits.train.fingerprint,
                size=run.protocol.store.size,
                protocol=run.protocol.id,
                protocol_digest=run.protocol.digest,
                asked=run.request.protocol,
            )

        return self._recorded(run, force, fitted)

    def compress(self, request: Request) -> tuple[CompressedSet, Run]:
        """Makes a compressed set without evaluating it."""
        run = resolve_run(request, self.registry, self.cache, trains=False)
        splits = load_splits(run, self.cache)
        check_request(run, splits)
        context = self.context(run, splits)
        with deterministic(self.device, self.threads):
            made = self._compressed(run, context, splits)
        with suppress(OSError):
            # Not what lies in it: a run of this set, whose student is being trained, has the same folder.
            context.folder.rmdir()
        return made, run

    def context(self, run: Run, splits: Splits) -> RunContext:
        """The surroundings of a run's methods."""
        return RunContext(
            data=splits.train,
            protocol=run.protocol,
            seeds=run.request.seeds,
            cache=self.cache,
            methods=self.registry,
            device=self.device,
            test=splits.test,
            ipc=run.ipc,
            student=run.student,
            tuning=run.request.tune,
            work=Work(folder=self.cache.work("runs", run.key)),
            progress=self.progress,
            workers=self.workers,
            on_epoch=self.registry.trackers.epoch_ended,
        )

    # -- inside ----------------------------------------------------------------------------------------------------

    def _recorded(
        self, run: Run, force: bool, make: Callable[[RunContext, Splits], CompressedSet]
    ) -> tuple[Record, bool]:
        if not force and (known := self.records.find(run.key)):
            # Left by a process that was killed after it wrote the record; a forced run must not go on from there.
            shutil.rmtree(self.cache.home / "work" / f"runs-{run.key}", ignore_errors=True)
            return known, True
        self.records.check_writable()
        # Two processes asked for the same run would share its working folder: the second waits and finds the record.
        with lock(self.cache.home / "locks" / f"runs-{run.key}.lock"):
            if not force and (known := self.records.find(run.key)):
                return known, True
            return self._carried_out(run, make), False

    def _carried_out(self, run: Run, make: Callable[[RunContext, Splits], CompressedSet]) -> Record:
        splits = load_splits(run, self.cache)
        check_request(run, splits)
        self.registry.trackers.run_started(run.definition)
        context = self.context(run, splits)
        try:
            with deterministic(self.device, self.threads):
                measured = self._measured(run, context, splits, make)
        except RethinkError as error:
            # Diverged or refused: the same work would end the same way, so nothing is kept for going on.
            shutil.rmtree(context.folder, ignore_errors=True)
            if isinstance(error, DivergedError):
                failed = self._record(run, status="failed", reason=str(error), notes=context.books.notes)
                failed = self.records.add(failed)
                self.registry.trackers.run_finished(failed.model_dump(mode="json"))
            raise
        # What is done stays resumable until its record is written.
        record = self.records.add(measured)
        shutil.rmtree(context.folder, ignore_errors=True)
        self.registry.trackers.run_finished(record.model_dump(mode="json"))
        return record

    def _measured(
        self, run: Run, context: RunContext, splits: Splits, make: Callable[[RunContext, Splits], CompressedSet]
    ) -> Record:
        compressed = make(context, splits)
        # What follows, the first rank does without the others; they have no part in a finished set at all.
        context = context.alone()
        before, nested = time.perf_counter(), context.books.nested
        supervision = run.labeler.prepare(compressed, context)
        # What was made now or long ago tells its own seconds.
        label_seconds = time.perf_counter() - before - (context.books.nested - nested)
        evaluation = run.evaluator.evaluate(compressed, supervision, splits.test, context)
        return self._record(
            run,
            status="ok",
            evaluation=evaluation,
            result_digest=evaluation.result_digest,
            cost=_cost(run, context, compressed, supervision.cost, label_seconds, evaluation),
            histogram=compressed.histogram(),
            sources_per_class=compressed.sources_per_class(),
            notes=context.books.notes,
        )

    def _compressed(self, run: Run, context: RunContext, splits: Splits) -> CompressedSet:
        assert run.compressor is not None
        reference = self.registry.reference(run.compressor)
        return context.compress(reference, splits.train, run.budget(len(splits.train.class_names)))

    def _of_first_rank(self, run: Run, before: int, force: bool) -> Record:
        """Waits for the record that the first rank writes or finds; ``before``: attempts that were there already."""

        def written() -> Record | None:
            attempts = self.records.attempts(run.key)
            known = None if force else next((record for record in attempts if record.status == "ok"), None)
            return known or (attempts[-1] if len(attempts) > before else None)

        record = ranks.wait_for(written, self.cache.home, lambda: [0], "its record")
        if record.status != "ok":
            raise RethinkError(record.reason)
        return record

    def _record(self, run: Run, **values: Any) -> Record:
        return Record(
            key=run.key,
            created=now(),
            labels=run.labels,
            definition=run.definition,
            protocol_digest=run.protocol.digest,
            dataset_fingerprint=run.dataset_fingerprint,
            modified=run.modified,
            tune=run.request.tune,
            track=run.labeler.track,
            environment={**environment(self.device), "threads": self.threads},
            plugins=self.registry.used(run.methods),
            **values,
        )


def choose_device(name: str | None) -> torch.device:
    """The named device; without a name CUDA where there is one, else the CPU.

    Raises:
        RequestError: no such device here.
    """
    if name is None:
        if torch.cuda.is_available():
            # Ranks take a device each, as far as there are devices.
            return torch.device("cuda", ranks.local_rank() % torch.cuda.device_count()) if ranks.world() > 1 else _CUDA
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RequestError(f"Unknown device {name!r}. Use cpu, cuda or cuda:N.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RequestError(f"There is no CUDA device here for --device {name}. Use --device cpu.")
    return device


@contextmanager
def deterministic(device: torch.device, threads: int = 1) -> Iterator[None]:
    """Deterministic kernels on ``threads`` CPU threads inside; the caller's settings come back afterwards."""
    if device.type == "cuda":
        # Read by cuBLAS when its first handle is made: without it some matrix products are not repeatable.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_num_threads(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = before[2]
        torch.set_num_threads(before[3])


def _cost(
    run: Run,
    context: RunContext,
    compressed: CompressedSet,
    labels: LabelCost,
    label_seconds: float,
    evaluation: Evaluation,
) -> Cost:
    store = run.protocol.store
    if len(compressed) <= _MEASURED_IMAGES:
        stored = image_bytes(compressed, store.size, store.fit, store.interpolation)
    else:
        warnings.warn(f"The bytes of {len(compressed):,} images are not measured.", stacklevel=2)
        stored = dict.fromkeys(("stored", "lossy", "recipe"))

    # A finished set brings what its making took on its card: it was not free because it was made before.
    seconds = by_stage({**compressed.card.seconds, **context.books.seconds})
    return Cost(
        proxy_seconds=seconds.get("proxy", 0.0),
        teacher_seconds=seconds.get("teacher", 0.0),
        selection_seconds=seconds.get("selection", 0.0),
        synthesis_seconds=seconds.get("synthesis", 0.0),
        label_seconds=label_seconds + seconds.get("labels", 0.0),
        training_seconds=evaluation.seconds,
        selection_memory=_peak(context, "selection"),
        synthesis_memory=_peak(context, "synthesis"),
        image_bytes=stored,
        label_bytes=labels.label_bytes,
        teacher_bytes=labels.teacher_bytes,
        teacher_at_training=labels.teacher_at_training,
    )


def _peak(context: RunContext, stage: str) -> int:
    """The largest peak in bytes among what a stage made."""
    return max((used for key, used in context.books.memory.items() if key.startswith(f"{stage}:")), default=0)


__all__ = ["Request", "Run", "Runner", "choose_device", "deterministic"]
