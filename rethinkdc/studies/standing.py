"""How the runs of a sweep stand, and how they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rethinkdc.runs.record import Names, Record
from rethinkdc.runs.records import Records, first_ok_of
from rethinkdc.runs.resolving import Run
from rethinkdc.seeds import Seeds, write_seeds

State = Literal["ok", "failed", "unsupported", "new", "to fetch"]


@dataclass(frozen=True)
class Standing:
    """One run of a sweep and its record: of the first ok attempt, else of the last one; None when it is new."""

    run: Run
    record: Record | None

    @property
    def state(self) -> State:
        """How the run stands; ``to fetch``: its set is not here yet, so that nobody knows what is on record of it."""
        return "to fetch" if self.run.awaits_set else self.record.status if self.record else "new"

    def remains(self, *, retry_unsupported: bool = False) -> bool:
        """Whether a sweep carries the run out: it tries again what failed, and what is unsupported only when asked."""
        return self.state in ("new", "failed", "to fetch") or (retry_unsupported and self.state == "unsupported")


@dataclass(frozen=True)
class Ended:
    """How a run ended: its record, the seconds that this sweep spent on it, and the warnings that it gave."""

    record: Record
    seconds: float
    warnings: tuple[str, ...] = ()


def standings_of(runs: list[Run], records: Records, machine: str = "") -> list[Standing]:
    """Looks up the record of each run.

    Args:
        runs: in any order.
        records: what is on record.
        machine: whose attempts come before those of others; see :meth:`Records.find`.

    Raises:
        RethinkError: a record of one of them is damaged.
    """
    standings = []
    for run in runs:
        attempts = [] if run.awaits_set else records.attempts(run.key)
        standings.append(Standing(run, first_ok_of(attempts, machine) or (attempts[-1] if attempts else None)))
    return standings


def name_run(names: Names, seeds: Seeds) -> str:
    """Which run it is, to a reader who knows the study."""
    return f"{names.methods}, ipc {names.ipc}, seed {write_seeds(seeds)}"
