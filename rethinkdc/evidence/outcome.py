"""What runs that differ in seeds alone came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rethinkdc.statistics import Spread, describe

Counted = Literal["sets", "students"]


@dataclass(frozen=True)
class Outcome:
    """Results of runs that differ in seeds alone.

    Attributes:
        values: seed -> metric, of the runs that have a result.
        missing: seed -> why there is none.
        keys: of the runs with a result, in the order of ``values``.
        machines: what computed them; more than one where the record of another machine is all there is.
    """

    values: Mapping[int, float]
    missing: Mapping[int, str]
    keys: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()

    @property
    def spread(self) -> Spread | None:
        """Mean and deviation; None without a result."""
        return describe(list(self.values.values())) if self.values else None
