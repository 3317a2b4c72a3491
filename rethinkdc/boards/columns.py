"""Entries by columns: of equal values one is kept, in memory as in a file, since the runs of a folder share most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from pydantic import TypeAdapter

from rethinkdc.boards.entry import Entry


class Stamp(NamedTuple):
    """By which a file is known to be the same: its size in bytes, its times in nanoseconds, its inode."""

    size: int
    modified: int
    changed: int
    inode: int


class Indexed(NamedTuple):
    """An entry, and the file that it was made of."""

    stamp: Stamp
    entry: Entry


class Shared:
    """Gives entries whose equal values are one object: thousands of them take little memory."""

    def __init__(self) -> None:
        self._known: list[dict[bytes, Any]] = [{} for _ in _fields()]

    def of(self, entry: Entry) -> Entry:
        """The same entry, of values that are held already where there are equal ones."""
        values = (
            (known, one, getattr(entry, name))
            for known, (name, one) in zip(self._known, _fields().items(), strict=True)
        )
        return Entry(*(known.setdefault(one.dump_json(value), value) for known, one, value in values))


def write_columns(entries: Mapping[str, Indexed]) -> Iterator[bytes]:
    """Entries, by the name of their file, as lines of JSON: one of names, one of stamps, and one for each field."""
    yield _adapter(list[str]).dump_json(list(entries))
    yield _adapter(list[Stamp]).dump_json([one.stamp for one in entries.values()])
    for name, one in _fields().items():
        distinct, places = _part((getattr(indexed.entry, name) for indexed in entries.values()), one)
        # Of values that are JSON already.
        yield b"[[%b],%b]" % (b",".join(distinct), _adapter(list[int]).dump_json(places))


def read_columns(lines: Sequence[bytes]) -> dict[str, Indexed]:
    """What :func:`write_columns` wrote; equal values are one object.

    Raises:
        ValueError: it was written otherwise.
        IndexError: the same.
    """
    names, stamps, *rest = lines
    read = (_columns()[name].validate_json(line) for name, line in zip(_fields(), rest, strict=True))
    columns = [[values[place] for place in places] for values, places in read]
    return {
        name: Indexed(stamp, Entry(*values))
        for name, stamp, values in zip(
            _adapter(list[str]).validate_json(names),
            _adapter(list[Stamp]).validate_json(stamps),
            zip(*columns, strict=True),
            strict=True,
        )
    }


def form_of_columns() -> Any:
    """What must be the same for columns to be read: names and types of all that entries hold."""
    return [{name: one.json_schema() for name, one in _fields().items()}, list(Stamp._fields)]


def _part(values: Iterable[Any], one: TypeAdapter[Any]) -> tuple[list[bytes], list[int]]:
    """The distinct values of a field as JSON, and which of them each entry has."""
    distinct: dict[bytes, int] = {}
    places = [distinct.setdefault(one.dump_json(value), len(distinct)) for value in values]
    return list(distinct), places


@cache
def _fields() -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(kind) for name, kind in get_type_hints(Entry).items()}


@cache
def _columns() -> dict[str, TypeAdapter[tuple[list[Any], list[int]]]]:
    return {name: TypeAdapter(tuple[list[kind], list[int]]) for name, kind in get_type_hints(Entry).items()}  # type: ignore[valid-type]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
