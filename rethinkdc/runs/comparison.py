"""A run beside the one that any method must beat: ``random`` under the same condition."""

from __future__ import annotations

import warnings

from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RethinkError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.definition import MethodDefinition
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records


def difference_to_random(record: Record, records: Records, registry: Registry) -> float | None:
    """The main metric minus that of ``random`` under the same condition; None when there is nothing to compare."""
    random = MethodDefinition.model_validate(registry.definition(registry.build(Compressor, "random")))
    key = record.definition.with_compressor(random).key
    if key == record.key or not record.results:
        return None
    try:
        baseline = records.find(key)
    except RethinkError as error:
        warnings.warn(f"No comparison with random: {error}", stacklevel=2)
        return None
    metric = record.main_metric.name
    if baseline is None or metric not in baseline.results:
        return None
    return record.results[metric] - baseline.results[metric]
