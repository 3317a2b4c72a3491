"""Which records a board is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rethinkdc.boards.entry import Entry
from rethinkdc.errors import RequestError

_LEAST_PREFIX = 6
"""Hex digits from which a digest or a fingerprint may be abbreviated."""


def choose_entries(entries: Iterable[Entry], *, protocol: str | None, dataset: str | None) -> list[Entry]:
    """Those of a protocol and a dataset, None = of any; never those of a tuning split."""
    return [
        entry
        for entry in entries
        if not entry.tune
        and (not protocol or _is_protocol(entry, protocol))
        and (not dataset or _matches(dataset, entry.names.dataset, entry.place.dataset))
    ]


def choose_study(entries: list[Entry], name: str, keys: Collection[str]) -> list[Entry]:
    """Those of a study's runs.

    Raises:
        RequestError: none of them is on record.
    """
    chosen = [entry for entry in entries if entry.key in keys]
    if not chosen:
        raise RequestError(f"None of the {len(keys)} runs of {name} is on record. Make them: `rethinkdc sweep {name}`.")
    return chosen


def explain_nothing(entries: list[Entry]) -> str:
    """Why no board is left, and what there is."""
    entering = [entry for entry in entries if not entry.tune]
    if not entering:
        return "All records are of a tuning split; these enter no board. Run again without --tune."
    there = sorted({f"{r.names.protocol} on {r.names.dataset}, ipc {r.names.ipc}" for r in entering})
    return f"No record is of this protocol, dataset and ipc. On record: {'; '.join(there)}."


def _is_protocol(entry: Entry, wanted: str) -> bool:
    name = entry.names.protocol
    return wanted == name.rpartition(" v")[0] or _matches(wanted, name, entry.place.protocol)


def _matches(wanted: str, name: str, sha: str) -> bool:
    return wanted == name or (len(wanted) >= _LEAST_PREFIX and sha.startswith(wanted))
