"""For the tests of plugins: small images, a context without a command line, and what every method must hold.

A plugin's whole conformance test::

    from rethinkdc.testing import check_method

    def test_every_nth_keeps_the_contract(tmp_path):
        check_method("every-nth:n=3", tmp_path)

The framework holds its own methods to the same checks.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.context.cache import Cache
from rethinkdc.context.context import Context
from rethinkdc.contracts.hooks import GROUP
from rethinkdc.contracts.kinds import Compressor, Evaluator, Labeler, Score, TeacherSource
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.models import Model, Penultimate, build_seeded, weights_digest
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.student import student_training
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.device import deterministic
from rethinkdc.seeds import AXES, Axis, Seeds, generator
from rethinkdc.types import Budget, Drawn, Images, Supervision, ViewBatch, ViewKey

_VIEWS = 8
"""Views that a labeler is asked for."""

_ROWS_READ = 64
"""Rows of a named dataset that are read from both backings."""


# -- surroundings ------------------------------------------------------------------------------------------------------


def images(
    *, classes: int = 4, per_class: int = 20, size: int | tuple[int, int] = (9, 11), seed: int = 0
) -> DecodedImages:
    """Random images sorted by class, as many copies of datasets are; not square, so that no method may count on it.

    Args:
        classes: number of classes.
        per_class: images of each class.
        size: (height, width) in pixels, or one number for both.
        seed: of the pixels.
    """
    height, width = (size, size) if isinstance(size, int) else size
    draws, count = generator(seed), classes * per_class
    pixels = torch.randint(0, 256, (count, 3, height, width), generator=draws, dtype=torch.uint8)
    targets = torch.arange(classes).repeat_interleave(per_class)
    return DecodedImages(pixels, targets, [f"class {index}" for index in range(classes)])


def encoded(data: Images) -> EncodedImages:
    """The same images as PNG files in memory, decoded whenever they are asked for, with the same fingerprint."""
    files = []
    for pixels in data.native(torch.arange(len(data))):
        buffer = io.BytesIO()
        Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return EncodedImages(_Files(files), data.targets, data.class_names, data.fingerprint)


def context(
    folder: Path,
    *,
    data: Images | None = None,
    protocol: str | Protocol = "digits-hard",
    ipc: int | None = 2,
    seeds: Seeds | None = None,
    registry: Registry | None = None,
    short: bool = True,
    device: str = "cpu",
) -> Context:
    """What a method is given beside the data, with a cache of its own under ``folder``.

    Args:
        folder: the test's temporary folder.
        data: the training set; None = :func:`images`.
        protocol: id, TOML file or protocol.
        ipc: the run's images per class; None for the full set.
        seeds: None = 0 on every axis.
        registry: finds the methods; None = those installed.
        short: train proxies and students for two steps or epochs only.
        device: where networks run.
    """
    registry = registry or Registry()
    wanted = registry.protocol(protocol) if isinstance(protocol, str) else protocol
    wanted = shortened(wanted) if short else wanted
    cache = Cache(folder / "cache")
    return Context(
        data=images() if data is None else data,
        protocol=wanted,
        seeds=seeds or Seeds(),
        cache=cache,
        build=registry.build,
        define=registry.definition,
        device=torch.device(device),
        ipc=ipc,
        student=wanted.student,
        folder=cache.work("runs", "test"),
    )


def shortened(protocol: Protocol, steps: int = 2) -> Protocol:
    """The protocol, marked modified, with students and teachers of ``steps`` steps and a proxy of ``steps`` + 1 epochs.

    Epochs that belong to the protocol's own length (a curve's, a score's) are left out.
    """
    values: dict[str, Any] = {
        "training.epochs": None,
        "training.steps": steps,
        # Two changes from epoch to epoch are the least that every score of the dynamics can read.
        "proxy.training.epochs": steps + 1,
        "proxy.training.steps": None,
        "proxy.clean": [1.0],
        "proxy.scores": {},
        "curve": [],
    }
    if protocol.reference:
        values |= {"reference.epochs": None, "reference.steps": steps}
    for name in protocol.teacher.recipes if protocol.teacher else ():
        training = f"teacher.recipes.{name}.training"
        values |= {f"{training}.epochs": None, f"{training}.steps": steps}
    return protocol.override(values)


def registry_with(*modules: str) -> Registry:
    """The installed plugins and further modules that are not installed, by the names that import them."""
    added = [EntryPoint(name=module, value=module, group=GROUP) for module in modules]
    return Registry([*entry_points(group=GROUP), *added])


# -- the contract ------------------------------------------------------------------------------------------------------


def check_method(
    method: str | Method,
    folder: Path,
    *,
    kind: str = "compressor",
    varies_with: Iterable[Axis] = (),
    registry: Registry | None = None,
    data: DecodedImages | None = None,
    protocol: str | Protocol | None = None,
    ipc: int = 2,
    device: str = "cpu",
) -> None:
    """Checks that a method keeps the contract of its kind.

    Of every kind: the printed form builds the same method, the definition is JSON, and no global random state is
    touched or read. Of what works on data: the training data is untouched, the result is the same under the same
    seeds, from decoded and encoded images, and for other seeds on axes that the method does not declare; it differs
    for another seed on those it does. Of each kind its own: budget, sizes, dtypes and ranges.

    Args:
        method: a reference, or an instance (whose module need not be installed).
        folder: the test's temporary folder.
        kind: of a reference: compressor, score, labeler, teacher, evaluator, dataset or model.
        varies_with: the seed axes that the result depends on; ``("set",)`` for a random draw.
        registry: finds the methods; None = those installed, and the instance's module.
        data: training set; None = :func:`images`. It must hold enough images of each class for ``ipc``.
        protocol: shortened to two steps; None = ``digits-soft`` for labelers of soft tracks, else ``digits-hard``.
        ipc: images per class that a compressor is asked for.
        device: where networks run.

    Raises:
        AssertionError: says what the contract asks for and what was found.
    """
    registry = registry or _registry_of(method)
    built = (
        registry.build(kind, method)
        if isinstance(method, str)
        else registry.build(method.kind, registry.reference(method))
    )
    check_words(built, registry)
    if protocol is None:
        soft = isinstance(built, Labeler) and built.track != "hard"
        protocol = "digits-soft" if soft else "digits-hard"
    bench = _Bench(registry, folder, images() if data is None else data, protocol, ipc, device)
    if isinstance(built, Model):
        _check_model(built, bench)
    elif isinstance(built, Dataset):
        _check_dataset(built, folder)
    else:
        _check_on_data(built, bench, tuple(varies_with))


def check_words(method: Method, registry: Registry) -> None:
    """Checks that a method survives being printed, written as JSON, and read again.

    Raises:
        AssertionError: says which form did not give the method back.
    """
    text, definition = registry.label(method), registry.definition(method)
    again = registry.build(method.kind, text)
    _require(again == method, f"{text!r} reads as {again!r}, not as {method!r}")
    _require(registry.label(again) == text, f"{text!r} prints as {registry.label(again)!r} after being read")
    _require(
        json.loads(json.dumps(definition)) == definition, f"the definition of {text} is not plain JSON: {definition}"
    )
    reread = type(method).model_validate_json(method.model_dump_json())
    _require(registry.definition(reread) == definition, f"{text} changes when written as JSON and read again")


class _Bench:
    """Where one method is tried: fresh surroundings each time, so that nothing comes out of a cache."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        data: DecodedImages,
        protocol: str | Protocol,
        ipc: int,
        device: str,
    ) -> None:
        self.registry, self.folder, self.data, self.ipc, self.device = registry, folder, data, ipc, device
        self.protocol = shortened(registry.protocol(protocol) if isinstance(protocol, str) else protocol)
        self._tries = 0

    def fresh(self, data: Images, seeds: Seeds, ipc: int | None) -> Context:
        self._tries += 1
        return context(
            self.folder / f"try-{self._tries}",
            data=data,
            protocol=self.protocol,
            ipc=ipc,
            seeds=seeds,
            registry=self.registry,
            short=False,
            device=self.device,
        )

    @property
    def size(self) -> int:
        return self.protocol.store.size

    @property
    def budget(self) -> Budget:
        return Budget(ipc=self.ipc, classes=len(self.data.class_names), size=self.size)


def _check_on_data(method: Method, bench: _Bench, varies_with: Sequence[Axis]) -> None:
    name = bench.registry.label(method)
    unknown = set(varies_with) - set(AXES)
    _require(not unknown, f"varies_with names unknown seed axes {sorted(unknown)}; known: {', '.join(AXES)}")

    def made(data: Images, seeds: Seeds) -> dict[str, Any]:
        with deterministic(torch.device(bench.device)), _untouched(data, name):
            return _OUTCOMES[method.kind](method, data, seeds, bench)

    def outcome(data: Images, seeds: Seeds) -> dict[str, Any]:
        with _bystander(name):
            return made(data, seeds)

    # Not watched, because libraries that are imported for the first time draw random numbers of their own.
    first = made(bench.data, Seeds())
    _require(_same(first, outcome(bench.data, Seeds())), f"{name} gives another result under the same seeds")
    _require(
        _same(first, outcome(encoded(bench.data), Seeds())),
        f"{name} gives another result from encoded than from decoded images",
    )
    others = Seeds(**{axis: 1 for axis in AXES if axis not in varies_with})
    _require(
        _same(first, outcome(bench.data, others)),
        f"{name} depends on a seed axis that it does not declare; declared: {', '.join(varies_with) or 'none'}",
    )
    for axis in varies_with:
        other = outcome(bench.data, Seeds(**{axis: 1}))
        _require(not _same(first, other), f"{name} gives the same result under another {axis} seed")


# -- what each kind gives ----------------------------------------------------------------------------------------------


def _of_compressor(method: Method, data: Images, seeds: Seeds, bench: _Bench) -> dict[str, Any]:
    assert isinstance(method, Compressor)
    budget, name = bench.budget, method.name
    surroundings = bench.fresh(data, seeds, bench.ipc if method.budgeted else None)
    made = surroundings.compress(bench.registry.reference(method), data, budget)
    _require(made.class_names == data.class_names, f"{name} changed the class names")
    if method.budgeted:
        _require(len(made) == budget.total, f"{name} made {len(made)} canvases; the budget is {budget.total}")
        if method.balanced:
            _require(set(made.histogram()) == {budget.ipc}, f"{name} declares balance; per class: {made.histogram()}")
    canvases = made.canvases(torch.arange(len(made)), budget.size)
    _require(
        canvases.dtype == torch.uint8 and canvases.shape == (len(made), 3, budget.size, budget.size),
        f"{name} made canvases of {canvases.dtype} {list(canvases.shape)}; the protocol stores {budget.size} px",
    )
    _check_beside(made, data, name)
    return {
        "canvases": canvases,
        "targets": made.targets,
        "sources": made.sources,
        "source_boxes": made.source_boxes,
        "cell_boxes": made.cell_boxes,
        "weights": made.weights,
        "soft_targets": made.soft_targets,
        "view_rule": made.view_rule,
    }


def _check_beside(made: CompressedSet, data: Images, name: str) -> None:
    """What a set holds beside its images."""
    _require(
        bool(((made.sources >= -1) & (made.sources < len(data))).all()),
        f"{name} names sources outside -1..{len(data) - 1}",
    )
    _require(
        made.targets.dtype == torch.int64
        and bool(((made.targets >= 0) & (made.targets < len(data.class_names))).all()),
        f"{name} gives targets that are no class index",
    )
    if made.soft_targets is not None:
        wanted = (len(made), len(data.class_names))
        _require(made.soft_targets.shape == wanted, f"{name} learned labels of {list(made.soft_targets.shape)}")
        _require(bool(torch.isfinite(made.soft_targets).all()), f"{name} learned labels that are not finite")
    if made.cells > 1 and made.size is not None:
        corners = made.cell_boxes[:, :2] + made.cell_boxes[:, 2:]
        _require(
            bool((made.cell_boxes >= 0).all() and (made.cell_boxes[:, 2:] > 0).all() and (corners <= made.size).all()),
            f"{name} has cells outside its canvas of {made.size} px: {made.cell_boxes.tolist()}",
        )
    if made.source_boxes is not None:
        _require(made.source_boxes.shape == (*made.sources.shape, 4), f"{name}: one source box for each cell")
        shown = made.sources >= 0
        sizes = torch.tensor([image.shape[1:] for image in data.native(made.sources[shown])])
        boxes = made.source_boxes[shown]
        inside = (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all() and (boxes[:, :2] + boxes[:, 2:] <= sizes).all()
        _require(bool(inside), f"{name} has source boxes outside their training images")


def _of_score(method: Method, data: Images, seeds: Seeds, bench: _Bench) -> dict[str, Any]:
    assert isinstance(method, Score)
    found = method.score(data, bench.fresh(data, seeds, bench.ipc))
    _require(
        found.dtype == torch.float32 and found.shape == (len(data),),
        f"{method.name} must give float32 [{len(data)}], found {found.dtype} {list(found.shape)}",
    )
    scored, pooled = found[~torch.isnan(found)], method.pooled(len(data))
    _require(len(scored) == pooled, f"{method.name} must score {pooled} of {len(data)} rows, and scores {len(scored)}")
    # NaN differs from itself: the rows that were scored are compared beside their scores.
    return {"scores": scored, "rows": (~torch.isnan(found)).nonzero().flatten()}


def _of_labeler(method: Method, data: Images, seeds: Seeds, bench: _Bench) -> dict[str, Any]:
    assert isinstance(method, Labeler)
    surroundings = bench.fresh(data, seeds, bench.ipc)
    made = _labelled_set(data, bench.ipc)
    supervision = method.prepare(made, surroundings)
    cost = supervision.cost
    _require(cost.label_bytes >= 0 and cost.teacher_bytes >= 0, f"{method.name} states a negative cost: {cost}")
    batch = _views_of(made, supervision, surroundings)
    targets = supervision.targets(batch)
    views = len(batch.rows)
    short = {key: list(value.shape) for key, value in targets.items() if len(value) != views}
    _require(not short, f"{method.name} gives targets whose first dimension is not the batch's {views}: {short}")
    logits = torch.randn((views, len(data.class_names)), generator=generator(0)).requires_grad_()
    loss = supervision.loss(logits, targets)
    _require(
        loss.dtype == torch.float32 and loss.shape == (views,),
        f"{method.name} must give an unreduced float32 loss [{views}], found {loss.dtype} {list(loss.shape)}",
    )
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    finite = bool(torch.isfinite(loss).all() and torch.isfinite(gradient).all())
    _require(finite, f"{method.name} gives a loss or a gradient that is not finite")
    return {"targets": targets, "loss": loss.detach(), "cost": cost}


def _of_evaluator(method: Method, data: Images, seeds: Seeds, bench: _Bench) -> dict[str, Any]:
    assert isinstance(method, Evaluator)
    surroundings = bench.fresh(data, seeds, bench.ipc)
    made = _labelled_set(data, bench.ipc)
    labeler = bench.registry.build("labeler", "hard")
    assert isinstance(labeler, Labeler)
    # Other images than those trained on, held as the training images are.
    test: Images = images(classes=len(data.class_names), per_class=5, seed=1)
    test = test if isinstance(data, DecodedImages) else encoded(test)
    found = method.evaluate(made, labeler.prepare(made, surroundings), test, surroundings)
    declared = {metric.name: metric for metric in method.metrics}
    _require(
        set(found.metrics) == set(declared),
        f"{method.name} declares {sorted(declared)} and reports {sorted(found.metrics)}",
    )
    for name, value in found.metrics.items():
        inside = declared[name].unit != "fraction" or 0 <= value <= 1
        _require(np.isfinite(value) and inside, f"{method.name} reports {name} = {value}, a {declared[name].unit}")
    _require(len(found.per_class) == len(data.class_names), f"{method.name} must report one value for each class")
    return {"metrics": found.metrics, "per_class": found.per_class, "result_digest": found.result_digest}


def _of_teacher(method: Method, data: Images, seeds: Seeds, bench: _Bench) -> dict[str, Any]:
    assert isinstance(method, TeacherSource)
    teacher = method.provide(bench.fresh(data, seeds, bench.ipc))
    before = weights_digest(teacher.module)
    pixels = data.canvases(torch.arange(_VIEWS), bench.size)
    logits, wanted = teacher.logits(pixels), (_VIEWS, len(data.class_names))
    _require(
        logits.dtype == torch.float32 and logits.shape == wanted and bool(torch.isfinite(logits).all()),
        f"{method.name} must give finite float32 logits {list(wanted)}, found {logits.dtype} {list(logits.shape)}",
    )
    frozen = not any(parameter.requires_grad for parameter in teacher.module.parameters())
    _require(frozen, f"{method.name} gives a teacher whose parameters take a gradient")
    _require(not any(module.training for module in teacher.module.modules()), f"{method.name} is in training mode")
    _require(weights_digest(teacher.module) == before, f"{method.name} changes when it is asked")
    return {"logits": logits, "mean": teacher.mean, "std": teacher.std, "test": teacher.test}


_OUTCOMES: dict[str, Callable[[Method, Images, Seeds, _Bench], dict[str, Any]]] = {
    "compressor": _of_compressor,
    "score": _of_score,
    "labeler": _of_labeler,
    "teacher": _of_teacher,
    "evaluator": _of_evaluator,
}


def _check_model(model: Model, bench: _Bench) -> None:
    classes, name = len(bench.data.class_names), bench.registry.label(model)
    with _bystander(name):
        first, again, other = (build_seeded(model, classes, bench.size, seed) for seed in (0, 0, 1))
    _require(_same(first.state_dict(), again.state_dict()), f"{name} has other weights under the same seed")
    _require(not _same(first.state_dict(), other.state_dict()), f"{name} has the same weights under another seed")
    batch = torch.rand((4, 3, bench.size, bench.size), generator=generator(0))
    first.eval()
    with torch.no_grad(), Penultimate(first) as penultimate:
        logits = first(batch)
        features = penultimate.features
    _require(
        isinstance(logits, Tensor) and logits.shape == (4, classes) and bool(torch.isfinite(logits).all()),
        f"{name} must give finite logits [4, {classes}] for images of {bench.size} px",
    )
    _require(features.ndim == 2 and len(features) == 4, f"{name} gives features of {list(features.shape)}")


def _check_dataset(dataset: Dataset, folder: Path) -> None:
    name = dataset.name
    # Not watched, because libraries that are imported for the first time draw random numbers of their own.
    dataset.load(folder / "first")
    with _bystander(name):
        decoded, streamed = (dataset.load(folder / backing, backing) for backing in ("decoded", "encoded"))
        fingerprint, schema = dataset.identify(folder / "decoded")
    _require(decoded.fingerprint == streamed.fingerprint, f"{name} has another fingerprint for each backing")
    _require(decoded.fingerprint == fingerprint, f"{name} identifies as another fingerprint than it loads with")
    declared = type(dataset).schema
    for key, value in declared.model_dump().items() if declared else ():
        found = getattr(schema, key)
        _require(value in (None, found), f"{name} declares {key} = {value} and has {found}")
    _require(decoded.train.class_names == decoded.test.class_names, f"{name}: both parts must name the same classes")
    for one, other in ((decoded.train, streamed.train), (decoded.test, streamed.test)):
        _require(torch.equal(one.targets, other.targets), f"{name} has other targets for each backing")
        _require(set(one.targets.tolist()) == set(range(len(one.class_names))), f"{name} has a class without images")
        rows = torch.linspace(0, len(one) - 1, _ROWS_READ).long()
        _require(_same(one.native(rows), other.native(rows)), f"{name} has other pixels for each backing")


# -- inside ------------------------------------------------------------------------------------------------------------


class _Files:
    """Encoded image files in memory."""

    def __init__(self, files: list[bytes]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def read(self, row: int) -> bytes:
        return self._files[row]

    def where(self, row: int) -> str:
        return f"row {row} of the test images"


def _labelled_set(data: Images, ipc: int) -> CompressedSet:
    """The first ``ipc`` rows of each class: what labelers and evaluators are tried on."""
    first = [(data.targets == index).nonzero().flatten()[:ipc] for index in range(len(data.class_names))]
    return CompressedSet.of_rows(data, torch.cat(first))


def _views_of(made: CompressedSet, supervision: Supervision, surroundings: Context) -> ViewBatch:
    """One batch as the training loop would render it for these labels."""
    training = student_training(
        made, supervision.mix, surroundings.protocol, ipc=surroundings.ipc, workers=surroundings.workers
    )
    own = Drawn(ViewKey(seed=0, epoch=0, batch=0), torch.arange(_VIEWS) % len(made))
    return training.render(supervision.drawn(0) or own)


def _registry_of(method: str | Method) -> Registry:
    """The installed plugins, and the module of an instance that none of them registers."""
    installed = Registry()
    if isinstance(method, str):
        return installed
    try:
        known = installed.find(method.kind, method.name) is type(method)
    except PluginError:
        known = False
    return installed if known else registry_with(type(method).__module__)


def _require(held: object, otherwise: str) -> None:
    if not held:
        raise AssertionError(otherwise)


def _same(one: Any, other: Any) -> bool:
    """Equality to the bit, through containers."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    return bool(type(one) is type(other) and one == other)


@contextmanager
def _untouched(data: Images, name: str) -> Iterator[None]:
    """Raises when the block changes a pixel or a target."""
    before = _content(data)
    yield
    _require(_content(data) == before, f"{name} changed the training data")


def _content(data: Images) -> str:
    total = hashlib.sha256(data.targets.contiguous().numpy().tobytes())
    for image in data.native(torch.arange(len(data))):
        total.update(image.contiguous().numpy().tobytes())
    return total.hexdigest()


@contextmanager
def _bystander(name: str) -> Iterator[None]:
    """Raises when the block draws from, or reseeds, a generator that everyone shares."""
    # Another state each time: what reads it and puts it back gives itself away by another result.
    random.random()
    np.random.random()  # noqa: NPY002 - the shared generator is the point
    torch.rand(1)
    before = _global_states()
    yield
    for shared, state in _global_states().items():
        _require(_same(state, before[shared]), f"{name} touched the global random state of {shared}")


def _global_states() -> dict[str, Any]:
    numpy_state = np.random.get_state(legacy=True)  # noqa: NPY002
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["torch.cuda"] = torch.cuda.get_rng_state_all()
    return states


__all__ = ["check_method", "check_words", "context", "encoded", "images", "registry_with", "shortened"]
