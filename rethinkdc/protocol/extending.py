"""Protocol files that say how they differ from another one, and the whole values that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from rethinkdc.errors import RequestError, nearest
from rethinkdc.protocol.toml_files import Place, TomlFile, parse_toml, read_toml_text

EXTENDS, WITHOUT = "extends", "without"
"""The keys of a file that extends another; the protocol that it stands for has neither."""

_OWN = {"id", "version", "summary", "status", "default", "twin", "sources"}
"""What a file never takes from the one that it extends; of sources, see :func:`_sources`."""
_LONGEST = 8
"""Files in a chain: whoever reads one must be able to follow it."""


def read_chain(path: Path) -> tuple[TomlFile, ...]:
    """The file of a protocol, the one that it extends, the one which that extends, and so on.

    Raises:
        RequestError: one cannot be read, is no TOML, is not there, or extends itself.
    """
    chain = [_read(path)]
    while EXTENDS in chain[-1].content:
        below = _find(chain[-1])
        if below.resolve() in {file.path.resolve() for file in chain}:
            names = " extends ".join(file.path.name for file in (*chain, TomlFile(below, "", {})))
            raise RequestError(f"{_where(chain[-1], (EXTENDS,))}: protocols extend each other: {names}.")
        if len(chain) == _LONGEST:
            raise RequestError(f"{path} extends a protocol that extends another, {_LONGEST} times: that is too long.")
        chain.append(_read(below))
    return tuple(chain)


def whole_content(chain: Sequence[TomlFile]) -> dict[str, Any]:
    """The values of the protocol that a chain of files stands for.

    Tables are merged, whatever else a file says takes the place of what it extends. A table whose ``name`` or ``op``
    is another one, a reference and a table by ipc are taken as they are: nothing of one optimiser is left in another.

    Raises:
        RequestError: a file is ``without`` something that is not there.
    """
    content: dict[str, Any] = {}
    for file in reversed(chain):
        own = {key: value for key, value in file.content.items() if key not in (EXTENDS, WITHOUT)}
        kept = _without(content, file)
        inherited = {key: value for key, value in kept.items() if key not in _OWN}
        sources = _sources(kept.get("sources"), own, file.content.get(WITHOUT, []))
        content = _merged(inherited, own) | ({"sources": sources} if sources is not None else {})
    return content


def line_in(chain: Sequence[TomlFile], place: Place) -> str:
    """Which file and line of a chain a value comes from, as faults begin; of what is missing, those of the first."""
    own = place[:1] and place[0] in _OWN
    said = chain[0] if own else next((file for file in chain if _holds(file.content, place)), chain[0])
    return f"{_where(said, place)}: "


def _where(file: TomlFile, place: Place) -> str:
    return f"{file.path}, line {file.line(place)}"


def _read(path: Path) -> TomlFile:
    return _parse(read_toml_text(path, "protocol file", "See `rethinkdc list-protocols`."), path)


@lru_cache(maxsize=256)
def _parse(text: str, path: Path) -> TomlFile:
    return parse_toml(text, path)


def _find(file: TomlFile) -> Path:
    """The file that another one extends: a path from its folder, or an id beside it or among the shipped ones."""
    name, where = file.content[EXTENDS], _where(file, (EXTENDS,))
    if not isinstance(name, str) or not name:
        raise RequestError(f"{where}: {EXTENDS}: expected a text, the id of a protocol or the path of its file.")
    if name.endswith(".toml"):
        return file.path.parent / Path(name).expanduser()
    shipped = {each.stem: each for each in Path(str(resources.files("rethinkdc.protocols"))).glob("*.toml")}
    beside = {each.stem: each for each in file.path.parent.glob("*.toml") if each != file.path}
    # Of two files of one name the one beside it counts: what is installed elsewhere does not change a protocol.
    known = {**shipped, **beside}
    if name not in known:
        raise RequestError(
            f"{where}: {EXTENDS} = {name!r}: no such protocol ships with rethinkdc, nor is there a file {name}.toml "
            f"beside {file.path.name}. {nearest(name, known)}"
        )
    return known[name]


def _without(content: Mapping[str, Any], file: TomlFile) -> dict[str, Any]:
    """A copy of the values without those that a file says it is without."""
    kept = _copied(content)
    asked = file.content.get(WITHOUT, [])
    if not isinstance(asked, list) or not all(isinstance(key, str) for key in asked):
        raise RequestError(f"{_where(file, (WITHOUT,))}: {WITHOUT}: expected a list of texts such as 'training.mix'.")
    if asked and EXTENDS not in file.content:
        raise RequestError(f"{_where(file, (WITHOUT,))}: {WITHOUT} is for a file that {EXTENDS} another.")
    for index, key in enumerate(asked):
        *parents, last = key.split(".")
        table: Any = kept
        for parent in parents:
            table = table.get(parent) if isinstance(table, dict) else None
        if not isinstance(table, dict) or last not in table:
            raise RequestError(
                f"{_where(file, (WITHOUT, index))}: {WITHOUT}[{index}] = {key!r}: {file.content[EXTENDS]} does not "
                f"say it. {nearest(key, ['.'.join(place) for place in _places(kept)])}"
            )
        del table[last]
    return kept


def _copied(value: Mapping[str, Any]) -> dict[str, Any]:
    """Tables anew, so that nothing is changed in a file that is kept."""
    return {key: _copied(item) if isinstance(item, dict) else item for key, item in value.items()}


def _merged(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in own.items():
        other = below.get(key)
        joined = isinstance(value, dict) and isinstance(other, dict) and not _is_another(value, other)
        merged[key] = _merged(other, value) if joined else value  # type: ignore[arg-type]
    return merged


def _is_another(value: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a table takes the place of another one, and is not merged with it."""
    if _is_one_value(value) or _is_one_value(other):
        return True
    return any(key in value and value[key] != other.get(key) for key in ("name", "op"))


def _is_one_value(table: Mapping[str, Any]) -> bool:
    """Whether a table is a reference, or one by ipc."""
    return "values" in table or any(key.isdecimal() for key in table)


def _sources(below: Any, own: Mapping[str, Any], without: Sequence[str]) -> Any:
    """A file's sources, and those of what it extends for the fields that it neither says itself nor is without.

    The source of a table is kept where the file says a part of it: its own sources are nearer to that part. Where they
    speak of more than the table, they take its place.
    """
    said = own.get("sources", {})
    if not isinstance(said, Mapping) or not isinstance(below, Mapping):
        return own.get("sources", below)
    places = list(_places({key: value for key, value in own.items() if key != "sources"}))
    places += [tuple(key.split(".")) for key in without]

    def holds(source: str) -> bool:
        place = tuple(source.split("."))
        if any(place[: len(each)] == each for each in places):
            return False
        wider = any(place[: len(each.split("."))] == tuple(each.split(".")) for each in said)
        return not (wider and any(each[: len(place)] == place for each in places))

    return {**{source: text for source, text in below.items() if holds(source)}, **said}


def _places(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The places of all values but tables."""
    for key, value in content.items():
        if isinstance(value, Mapping) and not _is_one_value(value):
            yield from ((key, *place) for place in _places(value))
        else:
            yield (key,)


def _holds(content: Any, place: Place) -> bool:
    for part in place:
        known = range(len(content)) if isinstance(content, list) else content if isinstance(content, Mapping) else ()
        if part not in known:
            return False
        content = content[part]
    return True
