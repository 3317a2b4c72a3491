"""What a survey of settings says, in sentences, and what must be known to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rethinkdc.evidence.sensitivity import Agreement, KnobEffect, PairResult, Sensitivity
from rethinkdc.evidence.survey import Survey
from rethinkdc.evidence.wording import write_gain
from rethinkdc.measurement import Metric
from rethinkdc.statistics import Estimate

_MOST_NAMED = 6
_ALIASED = {
    "III": "Of resolution III: what a knob does cannot be told from what two others do only together.",
    "IV": "Of resolution IV: what a knob does alone is clear of what any two do together; the latter are mixed with "
    "each other.",
    "V": "Of resolution V: what a knob does, and what two do together, are clear of each other.",
}
SOURCES = {"setting": "the setting", "set": "the set", "student": "the student", "images": "the test images"}
"""What the sources of variance are called."""


def tell_sensitivity(answer: Sensitivity) -> tuple[str, ...]:
    """What an answer says, sentence by sentence: the design, each pair, and how to read it."""
    metric = answer.survey.metric
    pairs = [line for pair in answer.pairs for line in (tell_count(pair), tell_turning(pair, metric))]
    return (*tell_design(answer.survey), *pairs, *tell_reading(answer))


def tell_design(survey: Survey) -> tuple[str, ...]:
    """Which settings were run, what they can tell apart, and which of them lack a run."""
    return (
        f"{survey.family}: {len(survey.settings)} designed settings of {len(survey.knobs)} knobs "
        f"({_tell_knobs(survey)}): {survey.design}.",
        *([_ALIASED[survey.resolution]] if survey.resolution in _ALIASED else []),
        *_tell_missing(survey),
    )


def tell_reading(answer: Sensitivity) -> tuple[str, ...]:
    """How far orders agree, and what must be known to read counts and shares."""
    survey = answer.survey
    return (
        *(_tell_agreement(answer.agreement, survey) if answer.agreement else ()),
        *_tell_counting(answer),
        *_tell_machines(survey),
    )


def tell_count(pair: PairResult) -> str:
    """The claim, as in ``pca is above random in 46 of 48 designed settings``; in how many so on every set, and told."""
    above, below, count = pair.above, pair.below, len(pair.by_setting)
    said = [f"{pair.one} is above {pair.other} in {len(above)} of {count} designed settings{_tell_sure(pair, 0)}"]
    if below:
        few = len(below) <= _MOST_NAMED and len(below) < count
        said.append(f"below in {_name_settings(below) if few else len(below)}{_tell_sure(pair, 1)}")
    if equal := count - len(above) - len(below):
        said.append(f"equal in {equal}")
    return f"{'; '.join(said)}."


def _tell_sure(pair: PairResult, side: int) -> str:
    return f" (on every set: {pair.unanimous[side]}, told from noise: {pair.told[side]})"


def _name_settings(numbers: Sequence[int]) -> str:
    return f"setting{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def tell_turning(pair: PairResult, metric: Metric) -> str:
    """The knob that flips the order of two methods, or what their difference varies with most."""
    if not pair.knobs:
        return f"{pair.one} and {pair.other}: the complete settings do not tell the knobs apart yet."
    knob = pair.turning or pair.knobs[0]
    told = (
        f"{_tell_levels(knob, metric)}; an effect of {_around(knob.effect, metric)}, {knob.share:.0%} of what differs "
        "between settings"
    )
    if not knob.flips:
        return f"No knob alone flips {pair.one} and {pair.other}; most goes with {knob.knob}: {told}."
    noise = "both sides are told from noise" if knob.told else "the sides are not both told from noise"
    return f"{knob.knob} flips {pair.one} and {pair.other}: {told}; {noise}."


def _tell_knobs(survey: Survey) -> str:
    return "; ".join(f"{name}: {' | '.join(levels)}" for name, levels in survey.knobs.items())


def _tell_levels(knob: KnobEffect, metric: Metric) -> str:
    return ", ".join(f"{write_gain(level.difference.mean, metric)} at {level.level}" for level in knob.levels)


def _around(estimate: Estimate, metric: Metric) -> str:
    half = estimate.half_width
    around = "" if half is None else f" ± {write_gain(half, metric).lstrip('+')}"
    unit = " points" if metric.unit == "fraction" else ""
    return f"{write_gain(estimate.mean, metric).lstrip('+')}{around}{unit}"


def _tell_missing(survey: Survey) -> Iterator[str]:
    incomplete = [setting for setting in survey.settings if not setting.complete]
    if not incomplete:
        return
    lacking = [
        (setting.number, method, reason)
        for setting in incomplete
        for method, cell in setting.cells.items()
        for reason in cell.missing.values()
    ]
    number, method, reason = next((one for one in lacking if one[2] != "not run yet"), lacking[0])
    numbers = ", ".join(str(setting.number) for setting in incomplete[:_MOST_NAMED])
    more = f" and {len(incomplete) - _MOST_NAMED} more" if len(incomplete) > _MOST_NAMED else ""
    yield (
        f"{len(incomplete)} settings count for nothing, since {len(lacking)} of their runs have no result: "
        f"{numbers}{more}. One of them: setting {number}, {method}: {reason}."
    )
    if len(survey.complete) < 2:
        yield "Fewer than two settings are complete: nothing can be said yet."
    else:
        yield "What is left of the design is not balanced: effects of knobs are those of a least-squares fit."


def _tell_agreement(agreement: Agreement, survey: Survey) -> Iterator[str]:
    found = agreement.settings
    around = "" if found.half_width is None else f" ± {found.half_width:.2f} (95 %, jackknife over settings)"
    yield (
        f"Between settings the orders of the {len(survey.methods)} methods agree with Kendall's tau {found.mean:+.2f}"
        f"{around}, from {found.least:+.2f} to {found.largest:+.2f}."
    )
    if agreement.within is not None and agreement.by_set:
        alone = ", ".join(f"{tau:+.2f}" for tau in agreement.by_set.values())
        yield (
            f"By one set alone tau is {alone} between settings, and {agreement.within:+.2f} between the sets of one "
            "setting, where no knob moves: what is missing to the latter is the settings' doing, the rest is noise."
        )


def _tell_counting(answer: Sensitivity) -> Iterator[str]:
    survey = answer.survey
    if not answer.pairs:
        return
    sets, students = len(survey.sets), f"{survey.students} student{'s' if survey.students > 1 else ''}"
    yield ("Settings were chosen, not drawn: so many of them is a count over a design, not a probability.")
    yield (
        f"Told from noise: the interval at 95 % for other sets ({sets} sets of each method here, {students} on "
        "each), each setting taken alone, leaves zero out. With two or three sets few are."
    )
    if survey.students == 1:
        yield "Each set has one student: what the set adds to the variance and what its student adds are told together."
    if answer.images:
        yield f"Test images: what another draw of {answer.images:,} would add; it is taken out of the other shares."
    else:
        yield "Some run has no predictions of the same images: what the test images add is within the other shares."


def _tell_machines(survey: Survey) -> Iterator[str]:
    if len(survey.machines) > 1:
        yield (f"Machines are mixed, so that differences are not of the methods alone: {'; '.join(survey.machines)}.")


__all__ = ["SOURCES", "tell_count", "tell_design", "tell_reading", "tell_sensitivity", "tell_turning"]
