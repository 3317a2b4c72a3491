"""What the shared proxy knows: its trace, its predictions, and the network itself, each made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rethinkdc.contracts.context import Context
from rethinkdc.models.model import Model
from rethinkdc.protocol.full_training import WEIGHTS, Place, read_network
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.proxy import (
    PREDICTION_FILES,
    TRACE_SEMANTICS,
    FrozenProxy,
    read_predictions,
    train_proxy,
    write_predictions,
)
from rethinkdc.training.loop import LOOP_REVISION
from rethinkdc.training.trace import Trace
from rethinkdc.types import Predictions
from rethinkdc.views import VIEWS_REVISION


def proxy_folder(context: Context, repeat: int = 0) -> Path:
    """The artefact of the protocol's proxy: its weights and its trace.

    Args:
        context: whose training set it learns.
        repeat: 0 for the shared one, of which the record tells; other numbers give independent runs.
    """
    model = context.define(_model(context))
    key = proxy_key(context.protocol, model, context.data.fingerprint, context.seeds.proxy, repeat)

    def build(inner: Context, out: Path) -> float:
        place = Place(inner.device, inner.workers, inner.progress, work=inner.folder, out=out)
        spent = train_proxy(inner.data, inner.protocol, _model(inner), inner.seeds, repeat, place)
        inner.count_images(spent.images)
        return spent.seconds

    folder = context.artefact("proxies", key, "proxy", build, files=[WEIGHTS, *Trace.FILES])
    if not repeat:
        context.note(proxy="shared", proxy_accuracy=Trace(folder).accuracy)
    return folder


def proxy_key(protocol: Protocol, model: Mapping[str, Any], data: str, seed: int, repeat: int = 0) -> dict[str, Any]:
    """All that a proxy depends on.

    Args:
        protocol: its recipe.
        model: definition of its architecture.
        data: fingerprint of the training images.
        seed: of the axis ``proxy``.
        repeat: 0 for the shared one.
    """
    return {
        "semantics": [TRACE_SEMANTICS, LOOP_REVISION, VIEWS_REVISION],
        "model": dict(model),
        "making": protocol.proxy_digest,
        "data": data,
        "seed": seed,
        "repeat": repeat,
    }


def proxy_predictions(context: Context) -> Predictions:
    """Features and logits of the un-augmented training rows under the shared proxy, memory-mapped."""
    proxy = proxy_folder(context)

    def build(inner: Context, out: Path) -> None:
        network = read_network(proxy, _model(inner), len(inner.data.class_names), inner.protocol.store.size)
        write_predictions(
            network,
            inner.data,
            inner.protocol,
            out,
            device=inner.device,
            workers=inner.workers,
            passing=inner.chunks,
            seen=inner.count_images,
        )

    key = {"proxy": proxy.name}
    return read_predictions(context.artefact("predictions", key, "selection", build, files=PREDICTION_FILES))


def frozen_proxy(context: Context) -> FrozenProxy:
    """The shared proxy itself, frozen, with its view of the training rows."""
    size, classes = context.protocol.store.size, len(context.data.class_names)
    network = read_network(proxy_folder(context), _model(context), classes, size)
    return FrozenProxy(network, context.data, context.protocol, context.device)


def _model(context: Context) -> Model:
    return context.method(Model, context.protocol.proxy_recipe().model)
