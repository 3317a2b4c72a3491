"""What was found of a method: one verdict for each rule of its kind."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["kept", "broken", "does not apply"]


class BrokenError(AssertionError):
    """A rule is broken: says what was expected and what was found. ``differs``: the seed axis, the field, the state."""

    def __init__(self, told: str, *, differs: str = "") -> None:
        super().__init__(told)
        self.differs = differs


class NotApplicableError(Exception):
    """A rule says nothing of this method, or cannot be tried here: says why."""


def require(held: object, otherwise: str, *, differs: str = "") -> None:
    """Raises :class:`BrokenError` with the sentence ``otherwise`` where a rule is not kept."""
    if not held:
        raise BrokenError(otherwise, differs=differs)


class Verdict(BaseModel):
    """What was found of one rule.

    Attributes:
        rule: its name.
        demands: what it asks for, as a sentence.
        outcome: whether it is kept.
        differs: what is not as it should be: a seed axis, a field, a piece of state; empty where the sentence says all.
        told: of a broken rule what was expected and found; else what is worth knowing, or why the rule does not apply.
        seconds: that it took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str
    demands: str
    outcome: Outcome
    differs: str = ""
    told: str = ""
    seconds: float = 0.0


class Report(BaseModel):
    """All verdicts on one method.

    Attributes:
        kind: of the method, or ``protocol``.
        method: its reference, as tables print it.
        name: without its parameters.
        distribution: that it comes from, with its version; empty = it is not installed.
        code: digest of the code that was checked; empty = it has none of its own.
        quick: whether the rules that take long were left out.
        verdicts: in the order of the rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    method: str
    name: str
    distribution: str = ""
    code: str = ""
    quick: bool = False
    verdicts: tuple[Verdict, ...] = ()

    @property
    def broken(self) -> tuple[Verdict, ...]:
        """The verdicts on rules that are broken."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome == "broken")

    @property
    def tried(self) -> bool:
        """Whether the method could be tried at all: a refusal of the surroundings is no fault, and no proof."""
        return all(verdict.outcome != "does not apply" for verdict in self.verdicts if verdict.rule == ESSENTIAL)

    @property
    def kept(self) -> bool:
        """Whether it was tried, and every rule that applies is kept."""
        return self.tried and not self.broken

    def sentences(self) -> str:
        """The broken rules, a line each."""
        return "\n".join(f"{verdict.rule}: {verdict.told}" for verdict in self.broken)


ESSENTIAL = "works"
"""The rule without which nothing else can be looked at."""
