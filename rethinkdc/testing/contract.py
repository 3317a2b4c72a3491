"""The checks of a plugin's contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from rethinkdc.contracts.engines import Engine
from rethinkdc.contracts.kinds import Labeler, Tracker
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.models import Model
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.device import deterministic
from rethinkdc.seeds import AXES, Axis, Seeds
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.comparing import bystander, require, same, untouched
from rethinkdc.testing.models_and_datasets import check_dataset, check_model
from rethinkdc.testing.outcomes import OUTCOMES
from rethinkdc.testing.surroundings import encoded, images, registry_with
from rethinkdc.types import Images


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
        kind: of a reference: compressor, score, labeler, teacher, evaluator, dataset, model, tracker or engine.
        varies_with: the seed axes that the result depends on; ``("set",)`` for a random draw.
        registry: finds the methods; None = those installed, and the instance's module.
        data: training set; None = :func:`images`. It must hold enough images of each class for ``ipc``.
        protocol: shortened to two steps; None = ``digits-soft`` for labelers of soft tracks, else ``digits-hard``.
        ipc: images per class that a compressor is asked for.
        device: where networks run.

    Raises:
        AssertionError: says what the contract asks for and what was found.
    """
    registry = registry or _find_registry(method)
    built = (
        registry.build(kind, method)
        if isinstance(method, str)
        else registry.build(method.kind, registry.reference(method))
    )
    check_words(built, registry)
    if protocol is None:
        soft = isinstance(built, Labeler) and built.track != "hard"
        protocol = "digits-soft" if soft else "digits-hard"
    bench = Bench(registry, folder, images() if data is None else data, protocol, ipc, device)
    if isinstance(built, Model):
        check_model(built, bench)
    elif isinstance(built, Dataset):
        check_dataset(built, folder)
    elif isinstance(built, Tracker | Engine):
        # What a tracker hears changes nothing: the registry hands it copies, and survives what it raises. An engine
        # knows nothing of runs.
        return
    else:
        _check_on_data(built, bench, tuple(varies_with))


def check_words(method: Method, registry: Registry) -> None:
    """Checks that a method survives being printed, written as JSON, and read again.

    Raises:
        AssertionError: says which form did not give the method back.
    """
    text, definition = registry.label(method), registry.definition(method)
    again = registry.build(method.kind, text)
    require(again == method, f"{text!r} reads as {again!r}, not as {method!r}")
    require(registry.label(again) == text, f"{text!r} prints as {registry.label(again)!r} after being read")
    require(
        json.loads(json.dumps(definition)) == definition, f"the definition of {text} is not plain JSON: {definition}"
    )
    reread = type(method).model_validate_json(method.model_dump_json())
    require(registry.definition(reread) == definition, f"{text} changes when written as JSON and read again")


def _check_on_data(method: Method, bench: Bench, varies_with: Sequence[Axis]) -> None:
    name = bench.registry.label(method)
    unknown = set(varies_with) - set(AXES)
    require(not unknown, f"varies_with names unknown seed axes {sorted(unknown)}; known: {', '.join(AXES)}")

    def made(data: Images, seeds: Seeds) -> dict[str, Any]:
        with deterministic(torch.device(bench.device)), untouched(data, name):
            return OUTCOMES[method.kind](method, data, seeds, bench)

    def outcome(data: Images, seeds: Seeds) -> dict[str, Any]:
        with bystander(name):
            return made(data, seeds)

    # Not watched, because libraries that are imported for the first time draw random numbers of their own.
    first = made(bench.data, Seeds())
    require(same(first, outcome(bench.data, Seeds())), f"{name} gives another result under the same seeds")
    require(
        same(first, outcome(encoded(bench.data), Seeds())),
        f"{name} gives another result from encoded than from decoded images",
    )
    others = Seeds(**{axis: 1 for axis in AXES if axis not in varies_with})
    require(
        same(first, outcome(bench.data, others)),
        f"{name} depends on a seed axis that it does not declare; declared: {', '.join(varies_with) or 'none'}",
    )
    for axis in varies_with:
        other = outcome(bench.data, Seeds(**{axis: 1}))
        require(not same(first, other), f"{name} gives the same result under another {axis} seed")


def _find_registry(method: str | Method) -> Registry:
    """Finds the installed plugins, and the module of an instance that none of them registers."""
    installed = Registry()
    if isinstance(method, str):
        return installed
    try:
        known = installed.find(method.kind, method.name) is type(method)
    except PluginError:
        known = False
    return installed if known else registry_with(type(method).__module__)
