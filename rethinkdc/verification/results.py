"""What a verification found, as frozen values. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rethinkdc.measurement import Metric
from rethinkdc.texts import visible

Outcome = Literal["bit-equal", "within tolerance", "different", "not replayed"]
Status = Literal["verified", "without predictions", "faulty"]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a record, or with a file that it names.

    Attributes:
        what: what was looked at, such as ``top1`` or ``predictions``.
        said: the fault, a phrase after the file's name.
        found: the value, where the fault is one.
        expected: what it should have been.
        advice: the next thing to try.
    """

    what: str
    said: str
    advice: str
    found: str = ""
    expected: str = ""

    def __str__(self) -> str:
        values = f": found {self.found}, expected {self.expected}" if self.expected else ""
        return f"{self.said}{values}. {self.advice}"


@dataclass(frozen=True)
class Difference:
    """A metric on record and as it was measured again."""

    recorded: float
    replayed: float


@dataclass(frozen=True)
class Replay:
    """A run that was trained again.

    Attributes:
        outcome: ``bit-equal`` where all that the result's digest is taken of is the same; ``within tolerance`` where
            every metric is so near as :data:`rethinkdc.verification.replaying.TOLERANCE` says.
        reason: why there is no second result to compare with; empty where there is one.
        metrics: by name, where they differ.
        changed: test images for which the student names another class; None where no predictions are kept.
        images: test images.
        environment: what differs between the machine on record and this one, a phrase each.
    """

    outcome: Outcome
    reason: str = ""
    metrics: dict[str, Difference] | None = None
    changed: int | None = None
    images: int | None = None
    environment: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.reason:
            return f"{self.outcome}: {self.reason}"
        apart = [
            f"{name} {one.replayed:.6g} for {one.recorded:.6g}"
            for name, one in (self.metrics or {}).items()
            if one.replayed != one.recorded
        ]
        if self.changed is not None and self.outcome != "bit-equal":
            apart.append(f"{self.changed:,} of {self.images:,} predictions are others")
        machine = "; ".join(self.environment) or "nothing that the record tells of the machine"
        told = f" ({', '.join(apart)})" if apart else ""
        return f"{self.outcome}{told}" + ("" if self.outcome == "bit-equal" else f"; differs here: {machine}")


@dataclass(frozen=True)
class Checked:
    """One file in the place of a record.

    Attributes:
        file: below the folder that was verified.
        key: of the run; empty where the file is no record.
        status: ``verified`` where everything could be computed again.
        faults: what is wrong.
        recomputed: metrics as the predictions beside the record give them, and ``ece``, the expected calibration error
            of 15 bins of equal width, which no record has.
        missing: what could not be looked at, and why.
        replay: None where none was asked for.
    """

    file: str
    key: str
    status: Status
    faults: tuple[Fault, ...] = ()
    recomputed: dict[str, float] | None = None
    missing: tuple[str, ...] = ()
    replay: Replay | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with it, and a replay did not give another result."""
        return not self.faults and not (self.replay and self.replay.outcome == "different")

    def lines(self) -> list[str]:
        """A line for each fault, for each file that is not there, and for the replay."""
        told = [*map(str, self.faults), *self.missing, *([str(self.replay)] if self.replay else [])]
        return [visible(f"{self.file}: {one}") for one in told]


@dataclass(frozen=True)
class Verification:
    """All records that were looked at.

    Attributes:
        place: what was verified.
        checked: in the order of their files.
        gaps: attempts that are not there though later ones are, a sentence each.
    """

    place: str
    checked: tuple[Checked, ...]
    gaps: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether all records hold."""
        return all(one.holds for one in self.checked)

    def count(self, status: Status | Outcome) -> int:
        """How many records ended so."""
        return sum(status in (one.status, one.replay and one.replay.outcome) for one in self.checked)

    @property
    def summary(self) -> str:
        """``120 records: 118 verified, 2 without predictions``."""
        states: tuple[Status, ...] = ("verified", "without predictions", "faulty")
        told = ", ".join(f"{self.count(one):,} {one}" for one in states if self.count(one) or one == "verified")
        first = f"{len(self.checked):,} record{'s' if len(self.checked) != 1 else ''}: {told}"
        ends: tuple[Outcome, ...] = ("bit-equal", "within tolerance", "different", "not replayed")
        if not any(one.replay for one in self.checked):
            return first
        replayed = ", ".join(f"{self.count(one):,} {one}" for one in ends if self.count(one))
        return f"{first}; replays: {replayed}"


def near(metric: Metric, one: Difference, tolerance: float) -> bool:
    """Whether two values of a metric are within a tolerance: of fractions as it is, of other numbers relative."""
    scale = 1.0 if metric.unit == "fraction" else max(abs(one.recorded), abs(one.replayed))
    return abs(one.replayed - one.recorded) <= tolerance * scale


def as_data(verification: Verification) -> dict[str, Any]:
    """A verification as JSON data."""
    from dataclasses import asdict

    counts = ("verified", "without predictions", "faulty", "bit-equal", "within tolerance", "different", "not replayed")
    return {
        **asdict(verification),
        "holds": verification.holds,
        "counts": {"records": len(verification.checked), **{one: verification.count(one) for one in counts}},  # type: ignore[arg-type]
    }
