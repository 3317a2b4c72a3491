"""What a plugin is given beside the data: the device, the seeds, and artefacts computed once and shared.

Everything expensive goes through :meth:`Context.artefact`: keyed by all that it depends on, atomic, checksummed,
resumed after a kill, with the notes and the seconds of its making kept beside it, so that a record tells the true cost
also when the work was done by an earlier run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from rethinkdc.compressed import Card, CompressedSet, check_budget, load_working, save_working
from rethinkdc.compressed.working import load_tensors
from rethinkdc.context import ranks
from rethinkdc.context.books import merged_notes
from rethinkdc.context.cache import Cache
from rethinkdc.context.memory import PeakMeter
from rethinkdc.errors import RequestError
from rethinkdc.method import Method, named_methods
from rethinkdc.models import build_seeded
from rethinkdc.protocol.full_training import Place, trained_network
from rethinkdc.protocol.protocol import Network, Protocol
from rethinkdc.protocol.proxy import (
    TRACE_SEMANTICS,
    FrozenProxy,
    as_epoch,
    read_predictions,
    train_proxy,
    write_predictions,
)
from rethinkdc.protocol.teachers import teacher_top1, teachers_definition
from rethinkdc.reference import Reference
from rethinkdc.seeds import Axis, Seeds, derive_seed, generator
from rethinkdc.storage import digest, keep_part, kept_part
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.training.teacher import Teacher
from rethinkdc.training.trace import Trace
from rethinkdc.types import Budget, Images, PartsMaker, Predictions, Progress
from rethinkdc.views import VIEWS_REVISION

SET_SEMANTICS = 1
"""Raised whenever the core would store another set for the same method."""


class Silent:
    """Progress that shows nothing."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:  # noqa: ARG002
        yield lambda _: None


@dataclass
class Context:
    """One run's surroundings.

    Attributes:
        data: the training set that the proxy trains on.
        protocol: the fixed experiment.
        seeds: one seed per axis.
        cache: where shared artefacts live.
        build: makes a method from a kind and a reference (the registry's).
        define: JSON definition of a method (the registry's).
        device: where networks run; draws are always made on the CPU.
        test: the run's test images: only to tell how good a teacher is, never to choose by.
        ipc: the run's images per class; None for the full set.
        student: the network that the run trains.
        tuning: whether both parts of the data are splits of a training set that others may have seen whole.
        folder: a private working folder that survives a kill.
        progress: where long work reports to.
        workers: threads that render views ahead.
        epoch_ended: called after each epoch of the student.
        notes: facts for the record.
        costs: ``stage:key`` -> seconds of its making.
        memory: ``stage:key`` -> bytes of resident memory that its making took at its peak.
        meter: measures the work that is going on; None outside any.
        teachers_for: what teachers are asked for, as the record says it; None = what is being made may not ask one.
        earlier: seconds that earlier tries and other ranks spent on parts that were found.
        together: whether all ranks do this work, in one order, so that they can share a set that it makes.
        finished: whether others have finished the set that all ranks are making together; None outside any.
    """

    data: Images
    protocol: Protocol
    seeds: Seeds
    cache: Cache
    build: Callable[[str, Reference | str], Any]
    define: Callable[[Method], dict[str, Any]]
    device: torch.device
    test: Images | None = None
    ipc: int | None = None
    student: Network | None = None
    tuning: bool = False
    folder: Path = field(default_factory=Path.cwd)
    progress: Progress = field(default_factory=Silent)
    workers: int = 0
    epoch_ended: Callable[[int, float], None] | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    meter: PeakMeter | None = None
    teachers_for: Literal["labels", "set"] | None = "labels"
    earlier: float = 0.0
    together: bool = True
    finished: Callable[[], bool] | None = None
    _part_calls: int = field(default=0, init=False)

    def generator(self, axis: Axis, *names: str | int) -> torch.Generator:
        """A CPU generator for one use (``names``) on one seed axis."""
        return generator(self.seeds.of(axis, *names))

    def method(self, kind: str, reference: Reference | str) -> Any:
        """The method that a reference names."""
        return self.build(kind, reference)

    def note(self, **facts: Any) -> None:
        """Adds facts to the record: proxy accuracy, ties at the cut, external data used."""
        self.notes = merged_notes(self.notes, facts)

    def parts(self, count: int, make: PartsMaker) -> Sequence[dict[str, Tensor]]:
        """Makes ``count`` parts of a set; each is atomic on disk and skipped if already there.

        Ranks that make a set together (see :mod:`rethinkdc.context.ranks`) make a share each and wait for all parts.

        Args:
            count: number of parts.
            make: makes part ``index`` as named tensors, from the index alone.

        Returns:
            The parts in order, memory-mapped.

        Raises:
            RankError: another rank ended before its share was done; what is done is kept.
        """
        # A method that makes two kinds of parts must not find the first ones in place of the second.
        self._part_calls += 1
        folder = self.folder / ("parts" if self._part_calls == 1 else f"parts-{self._part_calls}")
        paths = [folder / f"part-{index:05d}.safetensors" for index in range(count)]
        mine = range(count) if self.finished is None else ranks.own_parts(count)
        with self.progress.task("parts", count) as done:
            with self._alone():
                for index in mine:
                    found = keep_part(paths[index], lambda: save(_contiguous(make(index))))  # noqa: B023 - called at once
                    self.earlier += found or 0.0
                    done(1)
            if len(mine) < count:
                self._wait_for_parts(paths, mine, done)
        return [load_tensors(path) for path in paths]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Inside, this rank does what the others do not."""
        together, self.together = self.together, False
        try:
            yield
        finally:
            self.together = together

    def _wait_for_parts(self, paths: Sequence[Path], mine: range, done: Callable[[int], None]) -> None:
        """Waits for the parts of other ranks; what they spent counts as ours, the waiting does not."""
        pending = set(range(len(paths))) - set(mine)
        begun = time.perf_counter()

        def complete() -> bool | None:
            for index in sorted(pending):
                seconds = kept_part(paths[index])
                if seconds is not None:
                    pending.discard(index)
                    self.earlier += seconds
                    done(1)
            if pending and self.finished and not ranks.leads() and self.finished():
                raise ranks.PartsDoneError
            return None if pending else True

        def owners() -> set[int]:
            return {index % ranks.world() for index in pending}

        ranks.wait_for(complete, self.cache.home, owners, "a part of the set")
        self.earlier -= time.perf_counter() - begun

    @property
    def proxy_epochs(self) -> int:
        """Length of the protocol's proxy on this training set; known without training it."""
        return self.protocol.proxy.training.length(len(self.data)).epochs

    @property
    def clean_epochs(self) -> tuple[int, ...]:
        """The 1-based epochs after which the proxy observes un-augmented rows."""
        return tuple(sorted({as_epoch(value, self.proxy_epochs) for value in self.protocol.proxy.clean}))

    def trace(self, repeat: int = 0) -> Trace:
        """The trace of the protocol's proxy (``repeat`` > 0: of an independent further run)."""
        return Trace(self._proxy(repeat) if repeat else self._noted_proxy())

    def features(self) -> Tensor:
        """Penultimate features of the un-augmented training rows under the proxy: float32 [N, D], memory-mapped."""
        return self.predictions().features

    def predictions(self) -> Predictions:
        """Features and logits of the un-augmented training rows under the proxy, memory-mapped."""
        proxy = self._noted_proxy()

        def build(_: Context, out: Path) -> None:
            write_predictions(
                trained_network(proxy, self.data, self.protocol, self._proxy_model()),
                self.data,
                self.protocol,
                out,
                device=self.device,
                workers=self.workers,
            )

        return read_predictions(self.artefact("predictions", {"proxy": proxy.name}, "selection", build))

    def proxy_network(self) -> FrozenProxy:
        """The trained proxy, frozen, with its view of the training rows: for methods that differentiate through it."""
        network = trained_network(self._noted_proxy(), self.data, self.protocol, self._proxy_model())
        return FrozenProxy(network, self.data, self.protocol, self.device)

    def place(self, out: Path) -> Place:
        """Where a network of an artefact is trained: resumed from this context's folder, kept in ``out``."""
        return Place(self.device, self.workers, self.progress, work=self.folder, out=out)

    def score(self, reference: Reference | str) -> Tensor:
        """Scores of the training rows: float32 [N], larger = "hard"; NaN for rows outside the score's pool.

        Raises:
            RequestError: the score is not one number per row of its pool.
        """
        method = self.build("score", reference)
        key = {"score": self.define(method), **self._depends(self.data)}
        teachers = self._teachers_of(method, key)

        def build(inner: Context, out: Path) -> None:
            inner.teachers_for = "set" if teachers else None
            found, rows = method.score(self.data, inner).to(torch.float32), len(self.data)
            missing = int(torch.isnan(found).sum())
            if found.shape != (rows,) or missing != rows - method.pooled(rows):
                raise RequestError(
                    f"The score {method.name} must give {method.pooled(rows):,} numbers for {rows:,} rows; found shape "
                    f"{list(found.shape)} with {missing:,} NaN."
                )
            save_file({"scores": found.contiguous()}, out / "scores.safetensors")

        return load_tensors(self.artefact("scores", key, "selection", build) / "scores.safetensors")["scores"].clone()

    def teacher(self, reference: Reference | str | None = None) -> Teacher:
        """A frozen teacher, with its accuracy on the test images; the record tells of it.

        Args:
            reference: which; None = the protocol's.

        Raises:
            RequestError: the protocol has none, the named one cannot be had or may have seen the split that is tuned
                on, or the method that asks declares no parameter that names a teacher.
        """
        if self.teachers_for is None:
            raise RequestError(
                "A compressor or score that asks a teacher must say so, because its sets depend on it: give it a "
                'parameter such as teacher: Annotated[Reference | None, OfKind("teacher")] = Field(None, ...).'
            )
        return self._asked(reference, self.teachers_for)

    def untrained_teacher(self, reference: Reference | str | None = None) -> nn.Module | None:
        """The network that a teacher will be, before the training that :meth:`teacher` may take; None = it needs none.

        So that a method refuses a network that it cannot use at once.
        """
        model = self._teacher_source(reference).architecture(self.protocol)
        if model is None:
            return None
        return build_seeded(self.method("model", model), len(self.data.class_names), self.protocol.store.size, 0)

    def _teacher_source(self, reference: Reference | str | None) -> Any:
        usual = self.protocol.teacher.use if self.protocol.teacher else None
        chosen = usual if reference is None else reference
        if chosen is None:
            raise RequestError(
                f"The protocol {self.protocol.id} has no [teacher]. Name one: timm/NAME, torchvision/NAME or "
                "checkpoint:path=FILE."
            )
        return self.build("teacher", chosen)

    def _asked(self, reference: Reference | str | None, purpose: str) -> Teacher:
        source = self._teacher_source(reference)
        if self.tuning and not source.trained_here:
            raise RequestError(
                f"--tune trains and tests on a split of the training set, and the teacher {source.name} may have seen "
                "both parts. Use one that is trained on the first: teachers=[trained]."
            )
        found: Teacher = source.provide(self)
        teacher = replace(found, top1=self._teacher_top1(found))
        about = {"top1": teacher.top1, "digest": teacher.digest, "bytes": teacher.bytes, "for": [purpose]}
        external = {"external_data": [teacher.external]} if teacher.external else {}
        self.note(teachers={teacher.id: about}, **external)
        return teacher

    def compress(self, reference: Reference | str, data: Images, budget: Budget) -> CompressedSet:
        """The set that a compressor makes of ``data``, checked against the budget.

        Raises:
            RequestError: the method returned another number of canvases, another size, or wrong targets.
        """
        method = self.build("compressor", reference)
        definition = self.define(method)
        key = {"compressor": definition, "budget": budget.model_dump(), **self._depends(data)}
        teachers = self._teachers_of(method, key)

        def build(inner: Context, out: Path) -> None:
            inner.teachers_for = "set" if teachers else None
            made = method.compress(data, budget, inner)
            if inner.finished and not ranks.leads():
                raise ranks.PartsDoneError
            check_budget(made, method.name, budget, budgeted=method.budgeted, balanced=method.balanced)
            given = made.card.model_dump(exclude_defaults=True)
            card = Card(
                **{
                    "method": method.name,
                    "definition": definition,
                    "ipc": budget.ipc if method.budgeted else None,
                    "seeds": self.seeds.model_dump(),
                    "dataset_fingerprint": data.fingerprint,
                    "versions": {name: version(name) for name in ("rethinkdc", "torch", "pillow")},
                    "notes": inner.notes,
                    "external_data": inner.notes.get("external_data", []),
                    **given,
                }
            )
            save_working(made.with_card(card), out)

        stage = "selection" if method.rows_per_canvas() else "synthesis"
        folder = self.artefact("sets", key, stage, build, shared=True)
        # Measured here: how good a teacher is on the test images is no part of a set.
        for named in teachers:
            self._asked(named, "set")
        made = load_working(folder, data)
        # The same set serves every protocol with this store and proxy; the card names the one that asks now.
        asked = {
            "protocol": self.protocol.id,
            "protocol_digest": self.protocol.digest,
            "seconds": json.loads((folder / "about.json").read_text())["costs"],
        }
        return made.with_card(made.card.model_copy(update=asked))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _teachers_of(self, method: Method, key: dict[str, Any]) -> list[Reference | None]:
        """What a method's parameters name as teachers; then the key of what it makes holds all that they depend on."""
        found = list(named_methods(method, "teacher", self.build))
        if found:
            key["teachers"] = teachers_definition(self.protocol, self.build, self.define)
        return found

    def _teacher_top1(self, teacher: Teacher) -> float | None:
        """Measured once for each teacher and test set."""
        if self.test is None:
            return None
        test = self.test
        key = {"teacher": teacher.digest, "test": test.fingerprint, "view": teacher.test.model_dump(mode="json")}

        def build(_: Context, out: Path) -> None:
            top1 = teacher_top1(teacher, test, workers=self.workers)
            (out / "top1.json").write_text(json.dumps(top1))

        return float(json.loads((self.artefact("teacher-tests", key, "measuring", build) / "top1.json").read_text()))

    def _noted_proxy(self) -> Path:
        """The shared proxy's folder; the record says that it was used, and how accurate it is."""
        folder = self._proxy(0)
        self.note(proxy="shared", proxy_accuracy=Trace(folder).accuracy)
        return folder

    def _proxy_model(self) -> Any:
        return self.build("model", self.protocol.proxy.model)

    def _proxy(self, repeat: int) -> Path:
        key = {
            "semantics": [TRACE_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
            "model": self.define(self._proxy_model()),
            "making": self.protocol.proxy_digest,
            "data": self.data.fingerprint,
            "seed": self.seeds.proxy,
            "repeat": repeat,
        }

        def build(inner: Context, out: Path) -> float:
            return train_proxy(self.data, self.protocol, self._proxy_model(), self.seeds, repeat, inner.place(out))

        return self.artefact("proxies", key, "proxy", build)

    def _depends(self, data: Images) -> dict[str, Any]:
        """What every score and set depends on beside its method."""
        return {
            "semantics": [SET_SEMANTICS, TRACE_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
            "making": self.protocol.making_digest,
            "data": [self.data.fingerprint, data.fingerprint],
            "seeds": self.seeds.model_dump(exclude={"student"}),
        }

    def artefact(
        self,
        kind: str,
        key: Any,
        stage: str,
        build: Callable[[Context, Path], float | None],
        *,
        shared: bool = False,
    ) -> Path:
        """Finds or makes an artefact; its notes and costs, the nested ones included, become ours.

        Args:
            kind: what it is, as a folder name of the cache: ``labels``.
            key: JSON data that holds all that the artefact depends on.
            stage: what its seconds count as: proxy, teacher, selection, synthesis or labels.
            build: called with a context whose folder survives a kill, and with the folder to fill; may return the
                seconds that it took over all tries, where it knows them better than this process.
            shared: whether all ranks build it together, where they all do this work: each a share of its parts.

        Returns:
            The folder: whole, and checked against its checksums.
        """
        name = digest(key)
        shared = shared and self.together and ranks.world() > 1

        def make(work: Path, out: Path) -> None:
            # The student, the ipc and the test images are no part of a key, so what is made must not see them.
            meter = PeakMeter()
            inner = replace(
                self,
                folder=work,
                notes={},
                costs={},
                memory={},
                meter=meter,
                student=None,
                ipc=None,
                test=None,
                earlier=0.0,
                # What one rank makes under a lock, it must make alone: the others may be waiting for that lock.
                together=shared,
                finished=(lambda: self.cache.find(kind, name) is not None) if shared else None,
            )
            before = time.perf_counter()
            told = build(inner, out) or 0.0
            # What nested artefacts took is theirs, whether they were made just now or long ago.
            fresh = inner.costs.pop("fresh", 0.0)
            inner.costs[f"{stage}:{name}"] = max(told, time.perf_counter() - before - fresh + inner.earlier)
            inner.memory[f"{stage}:{name}"] = meter.read()
            about = {"notes": inner.notes, "costs": inner.costs, "memory": inner.memory}
            (out / "about.json").write_text(json.dumps(about, indent=1))

        started = time.perf_counter()
        if self.meter:
            self.meter.pause()
        folder = self.cache.make(kind, name, make, shared=shared)
        if self.meter:
            self.meter.resume()
        about = json.loads((folder / "about.json").read_text())
        self.note(**about["notes"])
        self.costs.update(about["costs"])
        self.memory.update(about.get("memory", {}))
        self.costs["fresh"] = self.costs.get("fresh", 0.0) + time.perf_counter() - started
        return folder


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


__all__ = ["Context", "Silent", "derive_seed"]
