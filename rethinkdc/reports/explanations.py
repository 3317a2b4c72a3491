"""Where accuracies come from: what each switch is credited with, and the eight corners that it was worked out of."""

from __future__ import annotations

from collections.abc import Sequence

from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.wording import tell_explanation
from rethinkdc.reports.accuracies import half_width
from rethinkdc.reports.conditions import slug
from rethinkdc.reports.figures import Axis, Chart, Facets, Label, Level, Point, Series, Style
from rethinkdc.reports.material import Material
from rethinkdc.reports.texts import write_metric, write_number
from rethinkdc.statistics import Spread
from rethinkdc.storage import digest
from rethinkdc.texts import visible

_OWN, _BESIDE = Style(1, 0), Style(2, 1)
_DIGEST, _TELLING = 12, 6


def draw_explanations(material: Material) -> list[Chart]:
    """Two charts for each explanation: the shares of the switches, and the corners with what stands beside them."""
    return [
        chart
        for explanation in material.explanations
        for chart in (_draw_shares(explanation), _draw_corners(explanation))
        if chart
    ]


def _draw_shares(explanation: Explanation) -> Chart | None:
    lines = [(share.switch, share.difference) for share in reversed(explanation.shares)]
    if not lines:
        return None
    points = tuple(
        Point(found.mean, float(place), found.half_width, f"{name} {_tell(found, found.half_width, sign=True)}")
        for place, (name, found) in enumerate(lines)
    )
    return Chart(
        label=_label(explanation, "what each switch adds"),
        caption=" ".join(map(visible, tell_explanation(explanation))),
        alt="; ".join(point.note for point in points),
        x=Axis(f"{write_metric(explanation.conditions.metric.name)} gained (points)", "fraction"),
        y=Axis("", ticks=tuple((float(place), name) for place, (name, _) in enumerate(lines))),
        series=(Series("Shapley value", _OWN, points),),
        levels=(Level("nothing", "x", 0.0),),
        errors="x",
    )


def _draw_corners(explanation: Explanation) -> Chart | None:
    own = [(str(corner), outcome) for corner, outcome in explanation.corners.items()]
    beside = [(f"{visible(name)}, soft labels, new views", outcome) for name, outcome in explanation.beside.items()]
    lines = [(name, outcome, series) for series, group in ((_BESIDE, beside), (_OWN, own)) for name, outcome in group]
    if not any(outcome.spread for _, outcome, _ in lines):
        return None
    names = tuple(name for name, *_ in lines)
    return Chart(
        label=_label(explanation, "the eight corners"),
        caption="Bars are 95 % intervals of the mean (Student's t), each taken alone.",
        alt=f"Results at {len(own)} corners, from {_tell_range([outcome for _, outcome, _ in lines])}.",
        x=Axis(f"{write_metric(explanation.conditions.metric.name)} (%)", "fraction"),
        y=Axis("", ticks=tuple((float(place), name) for place, name in enumerate(names))),
        series=tuple(
            Series(title, style, _points(lines, style))
            for title, style in ((visible(explanation.method), _OWN), ("beside it", _BESIDE))
        ),
        levels=() if explanation.chance is None else (Level("chance", "x", explanation.chance),),
        errors="x",
    )


def _points(lines: Sequence[tuple[str, Outcome, Style]], style: Style) -> tuple[Point, ...]:
    points = []
    for place, (name, outcome, own) in enumerate(lines):
        if own == style and (spread := outcome.spread):
            half = half_width(spread)
            points.append(Point(spread.mean, float(place), half, f"{name} {_tell(spread, half)}"))
    return tuple(points)


def _label(explanation: Explanation, about: str) -> Label:
    conditions = explanation.conditions
    title = f"{visible(explanation.method)}: {about}"
    identity = [
        explanation.method,
        explanation.labeler,
        conditions.protocol_digest,
        conditions.dataset,
        conditions.ipc,
        about,
    ]
    return Label(
        kind="explain",
        name=f"explain-{slug(title)}-{digest(identity)[:_TELLING]}",
        title=title,
        conditions=f"{visible(conditions.dataset)}, {visible(conditions.protocol)}, ipc {conditions.ipc}, soft "
        f"labels of {visible(explanation.labeler)}",
        digests=f"Protocol {conditions.protocol_digest[:_DIGEST]}, with what each switch changes.",
        facets=Facets(visible(conditions.dataset), (), (str(conditions.ipc),)),
    )


def _tell(spread: Spread, half: float | None, *, sign: bool = False) -> str:
    around = "" if half is None else f" ± {write_number(half, 'fraction')}"
    return f"{write_number(spread.mean, 'fraction', sign=sign)}{around}, n = {spread.n}"


def _tell_range(outcomes: Sequence[Outcome]) -> str:
    means = [outcome.spread.mean for outcome in outcomes if outcome.spread]
    return f"{write_number(min(means), 'fraction')} to {write_number(max(means), 'fraction')} %"
