"""A run beside the one that any method must beat: ``random`` under the same condition."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RethinkError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.definition import MethodDefinition
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records


@dataclass(frozen=True)
class BesideRandom:
    """A run and ``random``.

    Attributes:
        difference: the main metric minus that of ``random``.
        mixed: on which machines both were, where these differ; else empty.
    """

    difference: float
    mixed: str


def difference_to_random(record: Record, records: Records, registry: Registry) -> BesideRandom | None:
    """A run beside ``random`` under the same condition; None when there is nothing to compare.

    The attempt of the run's own machine counts. Where ``random`` is on record from another alone, that one does,
    marked: the key does not know the machine, so that nothing would ever be run to take its place.
    """
    random = MethodDefinition.model_validate(registry.definition(registry.build(Compressor, "random")))
    key = record.definition.with_compressor(random).key
    if key == record.key or not record.results:
        return None
    try:
        baseline = records.find(key, record.machine)
    except RethinkError as error:
        warnings.warn(f"No comparison with random: {error}", stacklevel=2)
        return None
    metric = record.main_metric.name
    if baseline is None or metric not in baseline.results:
        return None
    mixed = f"random on {baseline.machine or 'an unknown machine'}; this on {record.machine or 'an unknown machine'}"
    return BesideRandom(
        record.results[metric] - baseline.results[metric], "" if baseline.machine == record.machine else mixed
    )
