"""Which records a board is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from rethinkdc.runs.record import Record

_LEAST_PREFIX = 6
"""Hex digits from which a digest or a fingerprint may be abbreviated."""


def choose_records(records: Iterable[Record], *, protocol: str | None, dataset: str | None) -> list[Record]:
    """Those of a protocol and a dataset, None = of any; never those of a tuning split."""
    return [
        record
        for record in records
        if not record.tune
        and (not protocol or _is_protocol(record, protocol))
        and (not dataset or _matches(dataset, record.names.dataset, record.dataset_fingerprint))
    ]


def explain_nothing(records: list[Record]) -> str:
    """Why no board is left, and what there is."""
    entering = [record for record in records if not record.tune]
    if not entering:
        return "All records are of a tuning split; these enter no board. Run again without --tune."
    there = sorted({f"{r.names.protocol} on {r.names.dataset}, ipc {r.names.ipc}" for r in entering})
    return f"No record is of this protocol, dataset and ipc. On record: {'; '.join(there)}."


def _is_protocol(record: Record, wanted: str) -> bool:
    name = record.names.protocol
    return wanted == name.rpartition(" v")[0] or _matches(wanted, name, record.protocol_digest)


def _matches(wanted: str, name: str, sha: str) -> bool:
    return wanted == name or (len(wanted) >= _LEAST_PREFIX and sha.startswith(wanted))
