"""All scenarios of the simulation."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.scale import boards, labels, selection, statistics, stitching, traces
from tests.benchmarks.scale.scenario import Scenario


def scenarios() -> Iterator[Scenario]:
    """In the order of the page."""
    for module in (selection, traces, stitching, statistics, labels, boards):
        yield from module.scenarios()
