"""The question how far a comparison hangs on its protocol: posed as a study with axes, answered from its records."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rethinkdc.errors import RequestError, RethinkError
from rethinkdc.evidence.calls import RobustCall
from rethinkdc.evidence.question import Progressing, Question, main_metric
from rethinkdc.evidence.sensitivity import Sensitivity, measure_sensitivity
from rethinkdc.evidence.survey import Cell, SettingResult, Survey
from rethinkdc.runs.prediction_files import per_image, read_arrays
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.family import Family, Setting
from rethinkdc.studies.opening import open_study
from rethinkdc.studies.planning import runs_by_point
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.shards import read_shard, runs_in

_LEAST_SETS = 2


@dataclass(frozen=True)
class Trial:
    """A part of a survey: a method under a setting, by the setting's number."""

    setting: int
    method: str

    def __str__(self) -> str:
        return f"setting {self.setting}, {self.method}"


@dataclass(frozen=True)
class FamilyQuestion(Question[Trial]):
    """A survey as it is asked.

    Attributes:
        name: of the family.
        family: its knobs and settings.
    """

    name: str = ""
    family: Family | None = None


def ask_sensitivity(call: RobustCall, runner: Runner) -> FamilyQuestion:
    """Poses the question; nothing is trained. One setting is done before the next begins.

    Raises:
        RequestError: the study has no axes, names finished or full sets, fewer than two methods or fewer than two sets
            of one; or two settings are one experiment.
    """
    study, given = open_study(call)
    name = Path(given).stem if given.endswith(".toml") else given
    family = study.family
    if family is None:
        raise RequestError(
            f"{given} declares no family of protocols: robust needs [axes], such as training.batch = [16, 64] and "
            'student = ["convnet", "resnet-light"], below it. `rethinkdc sweep` makes the runs of other studies.'
        )
    runs: dict[Trial, list[Run]] = defaultdict(list)
    for point, run in runs_by_point(study, given, runner.registry, runner.cache):
        assert point.setting is not None
        if isinstance(point.compressor, StudySet) or run.ipc is None:
            raise RequestError(
                f"{given}: {run.names.compressor} is one set, and robust needs {_LEAST_SETS} of each method, so that "
                "what sets differ by is not taken for what settings do. Name methods that make sets."
            )
        runs[Trial(point.setting.number, run.names.compressor)].append(run)
    _check(given, family, runs)
    folder = Path(call.out) if call.out else Path("evidence") / re.sub(r"[^\w.=-]+", "-", f"robust-{Path(name).name}")
    return FamilyQuestion(
        study,
        {trial: tuple(found) for trial, found in runs.items()},
        folder,
        by_part=True,
        name=name,
        family=family,
    )


def runs_to_make(question: FamilyQuestion, call: RobustCall) -> list[Run] | None:
    """The runs that a call makes where they are not on record: a shard's, or none; None = all.

    Raises:
        RequestError: there is no such shard.
    """
    if call.on_record:
        return []
    return None if call.shard is None else runs_in(read_shard(call.shard), question.runs)


def answer_sensitivity(known: Progressing[Trial], records: Records) -> Sensitivity:
    """The answer from what is known so far; reads the predictions beside the records.

    Args:
        known: the question and its records.
        records: the folder in which they lie.
    """
    question = known.question
    assert isinstance(question, FamilyQuestion)
    survey = _survey(question, known)

    def images_of(setting: int, method: str) -> NDArray[np.float32] | None:
        found = [known.record_of(run) for run in question.parts[Trial(setting, method)]]
        images = [_read_images(record, survey.metric.name, records) for record in found if record]
        told = [one for one in images if one is not None]
        if len(told) < len(found) or len({len(one) for one in told}) > 1:
            return None
        return np.stack(told, axis=1).reshape(-1, len(survey.sets), survey.students)

    return measure_sensitivity(survey, images_of)


def _survey(question: FamilyQuestion, known: Progressing[Trial]) -> Survey:
    assert question.family is not None
    family, first = question.family, next(iter(question.parts.values()))
    metric = main_metric(first[0])
    seeds = [run.seeds for run in first]
    sets = tuple(dict.fromkeys(each.set for each in seeds))
    methods = tuple(dict.fromkeys(trial.method for trial in question.parts))
    machines = {record.machine for record in known.records.values() if record.results}
    assert first[0].ipc is not None
    return Survey(
        family=question.name,
        dataset=first[0].names.dataset,
        ipc=first[0].ipc,
        metric=metric,
        design=str(family.design),
        grid=family.design.grid,
        resolution=family.design.resolution,
        knobs={knob.name: tuple(level.name for level in knob.levels) for knob in family.knobs},
        methods=methods,
        sets=sets,
        students=len(seeds) // len(sets),
        settings=tuple(_setting(setting, methods, question, known, metric.name) for setting in family.settings),
        machines=tuple(sorted(machines)),
    )


def _setting(
    setting: Setting, methods: Sequence[str], question: FamilyQuestion, known: Progressing[Trial], metric: str
) -> SettingResult:
    runs = {method: question.parts[Trial(setting.number, method)] for method in methods}
    run = runs[methods[0]][0]
    return SettingResult(
        number=setting.number,
        levels=setting.levels,
        names=setting.names,
        protocol=run.names.protocol,
        protocol_digest=run.protocol.digest,
        overrides=run.request.overrides,
        student=run.names.student,
        labeler=run.names.labeler,
        cells={method: _cell([(run, known.record_of(run)) for run in found], metric) for method, found in runs.items()},
    )


def _cell(found: Sequence[tuple[Run, Record | None]], metric: str) -> Cell:
    values, missing, keys = dict[str, float](), dict[str, str](), list[str]()
    for run, record in found:
        seeds = f"{run.seeds.set}/{run.seeds.student}"
        if record and metric in record.results:
            values[seeds] = record.results[metric]
            keys.append(record.key)
        else:
            missing[seeds] = record.reason if record else "not run yet"
    return Cell(values, missing, tuple(keys))


def _read_images(record: Record, metric: str, records: Records) -> NDArray[np.float32] | None:
    if record.predictions is None:
        return None
    try:
        arrays = read_arrays(record.predictions, records.folder / record.key)
    except RethinkError:
        # Whoever looks for what is wrong with them asks `verify`.
        return None
    found = per_image(arrays, metric)
    return None if found is None else found.astype(np.float32)


def _check(study: str, family: Family, runs: Mapping[Trial, Sequence[Run]]) -> None:
    first = next(iter(runs.values()))
    methods = {trial.method for trial in runs}
    if len(methods) < 2:
        raise RequestError(f"{study}: robust compares methods, and the study names {', '.join(methods)} alone.")
    sets = {run.seeds.set for run in first}
    if len(sets) < _LEAST_SETS:
        raise RequestError(
            f"{study}: its seeds give {len(sets)} set of each method, and robust needs {_LEAST_SETS} at least: with "
            "one, what a set is worth is taken for what a setting does. Write seeds = [0, 1] or more."
        )
    for setting in family.settings:
        of_setting = [run for trial, found in runs.items() if trial.setting == setting.number for run in found]
        soft = [key for key in setting.overrides if key.partition(".")[0] == "soft"]
        if soft and of_setting[0].labeler.track == "hard":
            raise RequestError(
                f"{study}, setting {setting.number} ({setting}): {soft[0]} does nothing under hard labels, so that "
                "settings would count twice. Make it part of the levels of the labels, as in { name = "
                f'"soft, 4", labeler = "soft", {soft[0]} = 4.0 }}.'
            )
    _check_distinct(study, family, runs)


def _check_distinct(study: str, family: Family, runs: Mapping[Trial, Sequence[Run]]) -> None:
    seen: dict[frozenset[str], Setting] = {}
    for setting in family.settings:
        keys = frozenset(run.key for trial, found in runs.items() if trial.setting == setting.number for run in found)
        if keys in seen:
            raise RequestError(
                f"{study}: the settings {seen[keys].number} ({seen[keys]}) and {setting.number} ({setting}) are one "
                "experiment, which would count twice. Take out the axis or the level that changes nothing."
            )
        seen[keys] = setting


__all__ = ["FamilyQuestion", "Trial", "answer_sensitivity", "ask_sensitivity", "runs_to_make"]
