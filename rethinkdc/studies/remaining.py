"""How long a sweep will still take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """A run that ended or goes on: the seconds that were expected of it, and those that it took so far.

    Attributes:
        expected: of the whole run, from others on record; None = not known.
        taken: seconds.
    """

    expected: float | None
    taken: float


def seconds_left(
    ended: Sequence[Pace], running: Sequence[Pace], waiting: Iterable[float | None], jobs: int
) -> float | None:
    """Estimates the seconds until the last run ends; None where nothing is known of one of them.

    A run takes what is expected of it, longer or shorter by as much as those that ended took; one of which nothing is
    expected takes their mean. The work is spread evenly.

    Args:
        ended: the runs of this sweep that ended.
        running: those that go on.
        waiting: what is expected of each that has not begun.
        jobs: processes side by side.
    """
    mean = sum(each.taken for each in ended) / len(ended) if ended else None
    known = [(each.expected, each.taken) for each in ended if each.expected]
    factor = sum(taken for _, taken in known) / sum(expected for expected, _ in known) if known else 1.0

    def whole(expected: float | None) -> float | None:
        return mean if expected is None else expected * factor

    rests: list[float] = []
    for each in running:
        if (seconds := whole(each.expected)) is None:
            return None
        rests.append(max(seconds - each.taken, 0.0))
    to_come: list[float] = []
    for expected in waiting:
        if (seconds := whole(expected)) is None:
            return None
        to_come.append(seconds)
    spread = (sum(rests) + sum(to_come)) / max(jobs, 1)
    return max([spread, *rests, *to_come])
