"""Makes the index that completion reads, of the commands and of all that is installed; a program of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from rethinkdc.cli.main import app
from rethinkdc.completion.index import (
    ANY,
    PATH,
    PROTOCOL,
    RECORD,
    STUDY,
    Command,
    Index,
    Named,
    Value,
    index_file,
    index_text,
    installed_stamp,
)
from rethinkdc.method import Method
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.options import OptionField
from rethinkdc.storage import make_folder, write_atomic
from rethinkdc.studies.packaged import packaged_studies
from rethinkdc.studies.shipped import shipped_studies

_NAMED = {
    "compressor": "compressor",
    "method": "compressor",
    "methods": "compressor",
    "score": "score",
    "labeler": "labeler",
    "evaluator": "evaluator",
    "student": "model",
    "students": "model",
    "model": "model",
    "teacher": "teacher",
    "tracker": "tracker",
    "engine": "engine",
    "dataset": "dataset",
    "protocol": PROTOCOL,
    "origin": PROTOCOL,
    "study": STUDY,
    "requirements": RECORD,
}
"""What fields of options name, by the fields' names."""
_OF_COMMANDS = {("show", "name"): ANY, ("check-plugin", "name"): ANY, ("verify", "place"): RECORD}
"""What fields name in one command alone: elsewhere a name is that of something new."""


def make_index() -> Index:
    """Asks the command line and the registry; imports every plugin."""
    commands = dict(_commands())
    registry = Registry()
    names: dict[str, dict[str, Named]] = {
        PROTOCOL: {name: Named(protocol.summary) for name, protocol in registry.protocols.all().items()},
        STUDY: {name: Named() for name in [*shipped_studies(), *packaged_studies(registry)]},
    }
    for row in registry.listing():
        if row.status != "broken":
            known = Named(row.summary, _parameters(row.method) if row.method else {})
            names.setdefault(row.kind, {})[row.name] = known
    # A score's name is a compressor too, unless a compressor has it.
    names["compressor"] = {**names.get("score", {}), **names.get("compressor", {})}
    return Index(installed_stamp(), commands, names)


def _commands() -> Iterator[tuple[str, Command]]:
    for one in app.registered_commands:
        yield _command(one.name, one.callback)
    for group in app.registered_groups:
        for one in group.typer_instance.registered_commands if group.typer_instance else ():
            yield _command(f"{group.name} {one.name}", one.callback)


def _command(name: str | None, callback: Any) -> tuple[str, Command]:
    assert name is not None
    listed: list[OptionField] = callback.options
    options = {"--help": Value("Show what the command does.", flag=True)}
    for one in listed:
        if not one.option.argument:
            value = _value(name, one)
            options |= {flag: value for flag in (one.flag, one.option.short) if flag}
    arguments = tuple(_value(name, one) for one in listed if one.option.argument)
    return name, Command((callback.__doc__ or "").strip().partition("\n")[0], options, arguments)


def _value(command: str, one: OptionField) -> Value:
    taken = one.typed
    names = _OF_COMMANDS.get((command, one.name)) or _NAMED.get(one.name, "")
    if not names and taken is Path:
        names = PATH
    # Of an option whose value may be left out no word follows.
    alone = taken is bool or bool(one.option.bare)
    return Value(one.option.help, names, one.choices, flag=alone, many=get_origin(taken) is list)


def _parameters(method: type[Method]) -> dict[str, Value]:
    naming = method.naming_fields()
    return {key: _parameter(info, naming.get(key, "")) for key, info in method.fields().items()}


def _parameter(info: FieldInfo, names: str) -> Value:
    kinds = list(_alternatives(info.annotation))
    words = [str(word) for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    words += ["true", "false"] if bool in kinds else []
    many = any(get_origin(kind) in (tuple, list) for kind in kinds)
    return Value(info.description or "", names, () if many else tuple(words), many=many)


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) in (Union, UnionType):
        for part in get_args(kind):
            yield from _alternatives(part)
    else:
        yield kind


def main() -> None:
    """Writes the index into the cache."""
    file = index_file()
    make_folder(file.parent)
    write_atomic(file, index_text(make_index()).encode())


if __name__ == "__main__":
    main()
