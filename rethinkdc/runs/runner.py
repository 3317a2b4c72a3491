"""One walk down: dataset, compressor, labeler, evaluator, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from rethinkdc import interruption, ranks
from rethinkdc.choices import Force
from rethinkdc.compressed import CompressedSet
from rethinkdc.context.books import Books
from rethinkdc.context.cache import Cache
from rethinkdc.context.calling import called, require
from rethinkdc.context.remaking import Remaking
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Work
from rethinkdc.contracts.context import Silent
from rethinkdc.contracts.declared import check_supervision
from rethinkdc.data.splits import Splits
from rethinkdc.errors import DivergedError, MethodError, RethinkError, TimeLimitError, UnsupportedError, refusing_exit
from rethinkdc.measurement import Evaluation
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest, FinishedRequest
from rethinkdc.runs.device import choose_device, deterministic
from rethinkdc.runs.finished import resolve
from rethinkdc.runs.fitted import fit_to_run
from rethinkdc.runs.ground import Ground, load_splits
from rethinkdc.runs.identity import identity_of, open_and_remember
from rethinkdc.runs.kept_files import Beside
from rethinkdc.runs.learned import tell_learned
from rethinkdc.runs.record import Record, Status, name_machine
from rethinkdc.runs.recording import Given, Recording
from rethinkdc.runs.records import Records
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run
from rethinkdc.runs.serving import check_request
from rethinkdc.runs.sheets import check_sheets
from rethinkdc.runs.time_limit import within
from rethinkdc.runs.working import RunFolder, clear_recorded, hold_run
from rethinkdc.storage import fault_of_machine, fence, is_anothers
from rethinkdc.training.precision import require_precision
from rethinkdc.types import Progress

_FAILURES = (DivergedError, MethodError, TimeLimitError)
"""What ends a run, and is put on record by the run itself."""


@dataclass
class Runner:
    """Carries out requests on this machine.

    Attributes:
        registry: finds the methods.
        cache: where shared artefacts live.
        records: where results go.
        beside: what is kept beside records.
        device: where networks run.
        workers: threads that render views ahead.
        threads: that compute on a CPU. One by default: the bits of a result depend on it, two runs side by side use
            two cores best, and small networks gain nothing from more.
        progress: where long work reports to.
        time_limit: seconds that a run may take; None = any.
    """

    registry: Registry = field(default_factory=Registry)
    cache: Cache = field(default_factory=Cache)
    records: Records = field(default_factory=Records)
    beside: Beside = field(default_factory=Beside)
    device: torch.device = field(default_factory=lambda: choose_device(None))
    workers: int = 0
    threads: int = 1
    progress: Progress = field(default_factory=Silent)
    time_limit: float | None = None

    @property
    def machine(self) -> str:
        """What the bits of its results depend on, as its records name it."""
        return name_machine(self.device.type, self.threads, ranks.world())

    @refusing_exit()
    def run(
        self, request: Request, *, force: Force | None = None, seen: Callable[[CompressedSet, Run], None] | None = None
    ) -> tuple[Record, bool]:
        """Runs a request and writes its record.

        Args:
            request: what to run.
            force: add an attempt although an ok record exists, and make so much of it anew.
            seen: called with the compressed set, before a student is trained; also when a record exists.

        Returns:
            The record, and whether it existed before.

        Raises:
            RequestError: the request is wrong; nothing was written.
            DivergedError: the student's loss was not finite; recorded as failed.
            MethodError: a method raised, or broke its contract; recorded as failed.
        """
        run = resolve_run(request, self.registry, self.cache)

        def look(compressed: CompressedSet) -> None:
            if seen and ranks.writes():
                seen(compressed, run)

        def make(context: RunContext, splits: Splits) -> CompressedSet:
            compressed = self._compressed(run, context, splits)
            look(compressed)
            return compressed

        record, existed = self._recorded(run, force, make)
        if existed and seen:
            look(self._made(run))
        return record, existed

    def attempt(self, asked: AnyRequest) -> tuple[Record, bool]:
        """As :meth:`run`, but a run that ends badly is recorded with its reason and returned, whatever ended it.

        A request that the method or the dataset cannot serve is recorded as ``unsupported``, all else as ``failed``.
        The end of a run whose set could not be fetched is not written: nobody knows the key that it would have.

        Raises:
            RequestError: the request is wrong, or records cannot be written; nothing was.
            StorageError: a file cannot be written, as on a full disk. The run is not recorded: it goes on from what is
                kept, once that is mended.
        """
        with refusing_exit():
            run = resolve(asked, self.registry, self.cache)
        self._check_keeping(run)
        try:
            with refusing_exit():
                if isinstance(asked, Request):
                    return self._recorded(run, None, lambda context, splits: self._compressed(run, context, splits))
                compressed = open_and_remember(asked.finished, self.cache.root)
                # What was fetched has a key only now.
                run = resolve(asked, self.registry, self.cache, identity=identity_of(compressed))
                return self._evaluated(run, compressed, None)
        except _FAILURES:
            # On record already.
            return self.records.attempts(run.key)[-1], False
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            interruption.persist()
            if fault := fault_of_machine(error):
                # Nothing about the run: the next would meet it too, when it has cost as much.
                raise fault from error
            reason = str(error) if isinstance(error, RethinkError) else f"{type(error).__name__}: {error}"
            return self._broken(run, "unsupported" if isinstance(error, UnsupportedError) else "failed", reason), False

    def record_end(self, run: Run, status: Status, reason: str) -> Record:
        """Records that a run ended without a result; one whose key is not known stays unwritten."""
        record = self._recording.record(run, status=status, reason=reason)
        return record if run.awaits_set else self.records.add(record)

    @refusing_exit()
    def evaluate(
        self, asked: FinishedRequest, compressed: CompressedSet, *, force: Force | None = None
    ) -> tuple[Record, bool]:
        """Evaluates a finished set, which is open already, as it is asked for; as :meth:`run` otherwise."""
        run = resolve(asked, self.registry, self.cache, identity=identity_of(compressed))
        return self._evaluated(run, compressed, force)

    @refusing_exit()
    def compress(self, request: Request) -> tuple[CompressedSet, Run]:
        """Makes a compressed set without evaluating it."""
        run = resolve_run(request, self.registry, self.cache, trains=False)
        return self._made(run), run

    @contextmanager
    def surroundings(self, ground: Ground, splits: Splits) -> Iterator[RunContext]:
        """Surroundings of work that is no run: it has no folder of its own, only those of its artefacts."""
        about = f"{ground.protocol.digest[:12]} on {splits.train.fingerprint[:12]}, {ground.seeds}"
        ranks.require_alike("protocol, dataset and seeds", about, "Give all the same options, and the same data.")
        with refusing_exit(), deterministic(self.device, self.threads):
            yield self.context(ground, splits, None)

    def context(self, ground: Ground, splits: Splits, folder: Path | None, books: Books | None = None) -> RunContext:
        """What methods are given beside the data.

        Args:
            ground: what they work on; a run's ipc and student count too.
            splits: its images.
            folder: the run's working folder; None for work that is no run.
            books: what the work is told and counted in; None = new ones.

        Raises:
            RequestError: the device has not the protocol's precision.
        """
        run = ground if isinstance(ground, Run) else None
        require_precision(ground.protocol.precision, self.device)
        return RunContext(
            data=splits.train,
            protocol=ground.protocol,
            seeds=ground.seeds,
            cache=self.cache,
            methods=self.registry,
            device=self.device,
            test=splits.test,
            ipc=run.ipc if run else None,
            student=run.student if run else None,
            tuning=ground.tune,
            work=Work(folder=folder, books=books or Books()),
            progress=self.progress,
            workers=self.workers,
            on_epoch=self.registry.trackers.epoch_ended,
            check_unchanged=splits.check_unchanged,
        )

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _recording(self) -> Recording:
        return Recording(self.registry, self.records, self.beside, self.device, self.threads)

    def _check_keeping(self, run: Run) -> None:
        """Refuses to begin work that this device cannot do as it is asked for, or whose result could not be kept."""
        require_precision(run.protocol.precision, self.device)
        self.records.check_writable(run.key)
        if self.beside.sheet:
            check_sheets()

    def _broken(self, run: Run, status: Status, reason: str) -> Record:
        record = self.record_end(run, status, reason)
        self.registry.trackers.run_broke(record.model_dump(mode="json"))
        return record

    def _made(self, run: Run) -> CompressedSet:
        """The set of a run, without the run."""
        splits = load_splits(run, self.cache)
        check_request(run, splits)
        with self.surroundings(run, splits) as context:
            return self._compressed(run, context, splits)

    def _evaluated(self, run: Run, compressed: CompressedSet, force: Force | None) -> tuple[Record, bool]:
        def fitted(context: RunContext, splits: Splits) -> CompressedSet:
            fitting = fit_to_run(compressed, run, splits)
            # What its making used was not left behind because it was made before.
            context.note(**fitting.card.notes)
            return fitting

        return self._recorded(run, force, fitted)

    def _recorded(
        self, run: Run, force: Force | None, make: Callable[[RunContext, Splits], CompressedSet]
    ) -> tuple[Record, bool]:
        ranks.require_alike("the run", run.key, "Give all the same options, and the same data.")
        if not force and (known := self._known(run)):
            if ranks.writes():
                clear_recorded(self.cache, self.records, run.key)
            return known, True
        ranks.decided(lambda: self._check_keeping(run), "the place of the record")
        while True:
            with hold_run(self.cache, self.records, run.key, force=force) as folder:
                # Another process may have made it while we waited.
                if not force and (known := self._known(run)):
                    return known, True
                try:
                    return self._carried_out(run, folder, make), False
                except Exception as error:
                    # Another process may have taken it over: then its record is waited for.
                    if ranks.together() or not is_anothers(folder.lease, error):
                        raise

    def _carried_out(self, run: Run, folder: RunFolder, make: Callable[[RunContext, Splits], CompressedSet]) -> Record:
        books = Books()
        with self._failing(run, books), within(self.time_limit):
            record = self._carry_out(run, folder, make, books)
        folder.clear()
        if ranks.writes():
            self.registry.trackers.run_finished(record.model_dump(mode="json"))
        return record

    def _carry_out(
        self, run: Run, folder: RunFolder, make: Callable[[RunContext, Splits], CompressedSet], books: Books
    ) -> Record:
        with called(run.dataset, self.registry.whose):
            splits = load_splits(run, self.cache)
        check_request(run, splits)
        if ranks.writes():
            self.registry.trackers.run_started(run.definition.model_dump(mode="json"), run.names.model_dump(), run.key)
        context = self.context(run, splits, folder.begin(), books)
        if folder.force == "all":
            context = replace(context, remaking=Remaking(folder.path))
        if splits.facts.tell():
            context.note(files=splits.facts.model_dump(mode="json"))
        try:
            with deterministic(self.device, self.threads):
                measured = self._measured(run, context, splits, make, folder.force)
                splits.check_unchanged()
        except RethinkError as error:
            fence()
            # Diverged or refused: the same work would end the same way, so nothing is kept for going on.
            if not error.keeps_work:
                folder.clear()
            raise
        # What is done stays resumable until its record is written.
        record = _told(lambda: self._add(measured))
        assert record is not None
        return record

    @contextmanager
    def _failing(self, run: Run, books: Books) -> Iterator[None]:
        """Records a run as failed that ends inside by what a method did, or by a loss that is not finite."""
        try:
            yield
        except _FAILURES as error:
            fence()
            if ranks.writes():
                failed = self._recording.record(run, status="failed", reason=str(error), notes=books.notes)
                failed = self.records.add(failed)
                self.registry.trackers.run_broke(failed.model_dump(mode="json"))
            raise

    def _measured(
        self,
        run: Run,
        context: RunContext,
        splits: Splits,
        make: Callable[[RunContext, Splits], CompressedSet],
        force: Force | None,
    ) -> Record:
        compressed = make(context, splits)
        before, nested = time.perf_counter(), context.books.nested
        if learned := tell_learned(compressed, run.labeler, run.protocol):
            context.note(learned=learned)
        with context.calling(run.labeler, splits.train):
            supervision = run.labeler.prepare(compressed, context)
        check_supervision(supervision, self.registry.whose(run.labeler))
        # What was made now or long ago tells its own seconds.
        label_seconds = time.perf_counter() - before - (context.books.nested - nested)
        # Before the student trains: what teachers are asked meanwhile follows from its views, also after a kill.
        label_images = context.work.images

        def evaluate() -> Evaluation:
            with context.calling(run.evaluator, splits.test, (supervision, run.labeler)):
                evaluation = run.evaluator.evaluate(compressed, supervision, splits.test, context)
            require(evaluation, Evaluation, self.registry.whose(run.evaluator), "an Evaluation")
            return evaluation

        together = evaluate() if run.evaluator.together else None

        def finish() -> Record:
            measured = together or evaluate()
            if force:
                context.note(remade=[*(context.remaking.kinds if context.remaking else []), "student"])
            labels = Given(supervision, label_seconds, label_images)
            return self._recording.of_evaluation(run, context, splits.test, compressed, labels, measured)

        record = _told(finish)
        assert record is not None
        return record

    def _compressed(self, run: Run, context: RunContext, splits: Splits) -> CompressedSet:
        assert run.compressor is not None
        reference = self.registry.reference(run.compressor)
        return context.compress(reference, splits.train, run.budget(splits.train))

    def _add(self, record: Record) -> Record:
        fence()
        return self.records.add(record)

    def _known(self, run: Run) -> Record | None:
        """The ok record of a run, as the first rank sees it."""
        return _told(lambda: self.records.find(run.key, self.machine))


def _told(record: Callable[[], Record | None]) -> Record | None:
    """A record that the first rank finds or makes."""
    if not ranks.together():
        return record()

    def spelled() -> str | None:
        found = record()
        return found.model_dump_json() if found else None

    told = ranks.decided(spelled, "the record")
    return Record.model_validate_json(told) if told else None
