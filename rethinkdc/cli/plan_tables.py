"""What ``rethinkdc sweep --plan`` prints: the runs, what they share, and how long they will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.cli import evidence_tables, tables
from rethinkdc.cli.amounts import write_size
from rethinkdc.cli.plan_lines import PlanLine, gather_lines
from rethinkdc.cli.saying import say
from rethinkdc.cli.sweep_tables import counted, write_standing
from rethinkdc.cli.text_table import escape
from rethinkdc.evidence.detecting import Detection, plan_detection, read_points
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.calls import Sweeping
from rethinkdc.studies.elsewhere import Elsewhere
from rethinkdc.studies.estimating import Estimate, estimate
from rethinkdc.studies.experience import recall
from rethinkdc.studies.sharing import KINDS, Kind, Shared
from rethinkdc.studies.standing import Standing

_console = Console()
_FEW = 8


@dataclass(frozen=True)
class Plan:
    """A sweep before it begins.

    Attributes:
        title: of the study.
        standings: every run, in the study's order.
        remaining: those that would be carried out.
        estimate: of these.
        jobs: processes side by side.
        engine: whose they are; None = this machine's own.
        detection: how many sets a difference needs; None = nobody asked.
    """

    title: str
    standings: Sequence[Standing]
    remaining: Sequence[Standing]
    estimate: Estimate
    jobs: int
    engine: str | None = None
    detection: Detection | None = None


def make_plan(
    title: str,
    standings: Sequence[Standing],
    remaining: Sequence[Standing],
    runner: Runner,
    call: Sweeping,
    elsewhere: Elsewhere | None,
    *,
    detect: str | None = None,
) -> Plan:
    """A plan with an estimate from the records of this kind of machine.

    Args:
        title: of the study.
        standings: every run, in the study's order.
        remaining: those that would be carried out.
        runner: would carry them out.
        call: how many processes side by side.
        elsewhere: the engine whose processes would; None = this machine's own.
        detect: a difference to random as a user types it; None = nobody asks how many sets it needs.
    """
    past = recall(runner.records, device=runner.device.type, threads=runner.threads)
    estimated = estimate([standing.run for standing in remaining], past, runner)
    runs = [standing.run for standing in standings]
    detection = None if detect is None else plan_detection(runs, runner.records, read_points(detect))
    jobs, engine = (elsewhere.slots, call.engine) if elsewhere else (call.processes, None)
    return Plan(title, standings, remaining, estimated, jobs, engine, detection)


def print_plan(plan: Plan, *, as_json: bool) -> None:
    """The runs by line, how they stand and what they will take; then what they share, and what all will take."""
    if as_json:
        tables.print_json(describe_plan(plan))
        return
    lines, to_do = gather_lines(plan.standings), {standing.run.key for standing in plan.remaining}
    heads = ("method", *(lines[0].where if lines else ()), "ipc", "seeds", "on record", "to do", "about")
    table = Table(*heads, title=escape(plan.title), title_justify="left", box=None)
    for line in lines:
        names = line.run.names
        table.add_row(
            escape(names.methods),
            *map(escape, line.where.values()),
            names.ipc,
            line.seeds,
            escape(_write_standings(line)),
            line.to_do(to_do),
            _write_line(plan.estimate, line, to_do),
        )
    _console.print(table)
    print_totals(plan)
    if plan.detection:
        evidence_tables.print_detection(plan.detection)


def print_totals(plan: Plan) -> None:
    """How many runs there are and remain, what they share, and what they will take together."""
    say(counted(list(plan.standings), list(plan.remaining)))
    if plan.remaining:
        for told in (*_tell_shared(plan.estimate), *_tell_estimate(plan)):
            say(told)


def describe_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data: ``runs``, what they share, and the estimate with the keys of the runs that it is from."""
    to_do = {standing.run.key for standing in plan.remaining}
    whole = plan.estimate
    disk, unknown_disk = whole.disk
    return {
        "runs": [_describe_run(standing, whole, standing.run.key in to_do) for standing in plan.standings],
        "shared": {
            kind: {"needed": len(found), "cached": sum(shared.cached for shared in found)}
            for kind, found in _by_kind(whole).items()
        },
        "estimate": {
            "seconds": whole.seconds(plan.jobs),
            "jobs": plan.jobs,
            "engine": plan.engine or "local",
            "runs_unknown": list(whole.unknown),
            "bytes": disk,
            "runs_of_unknown_bytes": unknown_disk,
            "records_read": whole.records,
            "from": list(whole.keys),
        },
        **({"detect": evidence_tables.describe_detection(plan.detection)} if plan.detection else {}),
    }


def _describe_run(standing: Standing, whole: Estimate, remains: bool) -> dict[str, Any]:
    run, record = standing.run, standing.record
    about = whole.of(run.key) if remains else None
    return {
        "key": None if run.awaits_set else run.key,
        **run.names.model_dump(),
        "seeds": run.seeds.model_dump(),
        "tune": run.tune,
        "modified": run.modified,
        "status": standing.state,
        "reason": record.reason if record else "",
        "to_run": remains,
        "stages": [asdict(stage) for stage in about.stages] if about else [],
        "bytes": about.disk if about else None,
    }


def _by_kind(whole: Estimate) -> dict[Kind, list[Shared]]:
    needed = {shared.key: shared for run in whole.runs for shared in run.needs}
    return {kind: [shared for shared in needed.values() if shared.kind == kind] for kind in KINDS}


def _tell_shared(whole: Estimate) -> list[str]:
    told = [
        f"{kind} {len(found)} ({sum(shared.cached for shared in found)} in the cache)"
        for kind, found in _by_kind(whole).items()
        if found
    ]
    return [f"Shared by the runs to make: {', '.join(told)}."] if told else []


def _tell_estimate(plan: Plan) -> list[str]:
    whole, seconds = plan.estimate, plan.estimate.seconds(plan.jobs)
    if not whole.keys:
        return [f"How long it takes is unknown: no run on record is alike ({whole.records:,} records of this machine)."]
    unknown, (disk, unknown_disk) = whole.unknown, whole.disk
    slots = f"on {plan.jobs} slots of the engine {plan.engine}" if plan.engine else f"with --jobs {plan.jobs}"
    lines = [f"About {write_seconds(seconds)} {slots}, and {write_size(disk)} of disk."]
    if unknown:
        lines.append(f"Not counted: stages of {len(unknown)} of {len(whole.runs)} runs, of which no record tells.")
    if unknown_disk:
        lines.append(f"The disk of {unknown_disk} of {len(whole.runs)} runs is unknown.")
    shown = ", ".join(key[:8] for key in whole.keys[:_FEW])
    more = f" and {len(whole.keys) - _FEW:,} more" if len(whole.keys) > _FEW else ""
    lines.append(f"From {len(whole.keys):,} of {whole.records:,} records of this kind of machine: {shown}{more}.")
    return lines


def _write_standings(line: PlanLine) -> str:
    """How the runs of a line stand: the result of one, how many of several, and why those ended that have none."""
    if len(line.standings) == 1:
        return write_standing(line.standings[0].record)
    states = Counter(standing.record.status for standing in line.standings if standing.record)
    reasons = {standing.record.reason for standing in line.standings if standing.record and not standing.record.results}
    counts = ", ".join(f"{count} {status}" for status, count in states.items())
    return f"{counts}: {'; '.join(sorted(reasons))}" if reasons else counts


def _write_line(whole: Estimate, line: PlanLine, to_do: set[str]) -> str:
    runs = [whole.of(standing.run.key) for standing in line.standings if standing.run.key in to_do]
    if any(run.unknown for run in runs):
        return "unknown"
    return write_seconds(sum(run.seconds for run in runs)) if runs else ""


def write_seconds(seconds: float) -> str:
    """Seconds as people say them: ``12 s``, ``4 min``, ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
