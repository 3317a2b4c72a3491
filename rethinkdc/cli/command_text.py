"""Commands as they are typed again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rethinkdc.reference import Reference, print_reference
from rethinkdc.runs.options import OptionField, Options, option_fields


def spell_command(name: str, command: Options) -> str:
    """The command line that gives these options, quoted as a shell needs it; what has its default is left out."""
    listed = [one for one in option_fields(type(command)) if not one.option.python_only]
    arguments = [str(getattr(command, one.name)) for one in listed if one.option.argument]
    words = [word for one in listed if not one.option.argument for word in _spell(one, getattr(command, one.name))]
    return shlex.join(["rethinkdc", name, *arguments, *words])


def _spell(one: OptionField, value: Any) -> Iterator[str]:
    if value is None or value == one.default:
        return
    if one.option.bare:
        yield one.flag if value == one.option.bare else f"{one.flag}={value}"
    elif isinstance(value, bool):
        yield one.flag
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (one.flag, _pair(key, inner))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from (one.flag, str(item))
    else:
        yield from (one.flag, str(value))


def _pair(key: str, value: Any) -> str:
    """``training.batch=32``, as references spell their values."""
    return print_reference(Reference(name="set", values={key: value})).removeprefix("set:")
