"""From what a user asks for to a run: every name resolved, every check made that needs no training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rethinkdc.context.cache import Cache
from rethinkdc.context.sets import SET_SEMANTICS
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, Score, TeacherSource
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.data.stratified import stratified_split
from rethinkdc.errors import DataError, RequestError, UnsupportedError
from rethinkdc.labels.asking import LABEL_SEMANTICS
from rethinkdc.method import Method, named_methods
from rethinkdc.models.model import Model
from rethinkdc.protocol.protocol import Network, Protocol
from rethinkdc.protocol.proxy import TRACE_SEMANTICS
from rethinkdc.protocol.teachers import teachers_definition
from rethinkdc.reference import Reference, parse_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import DEFAULT_DATASET, DEFAULT_IPC, Request
from rethinkdc.storage import digest
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.types import Budget
from rethinkdc.views import VIEWS_REVISION

TUNE_FRACTION = 0.2
TUNE_SEED = 0
_SEMANTICS = {"views": VIEWS_REVISION, "loop": LOOP_REVISION, "trace": TRACE_SEMANTICS, "set": SET_SEMANTICS}
KEY_LENGTH = 24
"""Hex digits of a run's key: 96 bits keep any two runs apart."""


@dataclass(frozen=True)
class Run:
    """A request with every name resolved; ``key`` names the run.

    ``modified``: an override changes this run, which then never stands in a table with the original's.
    """

    request: Request
    dataset: Dataset
    dataset_fingerprint: str
    protocol: Protocol
    student: Network
    student_model: Method
    compressor: Compressor | None
    labeler: Labeler
    evaluator: Evaluator
    ipc: int | None
    modified: bool
    definition: dict[str, Any]
    labels: dict[str, str]
    key: str

    @property
    def methods(self) -> list[Method]:
        """All methods of the run."""
        found = [self.compressor, self.labeler, self.evaluator, self.dataset, self.student_model]
        return [method for method in found if method is not None]

    def budget(self, classes: int) -> Budget:
        """The budget of the run."""
        return Budget(ipc=self.ipc or 0, classes=classes, size=self.protocol.store.size)


def resolve_run(
    request: Request, registry: Registry, cache: Cache, *, made: dict[str, Any] | None = None, trains: bool = True
) -> Run:
    """Resolves a request.

    Args:
        request: what the user asks for.
        registry: finds the methods.
        cache: knows fingerprints of datasets seen before.
        made: definition of a finished set that takes the compressor's place (``name``, ``fingerprint``, ``ipc``).
        trains: whether a student is to be trained; if not, the labeler's track need not be the protocol's.

    Raises:
        RequestError: an unknown name, a value out of bounds, or parts that do not go together.
    """
    for kind, text in _typed(request, made is None):
        registry.check_unambiguous(kind, text)
    labeler = registry.build(Labeler, request.labeler)
    evaluator = registry.build(Evaluator, request.evaluator)
    compressor = None if made else registry.build(Compressor, request.compressor)
    dataset, fingerprint, original = _surroundings(request, registry, cache, labeler, trains)
    protocol = original.override(request.overrides)
    for score, values in protocol.proxy.scores.items():
        registry.build(Score, Reference(name=score, values=values))
    student = _student(request, registry, protocol)
    model = registry.build(Model, student.model)
    ipc = made["ipc"] if made else _ipc(request, compressor, protocol)
    asking = {
        name: teachers_definition(protocol, registry.build, registry.definition)
        for name, method in (("compressor_teachers", compressor), ("labeler_teachers", labeler))
        if method and _asked_teachers(method, registry, protocol)
    }
    definition = {
        "dataset": fingerprint,
        "compressor": made or (registry.definition(compressor) if compressor else None),
        "labeler": registry.definition(labeler),
        "evaluator": registry.definition(evaluator),
        "protocol": protocol.digest,
        "student": registry.definition(model),
        "ipc": ipc,
        "seeds": request.seeds.model_dump(),
        "tune": request.tune,
        "semantics": _SEMANTICS | ({"labels": LABEL_SEMANTICS} if labeler.track != "hard" else {}),
        **asking,
    }
    labels = {
        "compressor": registry.label(compressor) if compressor else made["name"] if made else "",
        "labeler": registry.label(labeler),
        "evaluator": registry.label(evaluator),
        "dataset": _dataset_label(dataset, registry),
        "protocol": f"{protocol.id} v{protocol.version}",
        "student": str(student.model),
        "ipc": str(ipc) if ipc else "full",
    }
    return Run(
        request=request,
        dataset=dataset,
        dataset_fingerprint=fingerprint,
        protocol=protocol,
        student=student,
        student_model=model,
        compressor=compressor,
        labeler=labeler,
        evaluator=evaluator,
        ipc=ipc,
        # What another teacher changes is only what asks one.
        modified=protocol.digest != original.digest or (bool(asking) and protocol.modified),
        definition=definition,
        labels=labels,
        key=digest(definition)[:KEY_LENGTH],
    )


def _surroundings(
    request: Request, registry: Registry, cache: Cache, labeler: Labeler, trains: bool
) -> tuple[Dataset, str, Protocol]:
    """The dataset, its fingerprint, and the protocol before any override: checked to go together."""
    chosen = registry.protocols.find(request.protocol) if request.protocol else None
    dataset = registry.build(Dataset, request.dataset or (chosen and chosen.default_dataset) or DEFAULT_DATASET)
    if trains and chosen and not chosen.admits(labeler.track):
        others = registry.protocols.all().values()
        alike = [f"--protocol {p.id}" for p in others if p.admits(labeler.track) and p.data == chosen.data]
        raise RequestError(
            f"The protocol {chosen.id} takes {chosen.track} labels; the labeler {labeler.name} gives {labeler.track} "
            f"ones. Choose another --labeler, or {' or '.join(alike) or 'a protocol for them'} "
            "(`rethinkdc list-protocols`)."
        )
    if chosen and dataset.schema and not chosen.fits(dataset.schema):
        raise _misfit(chosen, dataset.name, dataset.schema)
    fingerprint, schema = dataset.identify(cache.home)
    protocol = chosen or registry.protocols.default(dataset, schema, labeler.track)
    if not protocol.fits(schema):
        raise _misfit(protocol, registry.label(dataset), schema)
    return dataset, fingerprint, protocol


def _typed(request: Request, with_compressor: bool) -> list[tuple[str, str]]:
    """The references that a user wrote; defaults mean the framework's own methods."""
    given = {
        "compressor": request.compressor if with_compressor else None,
        "labeler": request.labeler if request.labeler != Request.labeler else None,
        "evaluator": request.evaluator if request.evaluator != Request.evaluator else None,
        "dataset": request.dataset,
        "model": request.student,
    }
    return [(kind, text) for kind, text in given.items() if text]


def load_splits(run: Run, cache: Cache) -> Splits:
    """Loads the run's dataset; when tuning, both parts come from the training set.

    Raises:
        DataError: the data cannot be read, or is not what it was when the run was made.
    """
    splits = run.dataset.load(cache.home, run.request.backing)
    if splits.fingerprint != run.dataset_fingerprint:
        raise DataError(
            f"The dataset {run.labels['dataset']} changed while it was read. Run again when it is complete."
        )
    if not run.request.tune:
        return splits
    kept, held_out = stratified_split(splits.train.targets, TUNE_FRACTION, TUNE_SEED)
    return Splits(train=rows_of(splits.train, kept), test=rows_of(splits.train, held_out))


def check_request(run: Run, splits: Splits) -> None:
    """Checks that the training set can serve the budget.

    Raises:
        UnsupportedError: a class has fewer images than the compressor takes.
    """
    compressor = run.compressor
    if compressor is None or run.ipc is None or not compressor.rows_per_canvas():
        return
    train, per_canvas = splits.train, compressor.rows_per_canvas()
    tiled = f" x {per_canvas} images per canvas (grid {round(per_canvas**0.5)})" if per_canvas > 1 else ""
    counts = train.targets.bincount(minlength=len(train.class_names))
    if not compressor.balanced:
        # Only the total binds: the classes may give what they have.
        if run.ipc * per_canvas * len(counts) > len(train):
            raise UnsupportedError(
                f"{run.labels['compressor']} at ipc {run.ipc}{tiled} needs {run.ipc * per_canvas * len(counts):,} "
                f"training images; {run.labels['dataset']} has {len(train):,}. "
                f"The largest ipc here is {len(train) // (per_canvas * len(counts))}."
            )
        return
    smallest = int(counts.argmin())
    if run.ipc * per_canvas > int(counts[smallest]):
        raise UnsupportedError(
            f"{run.labels['compressor']} at ipc {run.ipc}{tiled} needs {run.ipc * per_canvas:,} training images of "
            f"every class, but class {train.class_names[smallest]!r} of {run.labels['dataset']} has "
            f"{int(counts[smallest]):,}. "
            f"The largest ipc here is {int(counts[smallest]) // per_canvas}."
        )


def rows_of(images: Any, rows: Any) -> Any:
    """Some rows of a set, held as its backing holds it."""
    from rethinkdc.data.decoded import DecodedImages
    from rethinkdc.data.rows import RowsOf

    picked = RowsOf(images, rows)
    if not isinstance(images, DecodedImages):
        return picked
    return DecodedImages(images.pixels[rows], images.targets[rows], images.class_names, picked.fingerprint)


def _asked_teachers(method: Method, registry: Registry, protocol: Protocol) -> list[Reference | None]:
    """What a method's parameters name as teachers, None for the protocol's; each is checked without any training.

    Raises:
        RequestError: a teacher does not fit the protocol.
    """
    found = list(named_methods(method, "teacher", registry.build))
    usual = protocol.teacher.use if protocol.teacher else None
    for reference in (item or usual for item in found):
        if reference is not None:
            registry.build(TeacherSource, reference).check(protocol, protocol.data.classes)
    return found


def _ipc(request: Request, compressor: Compressor | None, protocol: Protocol) -> int | None:
    assert compressor is not None
    if not compressor.budgeted:
        if request.ipc is not None:
            raise RequestError(f"{compressor.name} uses the whole training set: leave --ipc out.")
        return None
    ipc = request.ipc if request.ipc is not None else protocol.default_ipc or DEFAULT_IPC
    if ipc < 1:
        raise RequestError(f"--ipc {ipc} is not valid: at least one image per class is needed.")
    return ipc


def _student(request: Request, registry: Registry, protocol: Protocol) -> Network:
    wanted = parse_reference(request.student) if request.student else protocol.student.model
    model = registry.build(Model, wanted)
    canonical = Reference(name=wanted.name, values=wanted.values and method_values(model))
    return Network(model=canonical, mean=protocol.student.mean, std=protocol.student.std)


def method_values(method: Method) -> dict[str, Any]:
    """The parameters of a method that differ from their defaults."""
    return method.changed()


def _dataset_label(dataset: Dataset, registry: Registry) -> str:
    if dataset.name == "folder":
        # The folder's own name: a record must not carry the path of somebody's machine.
        return Path(str(getattr(dataset, "path", ""))).expanduser().resolve().name
    return str(getattr(dataset, "repo", "")) or registry.label(dataset)


def _misfit(protocol: Protocol, name: str, schema: Schema) -> RequestError:
    wanted = protocol.data
    return RequestError(
        f"The protocol {protocol.id} is for {wanted.classes} classes, {wanted.train or 'any number of'} training and "
        f"{wanted.test or 'any number of'} test images; the dataset {name} has {schema.classes}, {schema.train} and "
        f"{schema.test}. Choose a fitting --protocol (`rethinkdc list-protocols`) or --dataset."
    )
