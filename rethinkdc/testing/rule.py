"""What a rule is, and how a method is judged by several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from rethinkdc.errors import RethinkError, UnsupportedError
from rethinkdc.testing.verdicts import BrokenError, NotApplicableError, Outcome, Verdict

C = TypeVar("C")


class Listener(Protocol):
    """Hears how a check goes."""

    def trying(self, rule: str) -> AbstractContextManager[object]:
        """What is open while a rule is tried."""
        ...

    def hear(self, verdict: Verdict) -> None:
        """Is told of a verdict as soon as it is known."""
        ...


class _Nobody:
    """Lets pass what it hears."""

    def trying(self, rule: str) -> AbstractContextManager[object]:  # noqa: ARG002
        return nullcontext()

    def hear(self, verdict: Verdict) -> None:
        pass


NOBODY: Listener = _Nobody()
"""For whoever waits for the whole report."""


@dataclass(frozen=True)
class Rule(Generic[C]):
    """One thing that methods are held to.

    Attributes:
        name: of one or two words.
        demands: what it asks for, as a sentence.
        check: raises :class:`BrokenError` or :class:`NotApplicableError`, or returns what is worth knowing.
        after: rules without which this one says nothing: where one of them is not kept it is not tried.
        long: whether ``--quick`` leaves it out.
    """

    name: str
    demands: str
    check: Callable[[C], str | None]
    after: tuple[str, ...] = ()
    long: bool = False


def judge(case: C, rules: Sequence[Rule[C]], listener: Listener = NOBODY) -> tuple[Verdict, ...]:
    """The verdict on each rule."""
    found = []
    for verdict in _judged(case, rules, listener):
        listener.hear(verdict)
        found.append(verdict)
    return tuple(found)


def _judged(case: C, rules: Sequence[Rule[C]], listener: Listener) -> Iterator[Verdict]:
    found: dict[str, Outcome] = {}
    for rule in rules:
        begun = time.perf_counter()
        if lost := [name for name in rule.after if found.get(name, "kept") != "kept"]:
            why = "is broken" if found[lost[0]] == "broken" else "does not apply"
            outcome, differs, told = _not_tried(f"not tried: the rule {lost[0]} {why}")
        else:
            with listener.trying(rule.name):
                outcome, differs, told = _try(rule, case)
        found[rule.name] = outcome
        seconds = time.perf_counter() - begun
        yield Verdict(
            rule=rule.name, demands=rule.demands, outcome=outcome, differs=differs, told=told, seconds=round(seconds, 3)
        )


def _try(rule: Rule[C], case: C) -> tuple[Outcome, str, str]:
    try:
        return "kept", "", rule.check(case) or ""
    except BrokenError as error:
        return "broken", error.differs, str(error)
    except NotApplicableError as error:
        return _not_tried(str(error))
    except UnsupportedError as error:
        return _not_tried(f"it refuses this: {error}")
    except RethinkError as error:
        return "broken", "", str(error)
    except (Exception, SystemExit) as error:
        # Methods of others may raise anything.
        return "broken", type(error).__name__, f"raises {type(error).__name__}: {error}"


def _not_tried(why: str) -> tuple[Outcome, str, str]:
    return "does not apply", "", why
