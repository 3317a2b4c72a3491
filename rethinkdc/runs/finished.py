"""Finished sets, made here or elsewhere: from what a user hands over to a record."""

from __future__ import annotations

from rethinkdc.compressed import CompressedSet, images_per_class
from rethinkdc.compressed.preview import write_preview
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
    runner = make_runner(call, call.records)
    compressed, name = open_set(call, runner.cache.home)
    if call.preview:
        write_preview(compressed, call.preview)
    return runner.evaluate(
        compressed, request_of(call, compressed), name=name, ipc=ipc_of(compressed), force=call.force
    )


def request_of(call: EvaluateCall, compressed: CompressedSet) -> Request:
    """The request of an evaluation: nothing compresses, and without a protocol that of the set holds."""
    return part_of(call, Request, compressor="", protocol=call.protocol or compressed.card.protocol or None)


def ipc_of(compressed: CompressedSet) -> int | None:
    """Images per class: the card's, or the mean over the classes that occur."""
    return compressed.card.ipc if compressed.card.method else images_per_class(compressed.targets)
