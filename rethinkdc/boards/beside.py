"""What stands beside a measured result: the machine, the scores of several accuracies, the test set's own error."""

from __future__ import annotations

from dataclasses import dataclass

from rethinkdc.runs.record import name_machine
from rethinkdc.statistics import ImageInterval


@dataclass(frozen=True)
class Machine:
    """What computed a result: the kind of device, the threads of a CPU, and ranks, on which its bits depend.

    Attributes:
        device: such as ``cpu`` or ``cuda``; empty where a record does not say.
        threads: None where a record does not say.
        ranks: processes that made it together.
    """

    device: str
    threads: int | None
    ranks: int = 1

    @property
    def name(self) -> str:
        """As records name it; empty where they do not say."""
        return name_machine(self.device, self.threads, self.ranks)

    @property
    def order(self) -> tuple[str, bool, int, int]:
        """By what machines are sorted."""
        return self.device, self.threads is None, self.threads or 0, self.ranks


@dataclass(frozen=True)
class Lacking:
    """An accuracy that scores need and no record has.

    Attributes:
        accuracy: of what, such as ``full + hard``.
        scores: that need it.
        command: that makes it.
    """

    accuracy: str
    scores: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Robustness:
    """The scores of :mod:`rethinkdc.metrics`, of mean accuracies as fractions; None where an accuracy is lacking.

    Attributes:
        hlr: hard label recovery; lower is better.
        ior: improvement over random with equal labels.
        lrs: label robust score; neutral at 0.2689.
        ars: augmentation robust score; neutral at 0.2689.
    """

    hlr: float | None
    ior: float | None
    lrs: float | None
    ars: float | None


@dataclass(frozen=True)
class ImageError:
    """The test set's own error of a paired difference to ``random``.

    Attributes:
        interval: at 95 %, by the bootstrap over test images with the sets and students as they are; None without a
            pair of runs that both kept predictions.
        pairs: of runs whose predictions were read.
        missing: what has none, and why.
    """

    interval: ImageInterval | None
    pairs: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """A published value of a method under a board's conditions, as far as they can be the same.

    Attributes:
        value: a fraction, or the number of another metric.
        deviation: over its repetitions; None where it is not told.
        n: repetitions; None where it is not told.
        source: paper and table.
        conditions: what differs from ours; empty = nothing that is known.
    """

    value: float
    deviation: float | None
    n: int | None
    source: str
    conditions: str


@dataclass(frozen=True)
class Unmeasured:
    """A published value without a measured row: a line of its own."""

    compressor: str
    labeler: str
    published: Published
