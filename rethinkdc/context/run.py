"""The context of a run: what stands behind the page that authors read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, overload

import torch
from torch import Tensor, nn

from rethinkdc import interruption, ranks
from rethinkdc.compressed import CompressedSet
from rethinkdc.context.artefacts import make_artefact
from rethinkdc.context.asking import ask_teacher, untrained_network
from rethinkdc.context.books import Books
from rethinkdc.context.cache import Cache
from rethinkdc.context.calling import called, require
from rethinkdc.context.chunks import make_chunks
from rethinkdc.context.networks import trained_network
from rethinkdc.context.parts import make_parts, part_paths
from rethinkdc.context.proxies import frozen_proxy, proxy_folder, proxy_predictions
from rethinkdc.context.remaking import Remaking
from rethinkdc.context.sets import (
    SCORE_FILES,
    SET_FILES,
    read_scores,
    read_set,
    score_key,
    set_key,
    write_scores,
    write_set,
)
from rethinkdc.context.whitenings import fitted_whitening
from rethinkdc.context.work import Purpose, Work, count_passes
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.kinds import Compressor, Score
from rethinkdc.data.splits import always_the_same
from rethinkdc.data.whitening import Whitening
from rethinkdc.errors import RequestError
from rethinkdc.method import Method, named_methods
from rethinkdc.models.model import Model
from rethinkdc.notes import MethodCode
from rethinkdc.protocol.full_training import TrainedNetwork
from rethinkdc.protocol.protocol import FullTraining
from rethinkdc.protocol.proxy import FrozenProxy
from rethinkdc.protocol.teachers import teachers_definition
from rethinkdc.reference import Reference
from rethinkdc.seeds import Axis
from rethinkdc.storage import digest
from rethinkdc.training.checkpoint import EVERY, Resumable
from rethinkdc.training.teacher import Teacher
from rethinkdc.training.trace import Trace
from rethinkdc.types import Budget, ChunksMaker, Images, PartsMaker, Predictions

M = TypeVar("M", bound=Method)


class Methods(Protocol):
    """What finds methods and defines them: the registry."""

    @overload
    def build(self, kind: type[M], reference: Reference | str) -> M: ...
    @overload
    def build(self, kind: str, reference: Reference | str) -> Method: ...

    def definition(self, method: Method) -> dict[str, Any]:
        """All that a method's result depends on, as JSON data."""
        ...

    def complete(self, compressor: Compressor, size: int, classes: int) -> Compressor:
        """The compressor with the references in place that it leaves open and its paper names."""
        ...

    def whose(self, method: Method) -> str:
        """Names a method, and the package of a third party's, at the beginning of a sentence."""
        ...

    def codes(self, methods: Iterable[Method]) -> tuple[MethodCode, ...]:
        """The code of methods, and of the ones nested in them."""
        ...


@dataclass(frozen=True, kw_only=True)
class RunContext(Context):
    """A context with its engine.

    Attributes:
        methods: finds and defines methods.
        cache: where shared artefacts lie.
        test: the run's test images: only to tell how good a teacher is, never to choose by.
        tuning: whether both parts of the data are splits of a training set that others may have seen whole.
        on_epoch: is told of each epoch of the student.
        work: what goes on.
        remaking: of a run that makes what its methods made again; None = what is in the cache is taken.
        check_unchanged: raises where the data changed since it was loaded, so that nothing made of it is kept.
        keeps_every: seconds between two times that chunks of a pass are written; see :meth:`chunks`.
    """

    methods: Methods
    cache: Cache
    test: Images | None = None
    tuning: bool = False
    on_epoch: Callable[[int, float], None] | None = None
    work: Work = field(default_factory=Work)
    remaking: Remaking | None = None
    check_unchanged: Callable[[], None] = always_the_same
    keeps_every: float = EVERY

    @property
    def books(self) -> Books:
        """What the work told and cost so far."""
        return self.work.books

    @property
    def folder(self) -> Path:
        if self.work.folder is None:
            raise RequestError("There is no working folder here: only an artefact and a student in training have one.")
        return self.work.folder

    def note(self, **facts: Any) -> None:
        self.books.note(**facts)

    def count_images(self, count: int) -> None:
        self.work.count_images(count)

    def method(self, kind: type[M], reference: Reference | str) -> M:
        return self.methods.build(kind, reference)

    def define(self, method: Method) -> dict[str, Any]:
        return self.methods.definition(method)

    def parts(self, count: int, make: PartsMaker, *, files: Sequence[str] | None = None) -> Sequence[dict[str, Tensor]]:
        folder = self.folder
        paths = part_paths(count, folder, self.work) if files is None else [folder / name for name in files]
        return make_parts(paths, make, work=self.work, home=self.cache.root, progress=self.progress)

    def chunks(
        self, name: str, count: int, step: int, make: ChunksMaker, *, unit: str = "rows", of: Any = None
    ) -> Sequence[dict[str, Tensor]]:
        # Others would not be chunks of this pass: by their number, or by what computed them.
        folder = (self.work.part or self.folder) / name / digest([self._computing, count, step, of])[:12]
        if of is not None and ranks.writes() and folder.parent.exists():
            for other in folder.parent.iterdir():
                if other != folder:
                    shutil.rmtree(other, ignore_errors=True)
        return make_chunks(
            name,
            count,
            step,
            make,
            folder=folder,
            work=self.work,
            home=self.cache.root,
            progress=self.progress,
            unit=unit,
            every=self.keeps_every,
        )

    def resumable(self, name: str, *, every: float = EVERY) -> Resumable:
        definition = digest([name, *self._computing])

        def count(seconds: float, images: int | None) -> None:
            self.books.earlier += seconds
            self.work.count_images(images)

        return Resumable((self.work.part or self.folder) / name, definition, every, lambda: self.work.images, count)

    def train(
        self,
        recipe: FullTraining,
        *names: str | int,
        model: Model | None = None,
        axis: Axis = "set",
        stage: str = "synthesis",
        keep_epochs: Sequence[int] = (),
        whitened: bool = False,
    ) -> TrainedNetwork:
        return trained_network(self, recipe, names, model, axis, stage, keep_epochs, whitened=whitened)

    def whitening(self) -> Whitening:
        return fitted_whitening(self)

    def artefact(
        self, kind: str, key: Any, stage: str, build: Callable[[Context, Path], float | None], *, files: Sequence[str]
    ) -> Path:
        return self.kept(kind, key, stage, build, files=files, purpose=self.work.purpose)

    def kept(
        self,
        kind: str,
        key: Any,
        stage: str,
        build: Callable[[RunContext, Path], float | None],
        *,
        files: Sequence[str],
        purpose: Purpose | None,
    ) -> Path:
        """As :meth:`artefact`; ``purpose`` of teachers."""

        def fill(work: Work, out: Path) -> float | None:
            # The student, the ipc and the test images are no part of a key, so what is made must not see them.
            seconds = build(replace(self, work=work, student=None, ipc=None, test=None), out)
            self.check_unchanged()
            return seconds

        return make_artefact(
            self.cache, self.work, kind, key, stage, fill, files=files, purpose=purpose, remaking=self.remaking
        )

    def trace(self, repeat: int = 0) -> Trace:
        return Trace(proxy_folder(self, repeat))

    def predictions(self) -> Predictions:
        return proxy_predictions(self)

    def proxy_network(self) -> FrozenProxy:
        return frozen_proxy(self)

    def score(self, reference: Reference | str) -> Tensor:
        method = self.method(Score, reference)
        teachers = self._teachers_of(method)
        fingerprint = self.data.fingerprint
        key = score_key(self.define(method), self.protocol, self.seeds, fingerprint, self._teachers_key(teachers))

        def build(inner: RunContext, out: Path) -> None:
            with interruption.going(method.name), inner.calling(method, inner.data):
                scores = method.score(inner.data, inner)
            write_scores(scores, method, self.methods.whose(method), len(inner.data), out)

        folder = self.kept("scores", key, "selection", build, files=SCORE_FILES, purpose="set" if teachers else None)
        return read_scores(folder)

    def teacher(self, reference: Reference | str | None = None) -> Teacher:
        if self.work.purpose is None:
            raise RequestError(
                "A compressor or score that asks a teacher must say so, because its sets depend on it: give it a "
                'parameter such as teacher: Annotated[Reference | None, OfKind("teacher")] = Field(None, ...).'
            )
        teacher = ask_teacher(self, reference, self.work.purpose, test=self.test, tuning=self.tuning)
        # From here on: how good it is on the test images was looked at for the record alone.
        count_passes(teacher.module, self.work.counter)
        return teacher

    def untrained_teacher(self, reference: Reference | str | None = None) -> nn.Module | None:
        return untrained_network(self, reference)

    def calling(
        self, method: Method, images: Images, made: tuple[object, Method] | None = None
    ) -> AbstractContextManager[None]:
        """Around a call of a method, which must leave the images, and what other results depend on, as they are."""
        return called(method, self.methods.whose, images, self.check_unchanged, made)

    def compress(self, reference: Reference | str, data: Images, budget: Budget) -> CompressedSet:
        method = self.methods.complete(self.method(Compressor, reference), budget.size, budget.classes)
        definition, teachers = self.define(method), self._teachers_of(method)
        fingerprints = self.data.fingerprint, data.fingerprint
        asked = self._teachers_key(teachers)
        key = set_key(definition, budget, self.protocol, self.seeds, fingerprints, asked)

        def build(inner: RunContext, out: Path) -> None:
            with interruption.going(method.name), inner.calling(method, data):
                compressed = method.compress(data, budget, inner)
            who = self.methods.whose(method)
            require(compressed, CompressedSet, who, "a CompressedSet, as CompressedSet.of_rows and of_canvases make it")
            if ranks.writes():
                codes = self.methods.codes([method])
                write_set(compressed, method, who, definition, codes, budget, inner, inner.books.notes, out)

        stage = "selection" if method.rows_per_canvas() else "synthesis"
        purpose: Purpose | None = "set" if teachers else None
        folder = self.kept("sets", key, stage, build, files=SET_FILES, purpose=purpose)
        # Measured here: how good a teacher is on the test images is no part of a set.
        for named in teachers:
            ask_teacher(self, named, "set", test=self.test, tuning=self.tuning)
        return read_set(folder, data, self)

    def epoch_ended(self, epoch: int, loss: float) -> None:
        if self.on_epoch is not None:
            self.on_epoch(epoch, loss)

    @property
    def _computing(self) -> list[Any]:
        """What bits depend on: work that is resumed under another device or other threads begins anew."""
        return [self.device.type, torch.get_num_threads()]

    def _teachers_of(self, method: Method) -> list[Reference | None]:
        """What a method's parameters name as teachers; None for the protocol's."""
        return list(named_methods(method, "teacher", self.methods.build))

    def _teachers_key(self, teachers: Sequence[Reference | None]) -> dict[str, Any] | None:
        """What the key of a method's product holds where it asks teachers: all that they depend on."""
        if not teachers:
            return None
        return teachers_definition(self.protocol, self.methods.build, self.methods.definition)
