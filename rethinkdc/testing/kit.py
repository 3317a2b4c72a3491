"""The rules of each kind, in the order in which they are tried."""

from __future__ import annotations

from rethinkdc.testing.case import Case
from rethinkdc.testing.command_rules import COMMANDS
from rethinkdc.testing.dataset_rules import DATASET
from rethinkdc.testing.kill_rules import KILLS, RANKS
from rethinkdc.testing.manner_rules import DATA, MANNERS
from rethinkdc.testing.model_rules import MODEL
from rethinkdc.testing.outside_rules import ENGINE, TRACKER
from rethinkdc.testing.repeat_rules import CACHED, KEYS, REPEATS
from rethinkdc.testing.result_rules import BY_KIND, WORKS
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.word_rules import WORDS

_OF_SETS: tuple[Rule[Case], ...] = (CACHED, KEYS, KILLS, RANKS)


def _on_data(kind: str) -> tuple[Rule[Case], ...]:
    kept = _OF_SETS if kind in ("compressor", "score") else (KILLS,) if kind in ("labeler", "evaluator") else ()
    return (*WORDS, WORKS, *BY_KIND[kind], *REPEATS, *MANNERS, *DATA, *kept, *COMMANDS)


KITS: dict[str, tuple[Rule[Case], ...]] = {
    **{kind: _on_data(kind) for kind in BY_KIND},
    "dataset": (*WORDS, *DATASET, *COMMANDS),
    "model": (*WORDS, *MODEL, *COMMANDS),
    "tracker": (*WORDS, *TRACKER, *COMMANDS),
    "engine": (*WORDS, *ENGINE, *COMMANDS),
}
"""By kind; those of protocols are in :mod:`rethinkdc.testing.protocol_rules`."""


def rules_of(kind: str, *, quick: bool) -> tuple[Rule[Case], ...]:
    """The rules that a method of a kind is held to; ``quick``: less those that take long."""
    return tuple(rule for rule in KITS[kind] if not (quick and rule.long))
