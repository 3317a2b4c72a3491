"""Rules of what a method says of itself: its parameters, its description, its paper."""

from __future__ import annotations

import json
import re

from rethinkdc.errors import RequestError
from rethinkdc.method import Method
from rethinkdc.reference import Reference
from rethinkdc.registry.registry import Registry
from rethinkdc.testing.case import Case
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.verdicts import NotApplicableError, require

_NAMED = re.compile(r"(arXiv \d{4}\.\d{4,5}|doi 10\.\S+|openreview \S+|https://\S+|.*\b(19|20)\d\d\b.*)(, .+)?")
_NOBODYS = "no_such_parameter"


def check_words(method: Method, registry: Registry) -> None:
    """Checks that a method survives being printed, written as JSON, and read again.

    Raises:
        AssertionError: says which form did not give the method back.
    """
    text, definition = registry.label(method), registry.definition(method)
    again = registry.build(method.kind, text)
    fields = ", ".join(key for key in type(method).model_fields if getattr(again, key, None) != getattr(method, key))
    require(again == method, f"{text!r} reads as {again!r}, not as {method!r}", differs=fields)
    require(registry.label(again) == text, f"{text!r} prints as {registry.label(again)!r} after being read")
    require(
        json.loads(json.dumps(definition)) == definition, f"the definition of {text} is not plain JSON: {definition}"
    )
    reread = type(method).model_validate_json(method.model_dump_json())
    require(registry.definition(reread) == definition, f"{text} changes when written as JSON and read again")


def _parameters(case: Case) -> None:
    check_words(case.method, case.bench.registry)


def _frozen(case: Case) -> str:
    method, registry = case.method, case.bench.registry
    for key in type(method).model_fields:
        try:
            setattr(method, key, getattr(method, key))
        except (ValueError, TypeError, AttributeError):
            continue
        require(held=False, otherwise=f"{key} can be set on a method that is made; derive from the kinds", differs=key)
    reference = registry.reference(method)
    try:
        registry.build(method.kind, Reference(name=reference.name, values={**reference.values, _NOBODYS: 1}))
    except RequestError:
        return ""
    require(held=False, otherwise=f"{reference.name}:{_NOBODYS}=1 is taken, and must be refused", differs=_NOBODYS)
    return ""


def _described(case: Case) -> None:
    kind = type(case.method)
    own = kind.__dict__.get("__doc__")
    require(own, f"the class {kind.__name__} has no docstring of its own: its first line is what tables show")
    summary = kind.summary()
    require(summary.endswith("."), f"the first line of the docstring is no sentence: {summary!r}", differs="docstring")
    for key, info in kind.model_fields.items():
        require(info.description, f"the parameter {key} has no description; give Field(description=...)", differs=key)
    require(kind.revision >= 1, f"revision = {kind.revision}; it begins with 1", differs="revision")


def _paper(case: Case) -> str:
    paper = type(case.method).paper
    if not paper:
        raise NotApplicableError("it names none, so tables show it as a method without a paper")
    require(
        _NAMED.fullmatch(paper),
        f"paper = {paper!r}: expected what finds it, such as 'arXiv 2107.07075', 'doi 10...' or a title with its year",
        differs="paper",
    )
    return paper


WORDS = (
    Rule("parameters", "Printed, or written as JSON, and read again it is the same method.", _parameters),
    Rule("frozen", "Nobody changes a method that is made, and a parameter that nobody knows is refused.", _frozen),
    Rule("described", "Its docstring is a sentence, and each parameter has a description.", _described),
    Rule("paper", "Its paper is named such that it can be found, or it has none.", _paper),
)
"""Of every kind."""
