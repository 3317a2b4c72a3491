"""What authors claim, and the records of a folder beside it, read for a table of parity."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rethinkdc.boards.index import find_entries
from rethinkdc.boards.leaderboard import rank_folder
from rethinkdc.boards.parity import Claim, place_claims
from rethinkdc.boards.study_runs import spell_value
from rethinkdc.errors import RequestError, nearest
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import parse_reference
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import ParityCall
from rethinkdc.runs.records import Records
from rethinkdc.studies.reported import Reported, load_reported

CLAIMS = ("matching", "origins-small", "origins", "unified")
"""The shipped files of published values whose protocols are the authors' own, or one that is claimed to be fair."""


def compare_claims(call: ParityCall) -> list[Claim]:
    """Published values beside what the records of a folder have of them; a folder without records has nothing.

    Raises:
        RequestError: a file of published values cannot be read, or no value is of what was asked for.
    """
    registry = Registry()
    values = [value for name in ([call.reported] if call.reported else CLAIMS) for value in load_reported(name)]
    chosen = [value for value in values if _is_asked_for(value, call)]
    if not chosen:
        raise RequestError(_explain_nothing(values, call))
    records = Records(Path(call.records) if call.records else None)
    known = any(not entry.tune for entry in find_entries(records).entries)
    boards = rank_folder(records, pool_devices=True).boards if known else []

    def find(name: str) -> Protocol | None:
        try:
            return registry.protocols.find(name)
        except RequestError:
            return None

    claims = place_claims([spell_value(value, registry) for value in chosen], boards, find)
    return [claim for claim in claims if claim.ours or not call.measured]


def _is_asked_for(value: Reported, call: ParityCall) -> bool:
    return all(
        (
            call.dataset in (None, value.dataset),
            call.protocol in (None, value.protocol),
            call.method in (None, _name(value)),
            call.ipc in (None, value.ipc),
        )
    )


def _name(value: Reported) -> str:
    return parse_reference(value.compressor).name if value.compressor else value.set or ""


def _explain_nothing(values: Collection[Reported], call: ParityCall) -> str:
    for what, asked, known in (
        ("method", call.method, {_name(value) for value in values}),
        ("dataset", call.dataset, {value.dataset for value in values}),
        ("protocol", call.protocol, {value.protocol for value in values}),
    ):
        if asked is not None and asked not in known:
            return f"No published value is of the {what} {asked!r}. {nearest(asked, known)}"
    return "No published value is of all that was asked for: leave an option out."
