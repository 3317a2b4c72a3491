"""From what a user asks for to a run: every name resolved, every check made that needs no training."""

from __future__ import annotations

from dataclasses import dataclass

from rethinkdc.context.cache import Cache
from rethinkdc.context.sets import SET_SEMANTICS
from rethinkdc.contracts.declared import check_metrics
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, Score, TeacherSource
from rethinkdc.errors import RequestError
from rethinkdc.labels.asking import LABEL_SEMANTICS
from rethinkdc.labels.cells import CELL_LABEL_SEMANTICS
from rethinkdc.method import Method, named_methods
from rethinkdc.models.model import Model
from rethinkdc.protocol.protocol import Network, Protocol
from rethinkdc.protocol.proxy import TRACE_SEMANTICS
from rethinkdc.protocol.teachers import teachers_definition
from rethinkdc.reference import Reference, parse_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest, FinishedRequest, FinishedSet
from rethinkdc.runs.definition import Definition, MethodDefinition, SetDefinition
from rethinkdc.runs.ground import Ground, Grounds, training_layout
from rethinkdc.runs.record import Names
from rethinkdc.runs.request import Request
from rethinkdc.runs.size import SetSize, resolve_size, split_images
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.types import Budget, Images
from rethinkdc.views import VIEWS_REVISION

_SEMANTICS = {"views": VIEWS_REVISION, "loop": LOOP_REVISION, "trace": TRACE_SEMANTICS, "set": SET_SEMANTICS}


@dataclass(frozen=True)
class Run(Ground):
    """A request with every name resolved.

    Attributes:
        request: what the user asked for.
        student: the network that is trained.
        student_model: its architecture.
        compressor: what makes the set; None for a finished set.
        labeler: what labels it.
        evaluator: what measures it.
        size: how large the set is.
        modified: whether an override changes this run, which then never stands in a table with the original's.
        definition: all that the result depends on.
        names: what people call its parts.
        finished: the set in the compressor's place, where it was asked for by its place.
    """

    request: Request
    student: Network
    student_model: Method
    compressor: Compressor | None
    labeler: Labeler
    evaluator: Evaluator
    size: SetSize
    modified: bool
    definition: Definition
    names: Names
    finished: FinishedSet | None = None

    @property
    def asked(self) -> AnyRequest:
        """What resolves to this run again, also in another process."""
        return FinishedRequest(self.finished, self.request) if self.finished else self.request

    @property
    def awaits_set(self) -> bool:
        """Whether its set is still to be fetched from the hub: until then nobody knows the run's key."""
        made = self.definition.compressor
        return isinstance(made, SetDefinition) and not made.is_known

    @property
    def key(self) -> str:
        """Names the run."""
        return self.definition.key

    @property
    def methods(self) -> list[Method]:
        """All methods of the run."""
        methods = [self.compressor, self.labeler, self.evaluator, self.dataset, self.student_model]
        return [method for method in methods if method is not None]

    @property
    def ipc(self) -> int | None:
        """Images per class, of a share the rounded mean; None = the whole training set."""
        return self.size.ipc

    def budget(self, train: Images) -> Budget:
        """The budget of the run on its training set."""
        classes, images = len(train.class_names), self.size.images
        counts = None if images is None else split_images(images, train.targets.bincount(minlength=classes).tolist())
        return Budget(ipc=self.ipc or 0, classes=classes, size=self.protocol.store.size, counts=counts)


def _check_methods(protocol: Protocol, registry: Registry) -> None:
    """Builds every method that a protocol names: what is misspelt there shows before anything is computed.

    Raises:
        RequestError: there is no such method, or it has no such parameter; says where.
    """
    for score, values in protocol.proxy_scores.items():
        registry.build(Score, Reference(name=score, values=values))
    named: list[tuple[str, type[Method], Reference]] = [(key, Model, one) for key, one in protocol.networks.items()]
    if protocol.teacher:
        named.append(("teacher.use", TeacherSource, protocol.teacher.use))
    for key, kind, reference in named:
        try:
            registry.build(kind, reference)
        except RequestError as error:  # noqa: PERF203 - each is named by its key
            raise type(error)(f"The protocol {protocol.id}, {key}: {error}") from None


def resolve_run(
    request: Request,
    registry: Registry,
    cache: Cache,
    *,
    finished: SetDefinition | None = None,
    seen_in_cells: bool = False,
    trains: bool = True,
    grounds: Grounds | None = None,
) -> Run:
    """Resolves a request.

    Args:
        request: what the user asks for.
        registry: finds the methods.
        cache: knows fingerprints of datasets seen before.
        finished: a finished set that takes the compressor's place.
        seen_in_cells: whether the views of the finished set show one of several cells each.
        trains: whether a student is to be trained; if not, the labeler's track need not be the protocol's.
        grounds: those of other requests of the same moment; None = this is the only one.

    Raises:
        RequestError: an unknown name, a value out of bounds, or parts that do not go together.
    """
    for kind, text in _typed(request, finished is None):
        registry.check_unambiguous(kind, text)
    maker = finished or registry.build(Compressor, request.compressor)
    labeler = registry.build(Labeler, request.labeler)
    evaluator = registry.build(Evaluator, request.evaluator)
    check_metrics(evaluator)
    original = (grounds or Grounds(registry, cache)).find(
        dataset=request.dataset,
        protocol=request.protocol,
        seeds=request.seeds,
        backing=request.backing,
        tune=request.tune,
        labeler=labeler,
        trains=trains,
        overrides=request.changes,
    )
    protocol = original.protocol.override(request.changes, registry.view_ops.find)
    _check_methods(protocol, registry)
    student = _student(request, registry, protocol)
    model = registry.build(Model, student.model)
    layout = training_layout(original)
    compressor: Compressor | None = None
    made: MethodDefinition | SetDefinition
    if isinstance(maker, SetDefinition):
        size, made, title = SetSize(maker.ipc), maker, maker.name
    else:
        size = resolve_size(request, maker, protocol, layout)
        # The row has the name that was asked for; its key holds what the paper says of what that leaves open.
        compressor = registry.complete(maker, protocol.store.size, protocol.data.classes)
        made, title = _define(compressor, registry), registry.label(maker)
    teachers = {
        name: teachers_definition(protocol, registry.build, registry.definition)
        for name, method in (("compressor_teachers", compressor), ("labeler_teachers", labeler))
        if method and _asked_teachers(method, registry, protocol)
    }
    cells = compressor.seen_in_cells if compressor else seen_in_cells
    definition = Definition(
        dataset=original.dataset_fingerprint,
        compressor=made,
        labeler=_define(labeler, registry),
        evaluator=_define(evaluator, registry),
        protocol=protocol.digest,
        student=_define(model, registry),
        ipc=size.ipc,
        images=size.images,
        seeds=request.seeds,
        tune=request.tune,
        semantics=_SEMANTICS | ({"labels": LABEL_SEMANTICS} if labeler.track != "hard" else {}),
        cell_labels=CELL_LABEL_SEMANTICS if cells and labeler.track == "static" else None,
        **teachers,
    )
    return Run(
        **{**vars(original), "protocol": protocol},
        request=request,
        student=student,
        student_model=model,
        compressor=compressor,
        labeler=labeler,
        evaluator=evaluator,
        size=size,
        # What another teacher changes is only what asks one.
        modified=protocol.digest != original.protocol.digest or (bool(teachers) and protocol.modified),
        definition=definition,
        names=Names(
            compressor=title,
            labeler=registry.label(labeler),
            evaluator=registry.label(evaluator),
            dataset=original.dataset_name,
            protocol=f"{protocol.id} v{protocol.version}",
            student=str(student.model),
            ipc=size.spell(layout),
        ),
    )


def _define(method: Method, registry: Registry) -> MethodDefinition:
    return MethodDefinition.model_validate(registry.definition(method))


def _typed(request: Request, with_compressor: bool) -> list[tuple[str, str]]:
    """The references that a user wrote; defaults mean the framework's own methods."""
    given = {
        "compressor": request.compressor if with_compressor else None,
        "labeler": request.labeler if request.labeler != Request.labeler else None,
        "evaluator": request.evaluator if request.evaluator != Request.evaluator else None,
        "model": request.student,
    }
    return [(kind, text) for kind, text in given.items() if text]


def _asked_teachers(method: Method, registry: Registry, protocol: Protocol) -> list[Reference | None]:
    """What a method's parameters name as teachers, None for the protocol's; each is checked without any training.

    Raises:
        RequestError: a teacher does not fit the protocol.
    """
    teachers = list(named_methods(method, "teacher", registry.build))
    usual = protocol.teacher.use if protocol.teacher else None
    for reference in (item or usual for item in teachers):
        if reference is not None:
            registry.build(TeacherSource, reference).check(protocol, protocol.data.classes)
    return teachers


def _student(request: Request, registry: Registry, protocol: Protocol) -> Network:
    wanted = parse_reference(request.student) if request.student else protocol.student.model
    model = registry.build(Model, wanted)
    canonical = Reference(name=wanted.name, values=wanted.values and model.changed())
    return Network(model=canonical, mean=protocol.student.mean, std=protocol.student.std)
