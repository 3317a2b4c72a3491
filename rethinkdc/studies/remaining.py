"""How long a sweep will still take."""

from __future__ import annotations

from collections.abc import Sequence


def seconds_left(ended: Sequence[float], running: Sequence[float], waiting: int, jobs: int) -> float | None:
    """Estimates the seconds until the last run ends; None where no run has ended yet.

    Each run is taken to be as long as the mean of those that ended, and the work to be spread evenly.

    Args:
        ended: seconds of the runs of this sweep that ended.
        running: seconds that those which go on have taken so far.
        waiting: how many have not begun.
        jobs: processes side by side.
    """
    if not ended:
        return None
    mean = sum(ended) / len(ended)
    rests = [max(mean - so_far, 0.0) for so_far in running]
    spread = (sum(rests) + waiting * mean) / max(jobs, 1)
    return max([spread, *rests])
