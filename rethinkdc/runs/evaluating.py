"""What ``evaluate`` does: from a set that a user hands over to a record."""

from __future__ import annotations

from rethinkdc import ranks
from rethinkdc.compressed.preview import write_preview
from rethinkdc.runs.calls import EvaluateCall, FinishedRequest, FinishedSet
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
    compressed = open_set(call, runner.cache.root)
    if call.preview and ranks.leads():
        write_preview(compressed, call.preview)
    return runner.evaluate(request_of(call), compressed, force=call.forced)


def request_of(call: EvaluateCall) -> FinishedRequest:
    """The run that an evaluation asks for: nothing compresses, the set has the compressor's place."""
    return FinishedRequest(part_of(call, FinishedSet), part_of(call, Request, compressor=""))
