"""What ``rethinkdc sweep`` prints."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rethinkdc.cli import tables
from rethinkdc.runs.records import Record, Records, default_records_folder
from rethinkdc.runs.sweep import Ended, Standing

_console = Console()


def print_plan(rows: list[tuple[Standing, bool]], title: str, *, as_json: bool) -> None:
    """Every run of a study, how it stands, and whether it would be run now."""
    if as_json:
        tables.print_json([_planned(standing, remains) for standing, remains in rows])
        return
    table = Table("method", "ipc", "seed", "on record", "to do", title=escape(title), title_justify="left", box=None)
    for standing, remains in rows:
        labels = standing.run.labels
        table.add_row(
            escape(f"{labels['compressor']} + {labels['labeler']}"),
            labels["ipc"],
            tables.seeds_text(standing.run.definition["seeds"]),
            escape(_standing(standing.found)),
            "run" if remains else "",
        )
    _console.print(table)
    standings, remaining = [standing for standing, _ in rows], [standing for standing, remains in rows if remains]
    print(counted(standings, remaining))


def counted(standings: list[Standing], remaining: list[Standing]) -> str:
    """One line: how many runs there are, how they stand, how many remain."""
    states = Counter(standing.state for standing in standings)
    standing = ", ".join(f"{states[name]} {name}" for name in ("ok", "unsupported", "failed") if states[name])
    return f"{len(standings)} runs: {standing or 'none'} on record, {len(remaining)} to run."


def ending(ended: Ended) -> str:
    """One line: how a run ended, which it was, the seconds that it took, and the reason when it has no result."""
    record, labels = ended.record, ended.record.labels
    result = f" {_percent(record)}" if record.status == "ok" else ""
    methods = f"{labels['compressor']} + {labels['labeler']}"
    which = f"{methods}, ipc {labels['ipc']}, seed {tables.seeds_text(record.definition['seeds'])}"
    reason = f": {record.reason}" if record.reason else ""
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


def _planned(standing: Standing, remains: bool) -> dict[str, Any]:
    found = standing.found
    return {
        "key": standing.run.key,
        **standing.run.labels,
        "seeds": standing.run.definition["seeds"],
        "tune": standing.run.request.tune,
        "modified": standing.run.modified,
        "status": standing.state,
        "reason": found.reason if found else "",
        "to_run": remains,
    }


def _standing(found: Record | None) -> str:
    if found is None:
        return ""
    if found.status == "ok":
        return f"ok {_percent(found)}"
    return f"{found.status}: {found.reason}"


def _percent(record: Record) -> str:
    """The top-1, or where an evaluator has none its first metric."""
    assert record.evaluation is not None
    metrics = record.evaluation.metrics
    if "top1" in metrics:
        return f"{metrics['top1']:.1%}"
    return ", ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:1])
