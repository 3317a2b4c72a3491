"""What runs share: proxies, teachers, scores and sets, each made once and kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from rethinkdc.context.cache import Cache
from rethinkdc.context.networks import network_key
from rethinkdc.context.proxies import proxy_key
from rethinkdc.context.sets import score_key, set_key
from rethinkdc.contracts.kinds import Score, TeacherSource
from rethinkdc.method import Method, named_methods
from rethinkdc.models.model import Model
from rethinkdc.protocol.teachers import teachers_definition
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.resolving import Run
from rethinkdc.storage import digest
from rethinkdc.types import Budget

Kind = Literal["proxies", "teachers", "scores", "sets"]
KINDS: tuple[Kind, ...] = ("proxies", "teachers", "scores", "sets")


@dataclass(frozen=True)
class Shared:
    """An artefact that a run needs, and others may need too.

    Attributes:
        kind: what it is, as the cache calls it.
        key: names it; equal keys are one artefact.
        cached: whether it is there already.
        of_labels: whether the labels need it, and not the set.
    """

    kind: Kind
    key: str
    cached: bool
    of_labels: bool = False


def shared_by(run: Run, registry: Registry, cache: Cache) -> tuple[Shared, ...]:
    """What a run shares, as far as its methods say; no image is looked at.

    A proxy is listed for every run that makes a set: whether its method asks one, only records tell. While tuning, and
    for shares, the cache is not asked: keys then depend on the rows themselves.
    """
    found = {shared.key: shared for shared in _of_set(run, registry, cache)}
    # What both ask is needed also where the set is there.
    found |= {each.key: each for each in _teachers(run.labeler, run, registry, cache, of_labels=True)}
    return tuple(found.values())


def _of_set(run: Run, registry: Registry, cache: Cache) -> Iterator[Shared]:
    compressor = run.compressor
    if compressor is None:
        return
    teachers = list(_teachers(compressor, run, registry, cache))
    asked = _definition_of_teachers(run, registry) if _asks_teachers(compressor, registry) else None
    data = _data(run)
    budget = Budget(ipc=run.ipc or 0, classes=run.layout.classes, size=run.protocol.store.size, counts=None)
    key = set_key(registry.definition(compressor), budget, run.protocol, run.seeds, (data, data), asked)
    if run.size.images is not None:
        key["images"] = run.size.images
    yield _shared("sets", key, cache)
    for reference in named_methods(compressor, "score", registry.build):
        if reference is not None:
            score = registry.build(Score, reference)
            asking = _definition_of_teachers(run, registry) if _asks_teachers(score, registry) else None
            yield _shared("scores", score_key(registry.definition(score), run.protocol, run.seeds, data, asking), cache)
    model = registry.definition(registry.build(Model, run.protocol.proxy_recipe().model))
    yield _shared("proxies", proxy_key(run.protocol, model, data, run.seeds.proxy), cache)
    yield from teachers


def _teachers(
    method: Method, run: Run, registry: Registry, cache: Cache, *, of_labels: bool = False
) -> Iterator[Shared]:
    """The teachers that a method names and that are trained here."""
    usual = run.protocol.teacher.use if run.protocol.teacher else None
    for reference in (named or usual for named in named_methods(method, "teacher", registry.build)):
        source = registry.build(TeacherSource, reference) if reference else None
        recipe = source and source.training(run.protocol)
        architecture = source and source.architecture(run.protocol)
        if recipe and architecture:
            model = registry.definition(registry.build(Model, architecture))
            key = network_key(run.protocol, recipe, model, _data(run), run.seeds.teacher)
            yield _shared("teachers", key, cache, of_labels=of_labels)


def _asks_teachers(method: Method, registry: Registry) -> bool:
    return any(True for _ in named_methods(method, "teacher", registry.build))


def _definition_of_teachers(run: Run, registry: Registry) -> dict[str, Any]:
    return teachers_definition(run.protocol, registry.build, registry.definition)


def _data(run: Run) -> str:
    """The fingerprint of the training images; of a split of them, something that is the same for the same split."""
    return run.train_fingerprint or f"tuning on {run.dataset_fingerprint}"


def _shared(kind: Kind, key: dict[str, Any], cache: Cache, *, of_labels: bool = False) -> Shared:
    name = digest(key)
    return Shared(kind, name, cached=cache.holds(kind, name) is not None, of_labels=of_labels)
