"""Studies as TOML text, which reads back as the same study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from rethinkdc.protocol.toml_text import write_key, write_value
from rethinkdc.registry.providers import has_plugins
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.study import Block, Exclusion, Study

_FIRST = ("title", "include", "reported", "dataset", "protocol", "protocols", "labelers")
_TABLES = ("runs", "exclude")


def write_study(study: Study) -> str:
    """The study as TOML; what is as it is by default is left out.

    Paths are absolute, so that the text means the same wherever it is written. Included studies are named: what takes
    the place of their values is not in the text.

    Raises:
        RequestError: a value of an override is none that TOML has.
    """
    names = [field.name for field in fields(Study)]
    ordered = [*_FIRST, *(name for name in names if name not in (*_FIRST, *_TABLES))]
    said = _said(study)
    lines = list(_pairs({name: said[name] for name in ordered if name in said}))
    for name in _TABLES:
        for table in said.get(name, ()):
            lines += ["", f"[[{name}]]", *_pairs(_said(table))]
    return "\n".join(lines) + "\n"


def _said(value: Study | Block | Exclusion | StudySet) -> dict[str, Any]:
    """The fields that are not as they are by default."""
    held = {field.name: (getattr(value, field.name), _default(field)) for field in fields(value)}
    return {name: own for name, (own, default) in held.items() if own != default}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        plain = _plain(name, value)
        text = write_value(plain)
        if isinstance(plain, list) and len(plain) > 1 and len(text) > 100:
            # What is long has a line for each.
            text = "\n".join(["[", *(f"  {write_value(item)}," for item in plain), "]"])
        yield f"{write_key(name)} = {text}"


def _plain(name: str, value: Any) -> Any:
    if name == "include":
        return [each.name for each in value]
    if isinstance(value, StudySet):
        said = _said(value)
        # A hub id whose owner is called as a distribution with plugins would be read as a method.
        plain = set(said) == {"set"} and not has_plugins(value.set.partition("/")[0])
        return value.set if plain else {"set": said.pop("set"), **said}
    return [_plain("", item) for item in value] if isinstance(value, tuple) else value
