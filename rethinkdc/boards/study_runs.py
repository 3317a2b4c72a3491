"""The runs of a study, and the published values that belong beside them, as boards need both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.reported import Reported, load_reported
from rethinkdc.studies.study import Study


@dataclass(frozen=True)
class StudyRuns:
    """What a study asks for.

    Attributes:
        name: of the study.
        keys: of its runs.
        reported: published values, methods and students spelled as records print them.
    """

    name: str
    keys: frozenset[str]
    reported: tuple[Reported, ...]


def open_study_runs(name: str | Path) -> StudyRuns:
    """Resolves the runs of a study, and reads the values that it and those it includes have as reported.

    Raises:
        RequestError: there is no such study, or it has unknown or wrong values.
    """
    study, registry = load_study(name), Registry()
    runs = runs_of(study, name, registry, Cache())
    sets = {str(run.finished.images): run.names.compressor for run in runs if run.finished}
    values = dict.fromkeys(value for file in _reported(study) for value in load_reported(file))
    reported = (spell_value(value, registry, sets.get(value.set or "")) for value in values)
    return StudyRuns(str(name), frozenset(run.key for run in runs), tuple(reported))


def _reported(study: Study) -> list[str]:
    """The files of a study's published values, after those of the studies that it includes."""
    files, seen = [], set()

    def visit(one: Study) -> None:
        for included in one.include:
            if included.name not in seen:
                seen.add(included.name)
                visit(included.study)
        if one.reported is not None:
            files.append(one.reported)

    visit(study)
    return files


def spell_value(value: Reported, registry: Registry, known_set: str | None = None) -> Reported:
    """The same, as records print it; what is not installed stays as it is."""
    return replace(
        value,
        set=known_set or value.set,
        compressor=_label(registry, "compressor", value.compressor),
        labeler=_label(registry, "labeler", value.labeler),
        student=_label(registry, "model", value.student) or _usual_student(registry, value.protocol),
    )


def _usual_student(registry: Registry, protocol: str) -> str | None:
    try:
        return str(registry.protocols.find(protocol).student.model)
    except RequestError:
        return None


def _label(registry: Registry, kind: str, text: str | None) -> str | None:
    try:
        return text and registry.label(registry.build(kind, text))
    except RequestError:
        return text
