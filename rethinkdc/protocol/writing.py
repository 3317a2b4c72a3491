"""Protocols as TOML text with comments, which reads back as the same protocol."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.toml_text import write_key, write_value
from rethinkdc.protocol.unused import leave_out_unused
from rethinkdc.reference import Reference, print_reference
from rethinkdc.views.base import CODE

_WIDTH = 120
_HEAD = (
    "A protocol: all of an experiment that is not the method. docs/protocols.md tells of every field.",
    "Run it with: rethinkdc run --compressor random --protocol THIS-FILE",
    "Whoever changes a value raises the version: results of both must never stand in one table.",
)


def write_toml(protocol: Protocol) -> str:
    """The protocol as TOML, each value's source in a comment above it; what nothing uses is left out."""
    content = spelled(leave_out_unused(protocol.model_dump(mode="json", exclude={"overrides"})))
    sources = content.get("sources", {})
    lines = [*_comments(_HEAD), "", *_table(content, (), sources)]
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Mapping[str, Any], place: tuple[str, ...], sources: Mapping[str, str]) -> Iterator[str]:
    """The lines of a table: its values, then the tables within it."""
    inner = {key: value for key, value in table.items() if _is_table(value)}
    for key, value in table.items():
        if key not in inner:
            yield from _source((*place, key), sources)
            yield f"{write_key(key)} = {write_value(value)}"
    for key, value in inner.items():
        below = (*place, key)
        name = ".".join(map(write_key, below))
        if isinstance(value, list):
            yield from _source(below, sources)
            for item in value:
                yield f"[[{name}]]"
                yield from _table(item, below, {})
            continue
        if not place or not key.startswith(("optimizer", "schedule")):
            yield ""
        yield from _source(below, sources)
        yield f"[{name}]"
        yield from _table(value, below, {} if below == ("sources",) else sources)


def _is_table(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict) and not all(key.isdecimal() for key in value)


def spelled(value: Any) -> Any:
    """The value with every reference in it as the text that people write, and without what a package tells itself."""
    if isinstance(value, list):
        return [spelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"name", "values"}:
        return print_reference(Reference(name=value["name"], values=value["values"]))
    # What code an op of a package has is told by the package.
    return {key: spelled(item) for key, item in value.items() if key != CODE or "op" not in value}


def _source(place: tuple[str, ...], sources: Mapping[str, str]) -> Iterator[str]:
    if source := sources.get(".".join(place)):
        yield from _comments([source])


def _comments(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        yield from (f"# {line}" for line in textwrap.wrap(text, _WIDTH - 2))
