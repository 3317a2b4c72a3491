"""What ``explain`` and ``compare`` print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rethinkdc.boards.ranking import LEAST
from rethinkdc.cli.metric_text import name_metric, write_signed, write_value
from rethinkdc.cli.saying import say
from rethinkdc.cli.text_table import escape
from rethinkdc.evidence.comparison import Comparison, Contender
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS
from rethinkdc.evidence.detecting import Detection, Need
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.wording import tell_comparison, tell_explanation
from rethinkdc.measurement import Metric
from rethinkdc.statistics import ASSURANCE, POWER, Difference

_console = Console()
_ALONE = "*"


def print_explanation(explanation: Explanation) -> None:
    """The eight corners, what stands beside them, what each switch is credited with, and how to read it."""
    metric = explanation.conditions.metric
    title = f"{explanation.method} under {explanation.labeler} {_told(explanation.conditions)}"
    table = Table(title=escape(title), title_justify="left", box=None)
    for name in ("images", "labels", "views"):
        table.add_column(name)
    for name in (f"{name_metric(metric.name)} %", "sd", "n"):
        table.add_column(name, justify="right")
    for corner in reversed(CORNERS):
        images = explanation.method if corner.images == "own" else "noise"
        table.add_row(escape(images), corner.labels, corner.views, *_values(explanation.corners[corner], metric))
    for name, outcome in explanation.beside.items():
        table.add_row(escape(name), "soft", "new", *_values(outcome, metric))
    _console.print(table)
    if explanation.shares:
        shares = Table("credited to", box=None)
        shares.add_column("points", justify="right")
        shares.add_column("± 95 %", justify="right")
        for share in explanation.shares:
            shares.add_row(share.switch, *_difference(share.difference, metric))
        _console.print(shares)
    for line in tell_explanation(explanation):
        _console.print(escape(line))


def print_comparison(comparison: Comparison) -> None:
    """Each method with its paired difference to random, what it is seen beside, and what that says."""
    metric = comparison.conditions.metric
    several = len({one.student for one in comparison.contenders}) > 1
    table = Table(
        title=escape(f"{comparison.labeler} labels {_told(comparison.conditions)}"), title_justify="left", box=None
    )
    table.add_column("method")
    if several:
        table.add_column("student")
    unit = " %" if metric.unit == "fraction" else ""
    for name in (f"{name_metric(metric.name)}{unit}", "sd", "n", "minus random", "± 95 %"):
        table.add_column(name, justify="right")
    for one in comparison.contenders:
        student = [escape(one.student)] if several else []
        value, half = ("", "") if one.difference is None else _difference(one.difference, metric)
        pair = (value, f"{half}{_ALONE}" if _stands_alone(one, comparison) else half)
        table.add_row(escape(_entitle(one)), *student, *_values(one.outcome, metric), *pair)
    _console.print(table)
    if any(_stands_alone(one, comparison) for one in comparison.contenders):
        say(f"{_ALONE} holds at 95 % alone; the other intervals hold together.")
    for line in tell_comparison(comparison):
        _console.print(escape(line))


def _stands_alone(one: Contender, comparison: Comparison) -> bool:
    """Whether its interval is narrower than those beside it because it makes no claim with them."""
    found = one.difference
    return comparison.claims > 1 and bool(found and found.half_width is not None and found.simultaneous is None)


def print_files(written: Sequence[Path]) -> None:
    """Where study, answer and report lie; outside tables, where no column cuts them short."""
    say(f"written: {', '.join(map(str, written))}")


def _told(conditions: Conditions) -> str:
    digest = conditions.protocol_digest[:12]
    return f"on {conditions.dataset} ({conditions.protocol}, digest {digest}, ipc {conditions.ipc})"


def _entitle(one: Contender) -> str:
    return "full (equal steps)" if one.role == "full" else one.method


def _values(outcome: Outcome, metric: Metric) -> tuple[str, str, str]:
    spread = outcome.spread
    if spread is None:
        return "", "", "0"
    deviation = "" if spread.deviation is None else _bare(spread.deviation, metric)
    return _bare(spread.mean, metric), deviation, str(spread.n)


def _difference(difference: Difference, metric: Metric) -> tuple[str, str]:
    half = difference.simultaneous if difference.simultaneous is not None else difference.half_width
    return write_signed(difference.mean, metric), "" if half is None else _bare(half, metric)


def _bare(value: float, metric: Metric) -> str:
    return write_value(value, metric.unit).rstrip("%")


def print_detection(detection: Detection) -> None:
    """How many sets each method of a study needs, and what that is told from."""
    points = f"{100 * detection.difference:.4g}"
    unit = "point" if points == "1" else "points"
    say(
        f"Sets that find a difference of {points} {unit} to random ({POWER:.0%} power, paired t test at 5 % / m "
        "of the m methods of a board):"
    )
    varied = _varied(detection.needs)
    table = Table(box=None)
    for name, justify in (
        ("method", "left"),
        *((name, "left") for name in varied),
        ("ipc", "left"),
        ("m", "right"),
        ("sd of pairs", "right"),
        ("at most", "right"),
        ("sets", "right"),
        ("planned", "right"),
        ("told from", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    known = [(need, need.deviation) for need in detection.needs if need.deviation is not None]
    for need, deviation in known:
        numbers = (_points(deviation.value), _points(deviation.bound), str(need.sets), _planned(need))
        where = [escape(str(getattr(need, name))) for name in varied]
        table.add_row(escape(need.method), *where, need.ipc, str(need.claims), *numbers, escape(_told_from(need)))
    if known:
        _console.print(table)
    if unknown := [_name_need(need, varied) for need in detection.needs if need.deviation is None]:
        say(f"Nobody knows yet, since no method there has two unequal pairs on record: {'; '.join(unknown)}.")
    if not known:
        return
    say(
        f"Holm's correction asks for no more than 5 % / m (Bonferroni). Fewer than {LEAST} sets are never advised, "
        "since boards rank none. "
        f"At most: the upper bound of the deviation at {ASSURANCE:.0%}, which counts, since it is told from few sets. "
        "Records: " + (", ".join(sorted({key[:8] for need in detection.needs for key in need.records})) or "none") + "."
    )


def describe_detection(detection: Detection) -> dict[str, Any]:
    """The same as JSON data; deviations and the difference are fractions."""
    return {
        "difference": detection.difference,
        "power": POWER,
        "needs": [
            {**asdict(need), "bound": None if need.deviation is None else need.deviation.bound}
            for need in detection.needs
        ],
    }


def _told_from(need: Need) -> str:
    if need.deviation is None:
        return "no pairs on record"
    return f"{need.pairs} pairs of {', '.join(need.pooled) or 'its own'}"


def _varied(needs: Sequence[Need]) -> list[str]:
    """What tells needs of one method apart, beside the number of images."""
    return [name for name in ("student", "protocol") if len({getattr(need, name) for need in needs}) > 1]


def _name_need(need: Need, varied: Sequence[str]) -> str:
    return ", ".join([need.method, *(getattr(need, name) for name in varied), f"ipc {need.ipc}"])


def _planned(need: Need) -> str:
    return f"{need.planned} students" if need.counted == "students" else str(need.planned)


def _points(fraction: float) -> str:
    return f"{100 * fraction:.2f}"
