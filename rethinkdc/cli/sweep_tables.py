"""What ``rethinkdc sweep`` prints."""

from __future__ import annotations

from collections import Counter

from rethinkdc.cli.metric_text import name_metric, write_value
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records, default_records_folder
from rethinkdc.studies.standing import Ended, Standing, name_run


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
    said = [record.reason] if record.reason else [f"doubtful: {doubt}" for doubt in record.told.doubts]
    reason = f": {' '.join(said)}" if said else ""
    return f"{record.status}{result} {which} ({ended.seconds:.0f} s){reason}"


def summary(records: list[Record], kept: Records) -> str:
    """How the whole sweep stands, and what to do next."""
    states = Counter(record.status for record in records)
    lines = [", ".join(f"{count} {name}" for name, count in states.items()) + "."]
    if states["failed"]:
        lines.append("The same command tries again what failed.")
    where = "" if kept.folder == default_records_folder().expanduser() else f" --records {kept.folder}"
    lines.append(f"Compare them with: rethinkdc leaderboard{where}")
    return "\n".join(lines)


def write_standing(record: Record | None) -> str:
    """How a run stands: its result, or why it has none; empty where nothing is on record."""
    if record is None:
        return ""
    return f"{record.status} {_write_result(record)}" if record.results else f"{record.status}: {record.reason}"


def _write_result(record: Record) -> str:
    """The main metric; with its name where it is not the top-1 that everybody expects."""
    metric = record.main_metric
    value = write_value(record.results[metric.name], metric.unit, digits=1 if metric.unit == "fraction" else 2)
    return value if metric.name == "top1" else f"{name_metric(metric.name)} {value}"
