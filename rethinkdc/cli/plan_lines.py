"""The runs of a plan, one line for those that differ in their seeds alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rethinkdc.runs.resolving import Run
from rethinkdc.seeds import write_seeds
from rethinkdc.storage import digest
from rethinkdc.studies.standing import Standing

_COLUMNS: dict[str, Callable[[Run], str]] = {
    "protocol": lambda run: run.names.protocol,
    "student": lambda run: run.names.student,
    "overrides": lambda run: ", ".join(f"{key}={value}" for key, value in run.request.changes.items()),
}
"""What a line says only where the lines of a plan differ in it."""
_SETTING = "setting"
"""What takes their place where the runs are of a family of protocols, whose settings say all three."""


@dataclass(frozen=True)
class PlanLine:
    """Runs that differ in their seeds alone.

    Attributes:
        standings: of these runs, in the study's order.
        where: what tells them from other lines beside method and ipc, by the head of its column.
    """

    standings: tuple[Standing, ...]
    where: dict[str, str]

    @property
    def run(self) -> Run:
        """One of them: the others have the same names."""
        return self.standings[0].run

    @property
    def seeds(self) -> str:
        """All of them: ``0,1,2``; with the axes that have another one in brackets."""
        written = [write_seeds(standing.run.seeds) for standing in self.standings]
        return ",".join(f"({seeds})" if ", " in seeds else seeds for seeds in written)

    def to_do(self, remaining: set[str]) -> str:
        """How many of them remain, by their keys; empty where none does."""
        wanted = Counter(
            "fetch, run" if standing.state == "to fetch" else "run"
            for standing in self.standings
            if standing.run.key in remaining
        )
        return ", ".join(f"{what} {count}" for what, count in wanted.items())


def gather_lines(standings: Sequence[Standing]) -> list[PlanLine]:
    """The lines of a plan, in the order of their first runs."""
    alike: dict[str, list[Standing]] = defaultdict(list)
    for standing in standings:
        alike[_place(standing.run)].append(standing)
    firsts = [group[0].run for group in alike.values()]
    told = {name: read for name, read in _COLUMNS.items() if len({read(run) for run in firsts}) > 1}
    if firsts and all(run.request.setting for run in firsts):
        told = {_SETTING: lambda run: run.request.setting.partition(f"{_SETTING} ")[2]}
    return [
        PlanLine(tuple(group), {name: read(group[0].run) for name, read in told.items()}) for group in alike.values()
    ]


def _place(run: Run) -> str:
    """All that a run depends on but its seeds."""
    return digest([run.names.model_dump(), run.definition.model_dump(mode="json", exclude={"seeds"})])


__all__ = ["PlanLine", "gather_lines"]
