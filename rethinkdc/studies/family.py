"""Families of protocols: the settings of a few knobs under which one comparison is made again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rethinkdc.errors import nearest
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.statistics.designs import Design, choose_design
from rethinkdc.storage import canonical_json

RUN_KEYS = ("protocol", "labeler", "student")
"""What an axis may move beside the values of a protocol."""
MOST_SETTINGS = 48
"""Where a study does not say how many settings it wants at most."""
_TEACHER = "teacher"
_ALIASES = {_TEACHER: "teacher.use"}
_LONGEST = 40


@dataclass(frozen=True)
class Level:
    """One place of a knob: its name, and what it sets, by dotted keys of the protocol and by :data:`RUN_KEYS`."""

    name: str
    sets: Mapping[str, Any]


@dataclass(frozen=True)
class Knob:
    """An axis of a family, with its levels."""

    name: str
    levels: tuple[Level, ...]

    @property
    def keys(self) -> set[str]:
        """All that its levels set."""
        return {key for level in self.levels for key in level.sets}


@dataclass(frozen=True)
class Setting:
    """One place of every knob.

    Attributes:
        number: from 1.
        levels: the number of the level of each knob, from 0.
        names: the name of the level of each knob, by the knob's.
        sets: what all of them set.
    """

    number: int
    levels: tuple[int, ...]
    names: Mapping[str, str]
    sets: Mapping[str, Any]

    @property
    def overrides(self) -> dict[str, Any]:
        """The values that replace the protocol's."""
        return {key: value for key, value in self.sets.items() if key not in RUN_KEYS}

    def __str__(self) -> str:
        return ", ".join(f"{knob}={level}" for knob, level in self.names.items())


@dataclass(frozen=True)
class Family:
    """Knobs, and the design that says which settings of them are run."""

    knobs: tuple[Knob, ...]
    design: Design

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """All settings of the design, in its order."""
        return tuple(self._setting(number, row) for number, row in enumerate(self.design.rows, start=1))

    def _setting(self, number: int, row: tuple[int, ...]) -> Setting:
        chosen = {knob.name: knob.levels[place] for knob, place in zip(self.knobs, row, strict=True)}
        sets = {key: value for level in chosen.values() for key, value in level.sets.items()}
        return Setting(number, row, {name: level.name for name, level in chosen.items()}, sets)


def make_family(axes: Mapping[str, Any], most: int | None) -> Family:
    """The family of these axes, of so many settings at most; None = :data:`MOST_SETTINGS`.

    An axis that is called as a key of the protocol (``training.batch``, ``teacher``), or ``student``, ``labeler`` or
    ``protocol``, lists values of it. One of another name lists tables, which have a ``name`` and set several keys at
    once.

    Raises:
        ValueError: an axis is no list of two different levels or more, names a key that there is not, or two axes set
            one key; or so few settings do not tell the axes apart.
    """
    knobs = tuple(_read_axis(name, values) for name, values in _flat(axes))
    for place, knob in enumerate(knobs):
        for other in knobs[:place]:
            for key in sorted(knob.keys):
                if any(overlap(one, key) for one in other.keys):
                    raise ValueError(
                        f"the axes {other.name} and {knob.name} both set {key}, or what it lies in: make one axis of "
                        "named levels of them"
                    )
    most = MOST_SETTINGS if most is None else most
    try:
        design = choose_design(tuple(len(knob.levels) for knob in knobs), most)
    except ValueError as error:
        raise ValueError(f"{error}. Raise settings, or take axes or levels out") from None
    return Family(knobs, design)


def overlap(one: str, other: str) -> bool:
    """Whether two dotted keys are one, or one lies within the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted keys: TOML reads an unquoted ``training.steps = 5`` as a table within a table."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _flat(axes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, values in flatten(axes):
        if not isinstance(values, list | tuple) or len(values) < 2:
            raise ValueError(f"the axis {name} = {values!r}: expected a list of at least two levels")
        try:
            canonical_json(values)
        except TypeError as error:
            raise ValueError(f"the axis {name}: a level must be a number, a text, a list or a table; {error}") from None
        yield name, values


def _read_axis(name: str, values: list[Any]) -> Knob:
    is_key = _is_key(name)
    levels = tuple(_value_level(name, value) if is_key else _named_level(name, value) for value in values)
    short = [_shorten(level.name) for level in levels]
    if len(set(short)) == len(short):
        levels = tuple(replace(level, name=name) for level, name in zip(levels, short, strict=True))
    for what in ("name", "sets"):
        said = [canonical_json(getattr(level, what)) for level in levels]
        if double := next((one for place, one in enumerate(said) if one in said[:place]), None):
            raise ValueError(f"the axis {name} has the level {double} twice")
    return Knob(name, levels)


def _value_level(name: str, value: Any) -> Level:
    key = _ALIASES.get(name, name)
    sets = dict(flatten({key: value}))
    return Level(_spell(value), sets)


def _named_level(axis: str, level: Any) -> Level:
    known = sorted({*RUN_KEYS, *Protocol.model_fields})
    if not isinstance(level, Mapping):
        raise ValueError(
            f"the axis {axis}: {axis!r} is no value of a protocol. {nearest(axis, known)} An axis on a value within "
            f'one has a dotted name, such as "training.batch"; one of another name has tables with a name, as in '
            f'{axis} = [{{ name = "soft", labeler = "soft" }}, ...]'
        )
    name, sets = level.get("name"), {key: value for key, value in level.items() if key != "name"}
    if not isinstance(name, str) or not name:
        raise ValueError(
            f'the axis {axis}: each of its levels needs a name, as in {{ name = "soft", labeler = "soft" }}'
        )
    read = {_ALIASES.get(key, key): value for key, value in flatten(sets)}
    if wrong := next((key for key in read if not _is_key(key)), None):
        raise ValueError(f"the axis {axis}, level {name}: {wrong!r} is no key of a protocol. {nearest(wrong, known)}")
    return Level(name, read)


def _is_key(name: str) -> bool:
    return "." in name or name in RUN_KEYS or name in Protocol.model_fields


def _spell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_spell(item)}" for key, item in value.items())
    return canonical_json(value)


def _shorten(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."


__all__ = ["MOST_SETTINGS", "RUN_KEYS", "Family", "Knob", "Level", "Setting", "flatten", "make_family", "overlap"]
