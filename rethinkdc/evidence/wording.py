"""Answers in sentences: what the numbers say, and what they do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rethinkdc.evidence.comparison import Comparison, Contender
from rethinkdc.evidence.corners import Switch
from rethinkdc.evidence.explanation import Explanation, Share
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.measurement import Metric
from rethinkdc.statistics import Difference

_IS = {
    "images": "what the set shows, viewed as it asks, in place of noise",
    "labels": "the soft labels in place of class indices",
    "views": "new views in every epoch in place of one fixed view of each image",
}
_OF: Mapping[Switch, str] = {"images": "the images", "labels": "the labels", "views": "the augmentation"}


def tell_explanation(explanation: Explanation) -> tuple[str, ...]:
    """What an explanation says, sentence by sentence, and what must be known to read it."""
    lacking = _tell_missing(explanation)
    corners = {str(corner): outcome for corner, outcome in explanation.corners.items()}
    machines = tell_machines({**corners, **explanation.beside})
    if not explanation.shares or explanation.total is None:
        return ("No seed has all eight corners: nothing can be attributed yet.", *lacking)
    total, count = explanation.total, len(explanation.seeds)
    counted = explanation.counted if count > 1 else explanation.counted[:-1]
    return (
        *(_tell_share(share, explanation) for share in explanation.shares),
        f"Together they are the {_points(total)} points from noise with hard labels and fixed views to all three"
        f"{_tell_floor(explanation)}.",
        "A share is a Shapley value: what a switch adds, averaged over all orders of switching on. What two add only "
        "together is split evenly between them, so a share is no effect of its own.",
        f"n = {count} {counted}, intervals at 95 % (Student's t)" + ("." if count > 1 else ": one has no interval."),
        *machines,
        *lacking,
    )


def tell_comparison(comparison: Comparison) -> tuple[str, ...]:
    """What a comparison says of each method, sentence by sentence."""
    metric, several = comparison.conditions.metric, len({one.student for one in comparison.contenders}) > 1
    methods = [one for one in comparison.contenders if one.role == "method"]
    said = [f"{_name(one, several)}: {tell_difference(one, metric)}" for one in methods]
    together = (
        [f"The {comparison.claims} intervals hold together at 95 % (Bonferroni)."] if comparison.claims > 1 else []
    )
    lacking = [
        f"{_name(one, several)} lacks {_seeds(one.outcome.missing)}: {next(iter(one.outcome.missing.values()))}"
        for one in comparison.contenders
        if one.outcome.missing
    ]
    named = {_name(one, several): one.outcome for one in comparison.contenders}
    return (*said, *together, *tell_machines(named), *lacking)


def tell_machines(outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    """Who comes from which machine, where they are not all from one: differences are then not of the methods alone."""
    if len({machine for outcome in outcomes.values() for machine in outcome.machines}) < 2:
        return ()
    told = [
        f"{name} on {' and on '.join(machine or 'an unknown machine' for machine in outcome.machines)}"
        for name, outcome in outcomes.items()
        if outcome.machines
    ]
    return (f"Machines are mixed, so that differences are not of the methods alone: {'; '.join(told)}.",)


def tell_difference(contender: Contender, metric: Metric) -> str:
    """Where the difference to ``random`` lies: ``+4.1 to +6.3 points above random, n = 5``."""
    found = contender.difference
    if found is None:
        return "nothing to compare with random yet"
    half = found.simultaneous if found.simultaneous is not None else found.half_width
    unit = " points" if metric.unit == "fraction" else ""
    if half is None:
        why = "one pair has no interval" if found.n == 1 else "equal differences have no interval"
        return f"{write_gain(found.mean, metric)}{unit} from random, n = {found.n}: {why}"
    low, high = found.mean - half, found.mean + half
    between = f"{write_gain(low, metric)} to {write_gain(high, metric)}{unit}"
    side = "above" if low > 0 else "below" if high < 0 else "from"
    untold = "" if side != "from" else "; not told apart"
    worse = "" if metric.better == "higher" else " (lower is better)"
    return f"{between} {side} random, n = {found.n}{untold}{worse}"


def write_gain(value: float, metric: Metric) -> str:
    """A difference with its sign, in points where the metric is a fraction."""
    return f"{100 * value:+.2f}" if metric.unit == "fraction" else f"{value:+.4g}"


def _tell_floor(explanation: Explanation) -> str:
    """What is left over chance where all switches are off; nothing where chance is not known."""
    if explanation.floor is None or explanation.chance is None:
        return ""
    return (
        f"; that corner lies {_signed(explanation.floor)} points from chance ({explanation.chance:.2%}), "
        "which no switch explains"
    )


def _tell_share(share: Share, explanation: Explanation) -> str:
    assert explanation.total is not None
    part = f", {share.difference.mean / explanation.total.mean:.0%} of the whole" if _divides(explanation) else ""
    return f"{_points(share.difference)} points are credited to {_OF[share.switch]}{part}: {_IS[share.switch]}."


def _divides(explanation: Explanation) -> bool:
    """Whether shares can be told in parts of the whole: it lies above zero, and nothing takes away from it."""
    total = explanation.total
    above = total is not None and total.half_width is not None and total.mean - total.half_width > 0
    return above and all(share.difference.mean >= 0 for share in explanation.shares)


def _tell_missing(explanation: Explanation) -> list[str]:
    return [
        f"Missing: {corner}, {_seeds(reasons)}: {next(iter(reasons.values()))}"
        for corner, reasons in explanation.missing.items()
    ]


def _points(difference: Difference) -> str:
    around = f" ± {100 * difference.half_width:.2f}" if difference.half_width is not None else ""
    return f"{_signed(difference)}{around}"


def _signed(difference: Difference) -> str:
    return f"{100 * difference.mean:+.2f}"


def _name(contender: Contender, several: bool) -> str:
    return f"{contender.method} ({contender.student})" if several else contender.method


def _seeds(seeds: Iterable[int]) -> str:
    listed = [str(seed) for seed in seeds]
    return f"seed {listed[0]}" if len(listed) == 1 else f"seeds {', '.join(listed)}"
