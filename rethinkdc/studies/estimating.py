"""How long the runs of a study will take, and how much disk, from what runs on record took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from rethinkdc.runs.cost import LAST_STAGES, order_stages
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.experience import Basis, Experience
from rethinkdc.studies.sharing import Kind, Shared, shared_by

MAKING = "making"
"""Stands for the stages of a set that nobody made before."""


@dataclass(frozen=True)
class StageEstimate:
    """What one stage of a run will take.

    Attributes:
        stage: its name.
        seconds: None where no run on record is alike; 0 where everything is in the cache.
        basis: how alike the runs are that it is taken from; None where there are none, or nothing is to be done.
        keys: of these runs.
        shared: names what is made in it, for other runs too; None = it is the run's own.
    """

    stage: str
    seconds: float | None
    basis: Basis | None = None
    keys: tuple[str, ...] = ()
    shared: str | None = None


@dataclass(frozen=True)
class RunEstimate:
    """What one run will take.

    Attributes:
        key: of the run.
        stages: in the order of a run; what an earlier run of the study makes for it is not among them.
        needs: what it shares.
        disk: bytes that it will keep beside the records and in the cache; None where no run on record is alike.
    """

    key: str
    stages: tuple[StageEstimate, ...]
    needs: tuple[Shared, ...]
    disk: int | None

    @property
    def seconds(self) -> float:
        """The sum of what is known."""
        return sum(stage.seconds or 0.0 for stage in self.stages)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The stages of which nothing is known."""
        return tuple(stage.stage for stage in self.stages if stage.seconds is None)


@dataclass(frozen=True)
class Estimate:
    """What the runs of a study will take together.

    Attributes:
        runs: in their order.
        records: how many records of this kind of machine were looked at.
    """

    runs: tuple[RunEstimate, ...]
    records: int
    _by_key: Mapping[str, RunEstimate] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_key", {run.key: run for run in self.runs})

    def seconds(self, jobs: int = 1, *, of: Collection[str] | None = None) -> float:
        """Seconds by the clock with so many processes, of what is known: at least those of the longest run.

        Args:
            jobs: processes side by side.
            of: keys of the runs that are meant; None = all.
        """
        known = [run.seconds for run in self.runs if of is None or run.key in of]
        return max(sum(known) / jobs, max(known, default=0.0))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The keys of the runs of which a stage is not known."""
        return tuple(run.key for run in self.runs if run.unknown)

    @property
    def disk(self) -> tuple[int, int]:
        """Bytes of what is known, and of how many runs nothing is."""
        known = [run.disk for run in self.runs if run.disk is not None]
        return sum(known), len(self.runs) - len(known)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the runs on record that it is taken from."""
        return tuple(sorted({key for run in self.runs for stage in run.stages for key in stage.keys}))

    def of(self, key: str) -> RunEstimate:
        """The estimate of one run."""
        return self._by_key[key]


def estimate(runs: Iterable[Run], experience: Experience, runner: Runner) -> Estimate:
    """Estimates runs by stage: from runs of the same method, labels, protocol and size, else of the same protocol.

    What several runs share counts once, in the first of them, and not at all where the cache has it.

    Args:
        runs: those that are to be carried out, in their order.
        experience: of runs on record.
        runner: would carry them out: its cache has what is shared already.
    """
    made: set[str] = set()
    listed = []
    for run in runs:
        needs = _needed(run, experience, runner)
        stages = tuple(_stages(run, needs, experience, made))
        missing = [shared.kind for shared in needs if not shared.cached and shared.key not in made]
        disk = _disk(run, missing, experience.of_method(run.definition), runner)
        listed.append(RunEstimate(run.key, stages, needs, disk))
        made |= {shared.key for shared in needs}
    return Estimate(tuple(listed), experience.count)


def _needed(run: Run, experience: Experience, runner: Runner) -> tuple[Shared, ...]:
    """What the run shares; a proxy only where the past runs of its method asked one."""
    stages = experience.stages(run.definition)
    asks = stages is not None and "proxy" in stages
    shared = shared_by(run, runner.registry, runner.cache)
    return tuple(each for each in shared if each.kind != "proxies" or asks)


def _stages(run: Run, needs: tuple[Shared, ...], experience: Experience, made: set[str]) -> Iterator[StageEstimate]:
    definition = run.definition
    there = {shared.key for shared in needs if shared.cached} | made
    whole = next((shared.key for shared in needs if shared.kind == "sets"), None)
    has_set = whole is None or whole in there
    known = experience.stages(definition) if run.compressor else experience.labelling(definition)
    stages = {*(known or experience.labelling(definition)), *LAST_STAGES}
    if known is None and not has_set:
        yield StageEstimate(MAKING, None, shared=whole)
    for stage in order_stages(stages):
        shared = _made_in(stage, needs, has_set)
        if stage in LAST_STAGES:
            yield _estimate_stage(stage, run, experience)
        elif shared:
            missing = [each for each in shared if each.key not in there]
            if missing:
                found = _estimate_stage(stage, run, experience, shared=missing[0].key)
                part = len(missing) / len(shared)
                yield replace(found, seconds=found.seconds if found.seconds is None else found.seconds * part)
        elif not has_set:
            yield _estimate_stage(stage, run, experience, shared=whole)


def _made_in(stage: str, needs: tuple[Shared, ...], has_set: bool) -> list[Shared]:
    """The artefacts that a stage makes: none of those that only a set needs which is there."""
    kinds: dict[str, Kind] = {"proxy": "proxies", "teacher": "teachers"}
    return [shared for shared in needs if shared.kind == kinds.get(stage) and (shared.of_labels or not has_set)]


def _estimate_stage(stage: str, run: Run, experience: Experience, shared: str | None = None) -> StageEstimate:
    alike = experience.look_up(stage, run.definition)
    if alike is None:
        return StageEstimate(stage, None, shared=shared)
    return StageEstimate(stage, alike.seconds, alike.basis, alike.keys, shared)


def _disk(run: Run, missing: Sequence[Kind], alike: Sequence[Record], runner: Runner) -> int | None:
    """Bytes of what like runs keep beside the records, and of what the cache lacks as it was made with their seeds."""
    if not alike:
        return None
    kept = median(_kept_bytes(record, runner.records) for record in alike)
    sizes: dict[Kind, list[int]] = {}
    for record in alike if missing else ():
        for shared in shared_by(replace(run, seeds=record.definition.seeds), runner.registry, runner.cache):
            if folder := runner.cache.holds(shared.kind, shared.key):
                sizes.setdefault(shared.kind, []).append(_folder_bytes(folder))
    if any(kind not in sizes for kind in missing):
        return None
    return int(kept + sum(median(sizes[kind]) for kind in missing))


def _kept_bytes(record: Record, records: Records) -> int:
    file = records.path(record.key, record.attempt)
    beside = record.predictions.bytes if record.predictions else 0
    return beside + (file.stat().st_size if file.is_file() else 0)


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
