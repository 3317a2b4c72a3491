"""What fits at the cursor: commands, options, and values down to the parameters of nested methods."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from rethinkdc.completion.index import ANY, PATH, RECORD, Command, Index, Named, Value
from rethinkdc.completion.line import Line

_MOST_RECORDS = 200
_OPEN = ("=", ":", "[", "/")
"""What a word ends with that goes on."""


class Candidate(NamedTuple):
    """A word that fits, whole, with what it is."""

    word: str
    help: str = ""

    @property
    def ends(self) -> bool:
        """Whether the next word may begin behind it."""
        return not self.word.endswith(_OPEN)


def find_candidates(index: Index, line: Line) -> list[Candidate]:
    """What fits at the cursor, in order; empty where files are meant, or nothing is known."""
    typed = list(line.words[1:])
    command, rest = _command_of(index, typed)
    if command is None:
        begun = " ".join(typed)
        groups = {name[len(begun) :].split()[0] for name in index.commands if name.startswith(begun and f"{begun} ")}
        return _fitting(line.word, (Candidate(name, _help_of(index, begun, name)) for name in sorted(groups)))
    waiting = _waiting(command, rest)
    records = _records_folder(command, rest)
    if waiting is not None:
        return list(_values(index, waiting, line.word, records))
    if line.word.startswith("--") and "=" in line.word:
        flag, _, begun = line.word.partition("=")
        found = _values(index, command.options.get(flag, Value()), begun, records)
        return [Candidate(f"{flag}={one.word}", one.help) for one in found]
    if line.word.startswith("-"):
        given = {word.partition("=")[0] for word in rest}
        free = {flag: value for flag, value in command.options.items() if flag not in given or value.many}
        return _fitting(line.word, (Candidate(flag, value.help) for flag, value in free.items()))
    place = _argument(command, rest)
    return [] if place is None else list(_values(index, place, line.word, records))


def _help_of(index: Index, begun: str, name: str) -> str:
    command = index.commands.get(f"{begun} {name}".strip())
    return command.help if command else ""


def _command_of(index: Index, typed: list[str]) -> tuple[Command | None, list[str]]:
    """The command that is named, behind options of every command, and the words behind it."""
    for place in range(len(typed)):
        for end in (place + 2, place + 1):
            if command := index.commands.get(" ".join(typed[place:end])):
                return command, typed[end:]
    return None, []


def _waiting(command: Command, rest: list[str]) -> Value | None:
    """The option whose value stands at the cursor."""
    value = command.options.get(rest[-1]) if rest else None
    return None if value is None or value.flag else value


def _argument(command: Command, rest: list[str]) -> Value | None:
    """The argument that stands at the cursor."""
    count, skip = 0, False
    for word in rest:
        option = command.options.get(word)
        if not skip and option is None and not word.startswith("-"):
            count += 1
        skip = not skip and option is not None and not option.flag
    if count < len(command.arguments):
        return command.arguments[count]
    last = command.arguments[-1] if command.arguments else None
    return last if last and last.many else None


def _records_folder(command: Command, rest: list[str]) -> Path:
    given = [value for flag, value in pairwise(rest) if flag == "--records"]
    given += [word.partition("=")[2] for word in rest if word.startswith("--records=")]
    chosen = given[-1] if given and "--records" in command.options else os.environ.get("RETHINKDC_RECORDS")
    return Path(chosen or "records").expanduser()


def _values(index: Index, value: Value, begun: str, records: Path) -> Iterator[Candidate]:
    """What fits an option, an argument or a parameter."""
    if value.choices:
        yield from _fitting(begun, (Candidate(choice) for choice in value.choices))
    elif value.names in (RECORD, ANY):
        yield from _fitting(begun, _records(records))
    if value.names == ANY:
        every = {name: one for kind in index.names.values() for name, one in kind.items()}
        yield from _references(index, every, begun)
    elif value.names and value.names not in (PATH, RECORD):
        yield from _references(index, index.names.get(value.names, {}), begun)


def _references(index: Index, known: dict[str, Named], begun: str) -> Iterator[Candidate]:
    """What fits a reference: names, or parameters of the one that is named, or their values."""
    name, colon, values = begun.partition(":")
    if not colon:
        yield from _fitting(begun, (Candidate(key, one.help) for key, one in known.items()))
    elif name in known:
        parameters = known[name].parameters
        before, last = _last_part(values)
        head = f"{name}:{before}"
        key, equals, inner = last.partition("=")
        if not equals:
            given = {part.partition("=")[0] for part in before.split(",")}
            free = (Candidate(f"{head}{one}=", parameters[one].help) for one in parameters if one not in given)
            yield from _fitting(begun, free)
        elif key in parameters:
            found = _parameter_values(index, parameters[key], inner)
            yield from (Candidate(f"{head}{key}={one.word}", one.help) for one in found)


def _parameter_values(index: Index, value: Value, begun: str) -> Iterator[Candidate]:
    """What fits behind ``key=``: a word, a name, or names and whole references in brackets."""
    if not value.names or not begun.startswith("["):
        bracket = value.names and value.many and not begun
        yield from [Candidate("[")] if bracket else _values(index, value, begun, Path())
        return
    before, last = _last_part(begun[1:])
    known = index.names.get(value.names, {})
    yield from (Candidate(f"[{before}{one.word}", one.help) for one in _references(index, known, last))
    # Behind a comma the next name may stand, or the next parameter of the one before.
    if ":" in before and ":" not in last:
        names, _, given = before.rpartition(":")
        head = f"{names.rpartition(',')[2]}:{given}"
        found = _references(index, known, f"{head}{last}")
        yield from (Candidate(f"[{before}{one.word.removeprefix(head)}", one.help) for one in found)


def _last_part(values: str) -> tuple[str, str]:
    """Parts what lies behind the last comma that stands in no bracket."""
    depth, cut = 0, 0
    for place, letter in enumerate(values):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            cut = place + 1
    return values[:cut], values[cut:]


def _records(folder: Path) -> list[Candidate]:
    try:
        with os.scandir(folder) as entries:
            keys = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError:
        return []
    return [Candidate(key, RECORD) for key in keys[:_MOST_RECORDS]]


def _fitting(begun: str, candidates: Iterable[Candidate]) -> list[Candidate]:
    return [one for one in candidates if one.word.startswith(begun)]


__all__ = ["Candidate", "find_candidates"]
