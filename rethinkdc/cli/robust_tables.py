"""What ``rethinkdc robust`` prints."""

from __future__ import annotations

from collections.abc import Collection

from rich.console import Console
from rich.table import Table

from rethinkdc.cli import plan_tables, tables
from rethinkdc.cli.metric_text import name_metric
from rethinkdc.cli.saying import say
from rethinkdc.cli.text_table import escape
from rethinkdc.evidence.sensitivity import PairResult, Sensitivity
from rethinkdc.evidence.surveying import FamilyQuestion
from rethinkdc.evidence.telling import SOURCES, tell_count, tell_design, tell_reading, tell_turning
from rethinkdc.evidence.wording import write_gain
from rethinkdc.measurement import Metric
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.statistics import Estimate, Part
from rethinkdc.studies.calls import Sweeping
from rethinkdc.studies.sweep import Elsewhere

_console = Console()
_PAIR = 20
"""Columns that the names of two methods get at least."""


def print_plan(
    question: FamilyQuestion,
    mine: Collection[Run] | None,
    runner: Runner,
    call: Sweeping,
    elsewhere: Elsewhere | None,
    *,
    as_json: bool,
) -> None:
    """The design, a line for each setting, and what the runs take that remain; those of a shard, where one is meant."""
    keys = None if mine is None else {run.key for run in mine}
    standings = [one for one in question.standings(runner) if keys is None or one.run.key in keys]
    remaining = [standing for standing in standings if standing.remains()]
    plan = plan_tables.make_plan(question.study.title or question.name, standings, remaining, runner, call, elsewhere)
    assert question.family is not None
    settings = question.family.settings
    if as_json:
        described = {
            "name": str(question.family.design),
            "resolution": question.family.design.resolution,
            "settings": [{"number": one.number, **one.names} for one in settings],
        }
        tables.print_json({"design": described, **plan_tables.describe_plan(plan)})
        return
    to_do = {standing.run.key for standing in remaining}
    table = Table("", title=escape(plan.title), title_justify="left", box=None)
    for knob in question.family.knobs:
        table.add_column(escape(knob.name), overflow="fold")
    table.add_column("to do", justify="right")
    for setting in settings:
        runs = [run.key for trial, runs in question.parts.items() if trial.setting == setting.number for run in runs]
        table.add_row(str(setting.number), *map(escape, setting.names.values()), str(sum(key in to_do for key in runs)))
    _console.print(table)
    design = str(question.family.design)
    say(f"{design[0].upper()}{design[1:]}.")
    plan_tables.print_totals(plan)


def print_sensitivity(answer: Sensitivity) -> None:
    """Signs, knobs and shares of variance of each pair, and what they say."""
    survey = answer.survey
    for line in tell_design(survey):
        _console.print(escape(line))
    if answer.pairs:
        _print_signs(answer)
        _print_parts(answer)
    for pair in answer.chief:
        _console.print(escape(tell_count(pair)))
        _console.print(escape(tell_turning(pair, survey.metric)))
    for line in tell_reading(answer):
        _console.print(escape(line))


def _print_signs(answer: Sensitivity) -> None:
    metric, settings = answer.survey.metric, len(answer.survey.complete)
    title = f"{name_metric(metric.name)} gained, {answer.survey.dataset}, ipc {answer.survey.ipc}, {settings} settings"
    table = Table(title=escape(title), title_justify="left", box=None)
    table.add_column("first - second", overflow="fold", min_width=_PAIR)
    for name in ("above", "below", "mean", "± 95 %", "from", "to"):
        table.add_column(name, justify="right")
    table.add_column("knob", overflow="fold")
    for pair in answer.pairs:
        differences = [found.mean for found in pair.by_setting.values()]
        table.add_row(
            escape(f"{pair.one} - {pair.other}"),
            *(
                f"{len(found)} ({pair.unanimous[side]}, {pair.told[side]})"
                for side, found in enumerate((pair.above, pair.below))
            ),
            *_write_estimate(pair.mean, metric),
            write_gain(min(differences), metric),
            write_gain(max(differences), metric),
            escape(_name_knob(pair)),
        )
    _console.print(table)
    say("above, below: settings (of them on every set, told from noise).")


def _print_parts(answer: Sensitivity) -> None:
    """Shares of variance with their intervals; a source that is not told apart has no column."""
    told = [source for source in SOURCES if any(source in pair.parts for pair in answer.pairs)]
    if not told:
        return
    title = "Shares of the variance of one result: % (95 %)"
    table = Table("first - second", title=title, title_justify="left", box=None)
    joint = answer.survey.students == 1
    for source in told:
        table.add_column("set and student" if joint and source == "set" else source, justify="right")
    for pair in answer.pairs:
        table.add_row(escape(f"{pair.one} - {pair.other}"), *(_write_part(pair.parts.get(source)) for source in told))
    _console.print(table)


def _name_knob(pair: PairResult) -> str:
    """The knob that flips the order, or else that with the largest share."""
    knob = pair.turning or next(iter(pair.knobs), None)
    if knob is None:
        return ""
    return f"{knob.knob} {knob.share:.0%}{', flips' if knob.flips else ''}"


def _write_estimate(estimate: Estimate, metric: Metric) -> tuple[str, str]:
    half = estimate.half_width
    return write_gain(estimate.mean, metric), "" if half is None else write_gain(half, metric).lstrip("+")


def _write_part(part: Part | None) -> str:
    return "" if part is None else f"{100 * part.share:.0f} ({100 * part.low:.0f}-{100 * part.high:.0f})"
