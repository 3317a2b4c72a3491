"""From a study to its runs: resolved and checked, before anything is computed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

from rethinkdc.context.cache import Cache
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import PluginError, RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest, FinishedRequest
from rethinkdc.runs.finished import resolve
from rethinkdc.runs.ground import Grounds
from rethinkdc.runs.identity import identify_set
from rethinkdc.runs.options import part_of
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.points import Point, expand
from rethinkdc.studies.sets import StudySet
from rethinkdc.studies.shards import read_shard, runs_in
from rethinkdc.studies.study import Study

_MOST_FAULTS = 20


def runs_of(study: Study, name: object, registry: Registry, cache: Cache) -> list[Run]:
    """Resolves every run of a study, each once, in the study's order; see :func:`runs_by_point`.

    Raises:
        RequestError: unknown names and wrong values, one line for each, with the study and the entry that holds it.
    """
    runs: dict[str, Run] = {}
    for _, run in runs_by_point(study, name, registry, cache):
        runs.setdefault(run.key, run)
    return list(runs.values())


def runs_by_point(study: Study, name: object, registry: Registry, cache: Cache) -> list[tuple[Point, Run]]:
    """Resolves every point of a study, in its order; nothing is computed.

    A finished set that is not known yet is read once; one of the hub that is not here is not fetched.

    Args:
        study: what to run.
        name: what errors call the study.
        registry: finds the methods.
        cache: knows fingerprints of datasets and sets seen before.

    Raises:
        RequestError: unknown names and wrong values, one line for each, with the study and the entry that holds it.
    """
    expansion, grounds = expand(study, str(name), registry), Grounds(registry, cache)
    # What is asked for again and again is looked at once: a folder of many files takes seconds.
    identify = lru_cache(maxsize=None)(partial(identify_set, cache_folder=cache.root))
    runs: list[tuple[Point, Run]] = []
    faults: dict[str, list[Point]] = {}
    for point in expansion.points:
        try:
            asked = _request(point, registry)
            known = identify(asked.finished) if isinstance(asked, FinishedRequest) else None
            run = resolve(asked, registry, cache, identity=known, grounds=grounds)
        except RequestError as error:
            faults.setdefault(_explain(error, point), []).append(point)
            continue
        _tell_size(run, point)
        runs.append((point, run))
    if expansion.faults or faults:
        raise RequestError("\n".join([*expansion.faults, *_list(faults)]))
    if not runs:
        raise RequestError(f"{name}: exclude leaves no run. Take out an entry of it.")
    return runs


def wanted_runs(study: Study, name: object, shard: str | None, runner: Runner) -> list[Run]:
    """The runs of a study, or of one of its shards; see :func:`runs_of`.

    Raises:
        RequestError: the study has unknown or wrong values, or there is no such shard.
    """
    wanted = None if shard is None else read_shard(shard)
    runs = runs_of(study, name, runner.registry, runner.cache)
    return runs if wanted is None else runs_in(wanted, runs)


def _request(point: Point, registry: Registry) -> AnyRequest:
    made, study = point.compressor, point.study
    budgeted = not isinstance(made, StudySet) and registry.build(Compressor, made).budgeted
    request = part_of(
        study,
        Request,
        compressor="" if isinstance(made, StudySet) else made,
        labeler=point.labeler,
        protocol=point.protocol,
        student=point.student,
        # The whole training set and a finished set have a size of their own: beside budgets they are run once.
        ipc=point.ipc if budgeted else None,
        keep=point.keep if budgeted else None,
        seed=point.seeds,
        overrides=point.overrides,
        setting=_tell_setting(point),
    )
    return FinishedRequest(made.finished, request) if isinstance(made, StudySet) else request


def _tell_setting(point: Point) -> str:
    """Which setting of which family the run is, for its record; empty where the study has none."""
    if point.setting is None:
        return ""
    # Never the path of somebody's machine.
    family = Path(point.where).stem if point.where.endswith(".toml") else point.where
    return f"{family}, setting {point.setting.number}: {point.setting}"


def _tell_size(run: Run, point: Point) -> None:
    if run.finished and not run.awaits_set and point.listed_ipc and run.size.ipc not in point.listed_ipc:
        listed = ", ".join(map(str, point.listed_ipc))
        warnings.warn(
            f"{point.where}: the set {run.names.compressor} has {run.names.ipc} images per class; ipc lists {listed}. "
            "It stands under its own.",
            stacklevel=3,
        )


def _explain(error: RequestError, point: Point) -> str:
    made = point.compressor
    if isinstance(error, PluginError) and isinstance(made, str) and f"Unknown compressor {made!r}" in str(error):
        return f"{error} If it is a finished set, write its path, as in './{made}', or its hub id."
    return str(error)


def _list(faults: Mapping[str, list[Point]]) -> list[str]:
    """One line for each fault, with the first run that has it."""
    lines = [
        f"{points[0]}: {fault}" + (f" (So have {len(points) - 1:,} more runs.)" if len(points) > 1 else "")
        for fault, points in faults.items()
    ]
    more = len(lines) - _MOST_FAULTS
    return [*lines[:_MOST_FAULTS], *([f"And {more:,} faults more."] if more > 0 else [])]
