"""The points of a study: every combination of the values of its axes, but for those that it excludes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.request import parse_seeds
from rethinkdc.seeds import Seeds
from rethinkdc.studies.axes import Axes
from rethinkdc.studies.family import Setting, flatten
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.study import Exclusion, Study


@dataclass(frozen=True)
class Point:
    """One value of each axis; None where it is open.

    Attributes:
        where: the study, and the block in it.
        study: what the run shares with the others.
        listed_ipc: every ``ipc`` of its block.
        setting: of the study's family of protocols; None where it has none.
    """

    where: str
    study: Study
    compressor: str | StudySet
    labeler: str
    protocol: str | None
    student: str | None
    ipc: int | None
    keep: float | None
    seeds: Seeds
    overrides: Mapping[str, Any]
    listed_ipc: tuple[int, ...]
    setting: Setting | None = None

    def __str__(self) -> str:
        sizes = (f", ipc {self.ipc}" if self.ipc else "") + (f", keep {self.keep:g}" if self.keep else "")
        where = f"{self.where}, setting {self.setting.number} ({self.setting})" if self.setting else self.where
        return f"{where}, compressor {str(self.compressor)!r}, labeler {self.labeler!r}{sizes}"


@dataclass(frozen=True)
class Expansion:
    """The points of a study in its order, and what is wrong with its seeds and its exclusions."""

    points: list[Point]
    faults: list[str]


def expand(study: Study, name: str, registry: Registry) -> Expansion:
    """Lists the points of a study: those of included studies first, then its own.

    Args:
        study: what to list.
        name: what errors call it.
        registry: knows which references mean one method.
    """
    return _expand(study, name, registry, {})


def _expand(study: Study, name: str, registry: Registry, known: dict[str, Expansion]) -> Expansion:
    """As :func:`expand`; of a study that several include, the points are the same ones and stand once."""
    points, faults = [], []
    for included in study.include:
        if included.name not in known:
            known[included.name] = _expand(included.study, included.name, registry, known)
        points += known[included.name].points
        faults += known[included.name].faults
    points, faults = list({id(point): point for point in points}.values()), list(dict.fromkeys(faults))
    for number, block in enumerate(study.blocks(), start=1):
        where = f"{name}, block {number} of [[runs]]" if study.runs else name
        try:
            points += _points(study, block, where)
        except RequestError as error:
            faults.append(f"{where}: {error}")
    for number, exclusion in enumerate(study.exclude, start=1):
        try:
            kept = [point for point in points if not _excludes(exclusion, point, registry)]
        except RequestError as error:
            faults.append(f"{name}, entry {number} of exclude: {error}")
            continue
        if len(kept) == len(points):
            said = ", ".join(f"{key} = {_show(value)}" for key, value in exclusion.values.items())
            faults.append(
                f"{name}, entry {number} of exclude: no run has {said}. Each value must stand in its axis; "
                "an axis that the study leaves open has none."
            )
        points = kept
    return Expansion(points, faults)


def _points(study: Study, block: Axes, where: str) -> Iterator[Point]:
    seeds = _with_students(_read_seeds(block.seeds), study.students_per_set)
    sizes: list[tuple[int | None, float | None]] = [(ipc, None) for ipc in block.ipc]
    sizes = [*sizes, *((None, keep) for keep in block.keep)] or [(None, None)]
    rows = product(block.protocols, block.students, block.overrides, sizes, block.labelers, block.compressors)
    for protocol, student, overrides, (ipc, keep), labeler, compressor in rows:
        for chosen in _differing(seeds) if isinstance(compressor, StudySet) else seeds:
            yield Point(
                where=where,
                study=study,
                compressor=compressor,
                labeler=labeler,
                protocol=protocol,
                student=student,
                ipc=ipc,
                keep=keep,
                seeds=chosen,
                overrides=dict(flatten(overrides)),
                listed_ipc=block.ipc,
                setting=block.setting,
            )


def _read_seeds(given: tuple[int, ...] | str | None) -> list[Seeds]:
    return parse_seeds(",".join(map(str, given)) if isinstance(given, tuple) else given)


def _with_students(seeds: list[Seeds], count: int) -> list[Seeds]:
    """The same, each with so many students; the first is that of the seeds themselves, and none is any other's."""
    apart = max(each.student for each in seeds) + 1
    return [
        each.model_copy(update={"student": each.student + apart * number}) for each in seeds for number in range(count)
    ]


def _differing(seeds: list[Seeds]) -> list[Seeds]:
    """Of seeds that give a finished set the same labels and the same student, the first."""
    return list({(each.teacher, each.labels, each.student): each for each in reversed(seeds)}.values())[::-1]


def _excludes(exclusion: Exclusion, point: Point, registry: Registry) -> bool:
    same = partial(_is_same, registry)
    has: dict[str, Callable[[Any], bool]] = {
        "compressor": lambda value: same("compressor", value, point.compressor),
        "labeler": lambda value: same("labeler", value, point.labeler),
        "student": lambda value: point.student is not None and same("model", value, point.student),
        "protocol": lambda value: value == point.protocol,
        "ipc": lambda value: value == point.ipc,
        "keep": lambda value: value == point.keep,
        "seed": lambda value: _read_seeds((value,) if isinstance(value, int) else value) == [point.seeds],
        "overrides": lambda value: dict(flatten(value)) == point.overrides,
    }
    return all(has[name](value) for name, value in exclusion.values.items())


def _is_same(registry: Registry, kind: str, one: str | StudySet, other: str | StudySet) -> bool:
    """Whether two entries name one set, or one method however it is spelled."""
    if isinstance(one, StudySet) or isinstance(other, StudySet):
        return isinstance(one, StudySet) and isinstance(other, StudySet) and one.set == other.set
    return one == other or _spell(registry, kind, one) == _spell(registry, kind, other)


def _spell(registry: Registry, kind: str, text: str) -> str:
    """The canonical spelling; what cannot be read is told where it is resolved."""
    try:
        return registry.label(registry.build(kind, text))
    except RequestError:
        return text


def _show(value: Any) -> str:
    return str(value) if isinstance(value, StudySet | dict) else repr(value)
