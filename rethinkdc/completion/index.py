"""What can be typed, as one file in the cache: commands and their options, methods and their parameters, protocols."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

FILE = "completion/index.json"
"""Where it lies in the cache."""
FORMAT = 1
PATH = "path"
"""What an option names whose value is a file or a folder: shells know best."""
ANY = "any"
"""What an option names whose value is a method of any kind, a protocol or a record."""
RECORD, PROTOCOL, STUDY = "record", "protocol", "study"


class Value(NamedTuple):
    """What an option, an argument or a parameter takes.

    Attributes:
        help: one sentence.
        names: the kind of thing that it names; empty = none.
        choices: the words that it admits; empty = any.
        flag: whether it takes no value.
        many: whether it takes several values: of a parameter a list in brackets, of an argument several words.
    """

    help: str = ""
    names: str = ""
    choices: tuple[str, ...] = ()
    flag: bool = False
    many: bool = False


class Command(NamedTuple):
    """A command: its options by flag, short ones too, and its arguments in order."""

    help: str
    options: dict[str, Value]
    arguments: tuple[Value, ...] = ()


class Named(NamedTuple):
    """A method, a protocol or a study; ``parameters`` of a method alone."""

    help: str = ""
    parameters: dict[str, Value] = {}


class Index(NamedTuple):
    """All that can be typed.

    Attributes:
        stamp: of what was installed when it was made.
        commands: by name; those of a group as ``cache list``.
        names: kind -> name -> what has it: ``names["compressor"]["pca"]``; protocols and studies are kinds too.
    """

    stamp: str
    commands: dict[str, Command]
    names: dict[str, dict[str, Named]]


def index_file() -> Path:
    """Where the index lies, by the environment alone."""
    chosen = os.environ.get("RETHINKDC_CACHE")
    if chosen:
        return Path(chosen).expanduser() / FILE
    from platformdirs import user_cache_path

    return user_cache_path("rethinkdc") / FILE


def installed_stamp() -> str:
    """Tells one state of what is installed from another, as far as a look at a few folders can."""
    folders = [Path(folder) for folder in sys.path if folder]
    changed = [f"{folder} {folder.stat().st_mtime_ns}" for folder in folders if folder.is_dir()]
    return "\n".join([sys.version, *changed])


def read_index(file: Path) -> Index | None:
    """Reads an index; None where there is none, or one that cannot be read: another is made then."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["format"] != FORMAT:
            return None
        return Index(
            str(kept["stamp"]),
            {name: _command(one) for name, one in kept["commands"].items()},
            {
                kind: {name: Named(str(one["help"]), _values(one["parameters"])) for name, one in named.items()}
                for kind, named in kept["names"].items()
            },
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def index_text(index: Index) -> str:
    """The index as :func:`read_index` reads it."""
    commands = {
        name: {
            "help": command.help,
            "options": {flag: value._asdict() for flag, value in command.options.items()},
            "arguments": [value._asdict() for value in command.arguments],
        }
        for name, command in index.commands.items()
    }
    names = {
        kind: {
            name: {"help": one.help, "parameters": {key: value._asdict() for key, value in one.parameters.items()}}
            for name, one in named.items()
        }
        for kind, named in index.names.items()
    }
    return json.dumps({"format": FORMAT, "stamp": index.stamp, "commands": commands, "names": names})


def _command(kept: dict[str, Any]) -> Command:
    return Command(str(kept["help"]), _values(kept["options"]), tuple(_value(one) for one in kept["arguments"]))


def _values(kept: dict[str, Any]) -> dict[str, Value]:
    return {str(key): _value(one) for key, one in kept.items()}


def _value(kept: dict[str, Any]) -> Value:
    return Value(
        str(kept["help"]), str(kept["names"]), tuple(map(str, kept["choices"])), bool(kept["flag"]), bool(kept["many"])
    )
