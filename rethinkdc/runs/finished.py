"""Finished sets, made here or elsewhere: from what a user hands over to a record."""

from __future__ import annotations

from rethinkdc.compressed import CompressedSet, images_per_class
from rethinkdc.compressed.card import Card
from rethinkdc.compressed.preview import write_preview
from rethinkdc.errors import RequestError
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import EvaluateCall
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.opening import open_set
from rethinkdc.runs.options import part_of
from rethinkdc.runs.records import Record
from rethinkdc.runs.request import Request


def evaluate_set(call: EvaluateCall) -> tuple[Record, bool]:
    """Labels a finished set, trains and tests a student on it; returns the record, and whether it existed before.

    Raises:
        RequestError: the set cannot be read, or does not fit the protocol.
    """
    runner = make_runner(call, call)
    compressed, name = open_set(call, runner.cache.home)
    if call.preview:
        write_preview(compressed, call.preview)
    request = request_of(call, compressed, name, runner.registry)
    # Nothing compresses: the set has the compressor's place.
    return runner.evaluate(compressed, request, name=name, ipc=ipc_of(compressed), force=call.force)


def request_of(call: EvaluateCall, compressed: CompressedSet, name: str, registry: Registry) -> Request:
    """The request of an evaluation: nothing compresses, and without a protocol that of the set holds.

    Args:
        call: what the user asks.
        compressed: the set.
        name: what tables call it.
        registry: what is installed.

    Raises:
        RequestError: the set's protocol is a file of somebody's own, which a card cannot bring.
    """
    protocol = call.protocol or _protocol_of(compressed.card, name, call.dataset, registry)
    return part_of(call, Request, compressor="", protocol=protocol)


def _protocol_of(card: Card, name: str, dataset: str | None, registry: Registry) -> str | None:
    if not card.protocol or card.protocol in DERIVED or card.protocol in registry.protocols.all():
        return card.protocol or None
    digest = f", digest {card.protocol_digest[:12]}" if card.protocol_digest else ""
    data = "" if dataset else " and its data with --dataset"
    raise RequestError(
        f"The set {name} was made under the protocol {card.protocol}{digest}, which is not installed but a file: "
        f"give it with --protocol FILE.toml{data} (`rethinkdc list-protocols FOLDER` shows the files of a folder)."
    )


def ipc_of(compressed: CompressedSet) -> int | None:
    """Images per class: the card's, or the mean over the classes that occur."""
    return compressed.card.ipc if compressed.card.method else images_per_class(compressed.targets)
