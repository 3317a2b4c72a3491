"""Weights of networks, as the teacher ``checkpoint`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from rethinkdc.errors import RequestError
from rethinkdc.inspection.commands import spell
from rethinkdc.inspection.findings import WeightsFinding
from rethinkdc.inspection.surroundings import Surroundings
from rethinkdc.models import Model, Weights, build_seeded, fill_network, read_weights
from rethinkdc.reference import Reference

_LAST_WORDS = ("weight", "bias", "running_mean", "running_var")
"""What names of a network's tensors end with."""


def find_weights(around: Surroundings) -> WeightsFinding:
    """Reads weights as ``checkpoint:path=FILE`` does, and tries which model they fit.

    Raises:
        RequestError: the file holds none, or several.
    """
    call = around.call
    weights = read_weights(around.path, call.entry)
    named = [name for name in weights.tensors if name.rpartition(".")[2] in _LAST_WORDS]
    if not named:
        raise RequestError(f"its tensors are not named as a network's are: {', '.join(list(weights.tensors)[:5])}")
    classes, ground = _classes(weights), around.ground
    fits, told, tried = _fitting(around, weights, classes)
    values: dict[str, Any] = {"path": str(call.file), **({"entry": call.entry} if call.entry else {})}
    values["model"] = fits[0].model if fits else "MODEL"
    if fits and fits[0].size != ground.protocol.store.size:
        values["size"] = fits[0].size
    labeler = Reference(name="soft", values={"teachers": [Reference(name="checkpoint", values=values)]})
    refused = "" if fits else f"it fits none of the models that were tried: {tried}"
    if fits and fits[0].classes != ground.layout.classes:
        refused = f"under {ground.dataset_name}: it has {fits[0].classes} classes, the dataset {ground.layout.classes}"
    refused = refused or around.plan("random", around.splits, labeler=str(labeler)).refused
    return WeightsFinding(
        taken=(*(told or weights.told), "mean and std of its input: the protocol's, since the file has none"),
        refused=refused,
        command=spell(
            "run",
            "--compressor",
            "random",
            "--labeler",
            str(labeler),
            dataset=call.dataset or ("NAME" if refused.startswith("under") else None),
        ),
        tensors=len(weights.tensors),
        parameters=sum(tensor.numel() for tensor in weights.tensors.values()),
        dtypes=tuple(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in weights.tensors.values()})),
        classes=classes,
        models=tuple(f"{fit.model} at {fit.size} px, {fit.classes} classes" for fit in fits),
    )


class _Fit(NamedTuple):
    model: Reference
    size: int
    classes: int


def _classes(weights: Weights) -> int | None:
    """Rows of the last matrix: of a classifier, its classes."""
    matrices = [tensor for name, tensor in weights.tensors.items() if tensor.ndim == 2 and name.endswith("weight")]
    return matrices[-1].shape[0] if matrices else None


def _fitting(around: Surroundings, weights: Weights, classes: int | None) -> tuple[list[_Fit], tuple[str, ...], str]:
    """The models that take the weights, what is told of taking them, and what was tried."""
    found: list[_Fit] = []
    told: tuple[str, ...] = ()
    tried: list[str] = []
    reasons: list[str] = []
    for reference, model, size in _candidates(around):
        count = classes or len(around.splits.train.class_names)
        tried.append(f"{reference} at {size} px")
        try:
            taken = fill_network(build_seeded(model, count, size, 0), weights, str(around.call.file), str(reference))
        except RequestError as error:
            reasons.append(str(error))
            continue
        told = told or taken
        found.append(_Fit(reference, size, count))
    why = reasons[0] if around.call.model and reasons else f"{', '.join(tried)}. Name another with --model"
    return found, told, why


def _candidates(around: Surroundings) -> Iterator[tuple[Reference, Model, int]]:
    """Models to try, each at the side of the protocol's store and at 32 px, the side of most that are published."""
    registry, protocol = around.runner.registry, around.ground.protocol
    sizes = dict.fromkeys((protocol.store.size, 32))
    if around.call.model:
        names: list[Reference | str] = [around.call.model]
    else:
        recipes = protocol.teacher.recipes.values() if protocol.teacher else ()
        proxies = [protocol.proxy.model] if protocol.proxy else []
        names = [protocol.student.model, *proxies, *(recipe.model for recipe in recipes)]
        names += [row.name for row in registry.listing() if row.kind == "model" and row.status == "ok"]
    seen: set[tuple[str, int]] = set()
    for name in names:
        try:
            model = registry.build(Model, name)
        except RequestError:
            if around.call.model:
                raise
            continue
        reference = registry.reference(model)
        for size in sizes:
            if (str(reference), size) not in seen and _builds(model, size):
                seen.add((str(reference), size))
                yield reference, model, size


def _builds(model: Model, size: int) -> bool:
    try:
        build_seeded(model, 2, size, 0)
    except RequestError:
        return False
    return True
