"""How far comparisons hang on their protocol: every setting, what each knob does, and shares of variance."""

from __future__ import annotations

from collections.abc import Sequence

from rethinkdc.evidence.sensitivity import PairResult, Sensitivity
from rethinkdc.evidence.survey import SettingResult
from rethinkdc.evidence.telling import SOURCES, tell_count, tell_reading, tell_turning
from rethinkdc.reports.conditions import slug
from rethinkdc.reports.figures import Axis, Bars, Chart, Facets, Figure, Label, Level, Part, Point, Series, Unit
from rethinkdc.reports.material import Material
from rethinkdc.reports.palette import Styles
from rethinkdc.reports.texts import write_metric, write_number
from rethinkdc.statistics import Estimate
from rethinkdc.storage import digest
from rethinkdc.texts import visible

_BAND = 0.6
"""Of a line, what its points are spread over."""
_LETTERS, _LEAST = 44, 4
"""Of the levels of a setting together, and of each at least."""
_DIGEST, _TELLING = 12, 6


def draw_sensitivities(material: Material) -> list[Figure]:
    """Of each survey: differences under all settings, what the knobs do, shares of variance, and all numbers."""
    return [
        figure
        for answer in material.sensitivities
        if answer.pairs
        for figure in (_draw_settings(answer), _draw_knobs(answer), _draw_parts(answer), _draw_lines(answer))
        if figure
    ]


def _draw_settings(answer: Sensitivity) -> Chart:
    """A line for each pair, a point for each setting, told apart by the knob that most goes with."""
    pairs, survey = answer.chief[::-1], answer.survey
    settings = {setting.number: setting for setting in survey.complete}
    knob = _first_knob(pairs)
    levels = survey.knobs.get(knob, ())
    series = []
    for place, level in enumerate(levels or ("",)):
        points = tuple(
            Point(found.mean, line + _spread(number, len(survey.settings)), note=_tell(found, settings[number], answer))
            for line, pair in enumerate(pairs)
            for number, found in pair.by_setting.items()
            if number in settings and (not levels or settings[number].names.get(knob) == level)
        )
        series.append(Series(visible(f"{knob}: {level}"), Styles.nth(place), points))
    said = " ".join(visible(tell_count(pair)) for pair in answer.chief)
    return Chart(
        label=_label(answer, "under every setting"),
        caption=f"Each point is a setting, a mean over sets. {said}",
        alt=said,
        x=Axis(_axis_title(answer), _unit(answer)),
        y=Axis("", ticks=tuple((float(line), _name(pair)) for line, pair in enumerate(pairs))),
        series=tuple(series),
        levels=(Level("no difference", "x", 0.0),),
        errors="x",
    )


def _draw_knobs(answer: Sensitivity) -> Chart | None:
    """A line for each level of each knob, a point for each pair."""
    pairs = [pair for pair in answer.chief if pair.knobs]
    lines = [(knob, level) for knob, levels in answer.survey.knobs.items() for level in levels][::-1]
    if not pairs:
        return None
    series = []
    for place, pair in enumerate(pairs):
        means = {(knob.knob, one.level): one for knob in pair.knobs for one in knob.levels}
        points = tuple(
            Point(
                found.difference.mean,
                line + _spread(place + 1, len(pairs)),
                found.apart.half_width,
                f"{found.level}: {_write(found.difference, answer)}",
            )
            for line, where in enumerate(lines)
            if (found := means.get(where))
        )
        series.append(Series(_name(pair), Styles.nth(place), points))
    said = " ".join(visible(tell_turning(pair, answer.survey.metric)) for pair in answer.chief)
    return Chart(
        label=_label(answer, "what each knob does"),
        caption="Means at one level of a knob, the others in balance. Bars are 95 % intervals of a level beside the "
        f"mean of all settings, where what sets share cancels: they tell levels apart, not the side of zero. {said}",
        alt=said,
        x=Axis(_axis_title(answer), _unit(answer)),
        y=Axis("", ticks=tuple((float(line), visible(f"{knob}: {level}")) for line, (knob, level) in enumerate(lines))),
        series=tuple(series),
        levels=(Level("no difference", "x", 0.0),),
        errors="x",
    )


def _draw_parts(answer: Sensitivity) -> Bars | None:
    """A bar for each pair, of the shares of the sources."""
    pairs = [pair for pair in answer.chief if pair.parts]
    told = [source for source in SOURCES if any(source in pair.parts for pair in pairs)]
    if not pairs:
        return None
    joint = answer.survey.students == 1
    return Bars(
        label=_label(answer, "shares of the variance"),
        caption="Of the variance of one result: what another setting of the design, another set, another student and "
        f"other test images add. {' '.join(map(visible, tell_reading(answer)))}",
        alt="; ".join(
            f"{_name(pair)}: "
            + ", ".join(
                f"{SOURCES[source]} {part.share:.0%}" for source, part in pair.parts.items() if source in SOURCES
            )
            for pair in pairs
        ),
        names=tuple(_name(pair) for pair in pairs),
        parts=tuple(
            Part(
                "the set and its student" if joint and source == "set" else SOURCES[source],
                Styles.nth(place),
                tuple(pair.parts[source].share if source in pair.parts else 0.0 for pair in pairs),
            )
            for place, source in enumerate(told)
        ),
        x=Axis("share of the variance (%)", "fraction"),
    )


def _draw_lines(answer: Sensitivity) -> Chart:
    """A line for each setting, a point for each pair."""
    settings = {setting.number: setting for setting in answer.survey.complete}
    lines = {number: float(line) for line, number in enumerate(reversed(settings))}
    series = [
        Series(
            _name(pair),
            Styles.nth(place),
            tuple(
                Point(found.mean, lines[number], note=_tell(found, settings[number], answer))
                for number, found in pair.by_setting.items()
                if number in lines
            ),
        )
        for place, pair in enumerate(answer.chief)
    ]
    return Chart(
        label=_label(answer, "setting by setting"),
        caption=f"Means over sets. A line's name has the levels of {visible(', '.join(answer.survey.knobs))}.",
        alt=f"{len(settings)} settings by {len(answer.chief)} pairs.",
        x=Axis(_axis_title(answer), _unit(answer)),
        y=Axis("", ticks=tuple((line, _name_setting(settings[number])) for number, line in lines.items())),
        series=tuple(series),
        levels=(Level("no difference", "x", 0.0),),
        errors="x",
    )


def _first_knob(pairs: Sequence[PairResult]) -> str:
    """The knob that the most of what differs between settings goes with, over all pairs; empty where none is told."""
    shares: dict[str, float] = {}
    for pair in pairs:
        for knob in pair.knobs:
            shares[knob.knob] = shares.get(knob.knob, 0.0) + knob.share
    return max(shares, key=lambda name: shares[name], default="")


def _spread(place: int, count: int) -> float:
    """Where in the band of a line one of ``count`` lies, from 1."""
    return _BAND * (0.5 - (place - 0.5) / count)


def _name(pair: PairResult) -> str:
    return visible(f"{pair.one} - {pair.other}")


def _name_setting(setting: SettingResult) -> str:
    """Its number and levels, on two short lines at most."""
    room = max(_LEAST, _LETTERS // max(1, len(setting.names)))
    # Levels of one knob often begin alike.
    cut = (room - 1) // 2
    names = (name if len(name) <= room else f"{name[:cut]}…{name[cut + 1 - room :]}" for name in setting.names.values())
    return visible(f"{setting.number}: {', '.join(names)}")


def _tell(found: Estimate, setting: SettingResult, answer: Sensitivity) -> str:
    where = ", ".join(f"{knob}={level}" for knob, level in setting.names.items())
    return visible(f"setting {setting.number} ({where}): {_write(found, answer)}")


def _write(found: Estimate, answer: Sensitivity) -> str:
    around = "" if found.half_width is None else f" ± {write_number(found.half_width, _unit(answer))}"
    return f"{write_number(found.mean, _unit(answer), sign=True)}{around}"


def _unit(answer: Sensitivity) -> Unit:
    return answer.survey.metric.unit


def _axis_title(answer: Sensitivity) -> str:
    points = " (points)" if _unit(answer) == "fraction" else ""
    return f"{write_metric(answer.survey.metric.name)} gained{points}"


def _label(answer: Sensitivity, about: str) -> Label:
    survey = answer.survey
    title = f"{visible(survey.family)}: {about}"
    digests = [setting.protocol_digest for setting in survey.settings]
    identity = [digests, survey.dataset, survey.ipc, survey.methods, survey.sets, about]
    protocols = dict.fromkeys(visible(setting.protocol) for setting in survey.settings)
    return Label(
        kind="robust",
        name=f"robust-{slug(title)}-{digest(identity)[:_TELLING]}",
        title=title,
        conditions=f"{visible(survey.dataset)}, ipc {survey.ipc}, {', '.join(protocols)}; {visible(survey.design)}",
        digests=f"Digest of all settings: {digest(digests)[:_DIGEST]}.",
        facets=Facets(visible(survey.dataset), (), (str(survey.ipc),)),
    )
