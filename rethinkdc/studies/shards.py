"""Shards: parts of a study that machines make which know nothing of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rethinkdc.errors import RequestError
from rethinkdc.runs.resolving import Run


@dataclass(frozen=True)
class Shard:
    """One of so many parts, counted from 0."""

    number: int
    count: int


def read_shard(text: str) -> Shard:
    """Reads ``3/16``.

    Raises:
        RequestError: the text is no such part.
    """
    number, slash, count = (part.strip() for part in text.partition("/"))
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise RequestError(
            f"--shard {text}: expected one part of so many, counted from 0, as in 0/16 or $SLURM_ARRAY_TASK_ID/16."
        )
    shard = Shard(int(number), int(count))
    if shard.number >= shard.count:
        least = (
            "0/1 is the whole study"
            if shard.count < 1
            else f"the parts are 0/{shard.count} to {shard.count - 1}/{shard.count}"
        )
        raise RequestError(
            f"--shard {text}: {least}. A job array of N counts from 0: --array=0-{max(shard.count - 1, 0)}."
        )
    return shard


def runs_in(shard: Shard, runs: Sequence[Run]) -> list[Run]:
    """The runs of a shard, in their order.

    The parts follow from the study alone, whatever is on record: none has more than one run more than another, each run
    is in one of them, and runs with one proxy and one teacher are together as far as that allows, so that few parts
    wait for each other.
    """
    groups: dict[object, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault(_shares(run), []).append(place)
    ordered = [place for group in groups.values() for place in group]
    first, last = (len(ordered) * (shard.number + step) // shard.count for step in (0, 1))
    return [runs[place] for place in sorted(ordered[first:last])]


def _shares(run: Run) -> object:
    return run.dataset_fingerprint, run.protocol.proxy_digest, run.seeds.proxy, run.seeds.teacher


__all__ = ["Shard", "read_shard", "runs_in"]
