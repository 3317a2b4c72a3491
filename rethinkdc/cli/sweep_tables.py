"""What ``rethinkdc sweep`` prints."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rethinkdc.cli import evidence_tables, tables
from rethinkdc.cli.metric_text import name_metric, write_value
from rethinkdc.evidence.detecting import plan_detection, read_points
from rethinkdc.runs.record import Names, Record
from rethinkdc.runs.records import Records, default_records_folder
from rethinkdc.seeds import Seeds, write_seeds
from rethinkdc.studies.sweep import Ended, Standing

_console = Console()


def print_plan(rows: list[tuple[Standing, bool]], title: str, *, as_json: bool) -> None:
    """Every run of a study, how it stands, and whether it would be run now."""
    if as_json:
        tables.print_json([_planned(standing, remains) for standing, remains in rows])
        return
    table = Table("method", "ipc", "seed", "on record", "to do", title=escape(title), title_justify="left", box=None)
    for standing, remains in rows:
        names = standing.run.names
        table.add_row(
            escape(names.methods),
            names.ipc,
            write_seeds(standing.run.seeds),
            escape(_write_standing(standing.record)),
            "run" if remains else "",
        )
    _console.print(table)
    standings, remaining = [standing for standing, _ in rows], [standing for standing, remains in rows if remains]
    print(counted(standings, remaining))


def print_power(rows: list[tuple[Standing, bool]], title: str, detect: str, records: Records, *, as_json: bool) -> None:
    """The plan, and how many sets find a difference to ``random`` of so many points."""
    detection = plan_detection([standing.run for standing, _ in rows], records, read_points(detect))
    if as_json:
        planned = [_planned(standing, remains) for standing, remains in rows]
        tables.print_json({"runs": planned, "detect": evidence_tables.describe_detection(detection)})
        return
    print_plan(rows, title, as_json=False)
    evidence_tables.print_detection(detection)


def counted(standings: list[Standing], remaining: list[Standing]) -> str:
    """One line: how many runs there are, how they stand, how many remain."""
    states = Counter(standing.state for standing in standings)
    standing = ", ".join(f"{states[name]} {name}" for name in ("ok", "unsupported", "failed") if states[name])
    return f"{len(standings)} runs: {standing or 'none'} on record, {len(remaining)} to run."


def ending(ended: Ended) -> str:
    """One line: how a run ended, which it was, the seconds that it took, and the reason when it has no result."""
    record, names = ended.record, ended.record.names
    result = f" {_write_result(record)}" if record.results else ""
    which = name_run(names, record.definition.seeds)
    said = [record.reason] if record.reason else [f"doubtful: {doubt}" for doubt in record.notes.get("doubts", ())]
    reason = f": {' '.join(said)}" if said else ""
    return f"{record.status}{result} {which} ({ended.seconds:.0f} s){reason}"


def name_run(names: Names, seeds: Seeds) -> str:
    """Which run it is, to a reader who knows the study."""
    return f"{names.methods}, ipc {names.ipc}, seed {write_seeds(seeds)}"


def summary(records: list[Record], kept: Records) -> str:
    """How the whole sweep stands, and what to do next."""
    states = Counter(record.status for record in records)
    lines = [", ".join(f"{count} {name}" for name, count in states.items()) + "."]
    if states["failed"]:
        lines.append("The same command tries again what failed.")
    where = "" if kept.folder == default_records_folder().expanduser() else f" --records {kept.folder}"
    lines.append(f"Compare them with: rethinkdc leaderboard{where}")
    return "\n".join(lines)


def _planned(standing: Standing, remains: bool) -> dict[str, Any]:
    run, record = standing.run, standing.record
    return {
        "key": run.key,
        **run.names.model_dump(),
        "seeds": run.seeds.model_dump(),
        "tune": run.tune,
        "modified": run.modified,
        "status": standing.state,
        "reason": record.reason if record else "",
        "to_run": remains,
    }


def _write_standing(record: Record | None) -> str:
    if record is None:
        return ""
    return f"{record.status} {_write_result(record)}" if record.results else f"{record.status}: {record.reason}"


def _write_result(record: Record) -> str:
    """The main metric; with its name where it is not the top-1 that everybody expects."""
    metric = record.main_metric
    value = write_value(record.results[metric.name], metric.unit, digits=1 if metric.unit == "fraction" else 2)
    return value if metric.name == "top1" else f"{name_metric(metric.name)} {value}"
