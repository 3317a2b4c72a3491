"""Published values: what papers report, read as typed values that stand beside what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from rethinkdc.choices import Track
from rethinkdc.errors import RequestError
from rethinkdc.protocol.faults import list_faults
from rethinkdc.protocol.toml_files import TomlFile, read_toml
from rethinkdc.reference import parse_reference
from rethinkdc.studies.shipped import find_shipped, shipped_reported

_Text = Annotated[str, Field(min_length=1)]
_STRICT = ConfigDict(extra="forbid")
_ONE_OF = (("compressor", "set"), ("labeler", "track"), ("ipc", "keep"))
"""Fields of which a value has one alone: a row that says one of them takes no other from the top of its file."""
_NEEDED = (("compressor", "set"), ("labeler", "track"), ("dataset",), ("protocol",), ("source",))


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class _Said:
    compressor: _Text | None = None
    set: _Text | None = None
    labeler: _Text | None = None
    track: Track | None = None
    dataset: _Text | None = None
    protocol: _Text | None = None
    ipc: Annotated[int, Field(strict=True, ge=1)] | None = None
    keep: Annotated[float, Field(gt=0, le=1)] | None = None
    student: _Text | None = None
    metric: _Text | None = None
    sd: Annotated[float, Field(ge=0)] | None = None
    n: Annotated[int, Field(strict=True, ge=1)] | None = None
    source: _Text | None = None
    conditions: str | None = None
    reliable: Annotated[bool, Field(strict=True)] | None = None


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class _Row(_Said):
    value: float


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class _File(_Said):
    title: str = ""
    values: Annotated[tuple[_Row, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Reported:
    """One published value, and under which conditions it was measured.

    Attributes:
        compressor: what made the set, as studies spell it; None where ``set`` names it.
        set: a set that was published, by the name or hub id that studies give it.
        labeler: what labelled it, as studies spell it; None where only the track is known.
        track: ``hard``, ``static``, ``stored`` or ``online``, where the labeler has no name here.
        dataset: its name.
        protocol: id of the protocol that is nearest to the paper's.
        ipc: images per class; with ``keep`` open too, the whole training set.
        keep: share of the training set, in 0..1.
        student: the network that was trained; None = the protocol's.
        metric: what was measured.
        value: the result; of an accuracy a fraction.
        sd: its published standard deviation, in the same unit.
        n: runs that ``value`` and ``sd`` are of.
        source: paper and table.
        conditions: how they differ from the protocol's; empty = they are the same.
        reliable: whether the source leaves no doubt about the value.
    """

    compressor: str | None
    set: str | None
    labeler: str | None
    track: Track | None
    dataset: str
    protocol: str
    ipc: int | None
    keep: float | None
    student: str | None
    metric: str
    value: float
    sd: float | None
    n: int | None
    source: str
    conditions: str
    reliable: bool

    @property
    def size(self) -> str:
        """``ipc 10``, ``keep 0.3``, ``ipc full``."""
        return f"ipc {self.ipc or 'full'}" if self.keep is None else f"keep {self.keep:g}"


def load_reported(name: str | Path) -> tuple[Reported, ...]:
    """Reads published values by the path of their file, or by the name of a shipped one; in the file's order.

    The values stand in ``[[values]]``; what the top of the file says holds for all of them that do not say it.

    Raises:
        RequestError: there is no such file, or it has unknown, wrong or missing values; one line for each.
    """
    path = find_shipped(str(name), shipped_reported(), "file of published values")
    file = read_toml(path, "file of published values", "Give the path of a .toml file, or the name of a shipped one.")
    try:
        said = TypeAdapter(_File).validate_python(file.content)
    except ValidationError as error:
        faults = list_faults(error, file.content, _File, lambda place: f"{path}, line {file.line(place)}: ")
        raise RequestError("\n".join([f"{path} holds no published values:", *faults])) from None
    whole = [_complete(said, row) for row in said.values]
    faults = [fault for index, values in enumerate(whole) for fault in _faults(values, index, file)]
    if faults:
        raise RequestError("\n".join([f"{path} holds no published values:", *faults]))
    return tuple(Reported(**values) for values in whole)


def _complete(top: _Said, row: _Row) -> dict[str, Any]:
    """A row with what it takes from the top of its file, and the defaults of what neither says."""
    values = {field.name: getattr(row, field.name) for field in fields(Reported)}
    taken = [names for names in _ONE_OF if any(values[name] is not None for name in names)]
    for field in fields(_Said):
        if values[field.name] is None and not any(field.name in names for names in taken):
            values[field.name] = getattr(top, field.name)
    defaults: dict[str, Any] = {"metric": "top1", "conditions": "", "reliable": True}
    return {name: defaults.get(name) if value is None else value for name, value in values.items()}


def _faults(values: Mapping[str, Any], index: int, file: TomlFile) -> list[str]:
    """What is wrong with a whole value beyond the types of its fields."""
    where = f"{file.path}, line {file.line(('values', index))}: values[{index}]"
    found = [
        f"{where} names no {' and no '.join(names)}; say it in the row, or for all rows at the top."
        for names in _NEEDED
        if all(values[name] is None for name in names)
    ]
    found += [
        f"{where} has both {first} = {values[first]!r} and {second} = {values[second]!r}: leave one out."
        for first, second in _ONE_OF
        if values[first] is not None and values[second] is not None
    ]
    found += [
        f"{where}: {name} = {values[name]:g}: a fraction is needed, such as {example}."
        for name, example in (("value", "0.465 for 46.5 %"), ("sd", "0.003 for 0.3 %"))
        if values["metric"].startswith("top") and values[name] is not None and not 0 <= values[name] <= 1
    ]
    spelled = {name: _misspelled(values[name]) for name in ("compressor", "labeler", "student") if values[name]}
    return found + [f"{where}: {name}: {fault}" for name, fault in spelled.items() if fault]


def _misspelled(text: str) -> str:
    """What is wrong with a reference; empty = nothing."""
    try:
        parse_reference(text)
    except RequestError as error:
        return str(error)
    return ""


__all__ = ["Reported", "load_reported"]
