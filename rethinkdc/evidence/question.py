"""A question: a study whose parts have names, and what its runs came to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.outcome import Counted, Outcome
from rethinkdc.measurement import Metric
from rethinkdc.runs.record import Record
from rethinkdc.runs.resolving import Run
from rethinkdc.runs.runner import Runner
from rethinkdc.storage import write_atomic
from rethinkdc.studies.planning import runs_of
from rethinkdc.studies.standing import Ended, Standing, standings_of
from rethinkdc.studies.study import Block, Study
from rethinkdc.studies.sweep import Elsewhere, carry_out
from rethinkdc.studies.writing import write_study

P = TypeVar("P", bound=Hashable)

STUDY_FILE = "study.toml"


@dataclass(frozen=True)
class Question(Generic[P]):
    """What is asked, as a study.

    Attributes:
        study: all its runs; sweeping it makes the same.
        parts: the runs of each part, which differ in seeds alone.
        folder: where the study and the answer go.
        later: parts that are run after all others.
        by_part: whether a part is done before the next begins; otherwise all have one seed before any has two.
    """

    study: Study
    parts: Mapping[P, tuple[Run, ...]]
    folder: Path
    later: Collection[P] = ()
    by_part: bool = False

    @property
    def runs(self) -> list[Run]:
        """Every run once, so that answers come soonest: the first seed of all parts, then the second, or by part."""
        ordered = sorted(
            (
                (part in self.later, *((place, number) if self.by_part else (number, place)), run)
                for place, (part, runs) in enumerate(self.parts.items())
                for number, run in enumerate(runs)
            ),
            key=lambda one: one[:3],
        )
        return list({_name(run): run for *_, run in ordered}.values())

    def name_part(self, run: Run) -> str:
        """What the question calls a run: its part, or the first of them."""
        return next(str(part) for part, runs in self.parts.items() if any(_name(one) == _name(run) for one in runs))

    def standings(self, runner: Runner) -> list[Standing]:
        """How every run stands, in the order in which they are made; what this machine made comes before the rest."""
        return standings_of(self.runs, runner.records, runner.machine)

    def write(self) -> Path:
        """Writes the study; an older one of the same question is replaced.

        Raises:
            StorageError: it cannot be written.
        """
        file = self.folder / STUDY_FILE
        write_atomic(file, write_study(self.study).encode(), "the study")
        return file


def make_runs(
    question: Question[P],
    runner: Runner,
    *,
    jobs: int,
    elsewhere: Elsewhere | None = None,
    mine: Collection[Run] | None = None,
) -> Progressing[P]:
    """Writes the study, makes what is not on record, or only what is ``mine`` of it, and tells nobody."""
    question.write()
    known = Progressing(question, question.standings(runner), mine)
    known.carry_out(runner, lambda *_: None, jobs=jobs, elsewhere=elsewhere)
    return known


@dataclass
class Progressing(Generic[P]):
    """A question whose runs are being made: what is known of them so far.

    Attributes:
        question: whose.
        standings: all runs, as they stood at the beginning.
        mine: the runs that this process makes; None = all that are not on record.
        records: of the runs that ended, now or before.
    """

    question: Question[P]
    standings: list[Standing]
    mine: Collection[Run] | None = None
    records: dict[str, Record] = field(init=False)

    def __post_init__(self) -> None:
        """Begins with what is on record."""
        self.records = {_name(one.run): one.record for one in self.standings if one.record}

    @property
    def remaining(self) -> list[Standing]:
        """The runs that a sweep makes."""
        mine = None if self.mine is None else {_name(run) for run in self.mine}
        return [one for one in self.standings if one.remains() and (mine is None or _name(one.run) in mine)]

    def carry_out(
        self,
        runner: Runner,
        report: Callable[[Standing, Ended], None],
        *,
        jobs: int,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Makes what is not on record; ``report`` is called as each run ends, when its record is known here."""

        def keep(standing: Standing, ended: Ended) -> None:
            self.records[_name(standing.run)] = ended.record
            report(standing, ended)

        carry_out(self.remaining, runner, keep, jobs=jobs, elsewhere=elsewhere)

    def record_of(self, run: Run) -> Record | None:
        """The record of a run, as far as there is one."""
        return self.records.get(_name(run))

    def outcome(self, part: P, metric: Metric) -> Outcome:
        """What the runs of a part came to so far."""
        values: dict[int, float] = {}
        missing: dict[int, str] = {}
        keys = []
        machines = set()
        for run in self.question.parts[part]:
            record = self.record_of(run)
            if record and metric.name in record.results:
                values[run.seeds.student] = record.results[metric.name]
                keys.append(record.key)
                machines.add(record.machine)
            else:
                missing[run.seeds.student] = record.reason if record else "not run yet"
        return Outcome(values, missing, tuple(keys), tuple(sorted(machines)))


def pose(
    study: Study, blocks: Mapping[P, Block], runner: Runner, folder: Path, name: str, later: Collection[P] = ()
) -> Question[P]:
    """Resolves every part of a question; nothing is computed.

    Args:
        study: what all parts share; its own blocks do not count.
        blocks: of each part; one compressor, labeler, student and size each.
        runner: finds the methods.
        folder: where the answer goes.
        name: what errors call the question.
        later: parts that are run after all others.

    Raises:
        RequestError: an unknown name or a wrong value.
    """
    parts = {
        part: tuple(runs_of(replace(study, runs=(block,)), name, runner.registry, runner.cache))
        for part, block in blocks.items()
    }
    return Question(replace(study, runs=_joined(list(blocks.values()))), parts, folder, later)


def conditions_of(run: Run, metric: Metric, digest: str | None = None) -> Conditions:
    """What all runs beside this one share.

    Args:
        run: one of a size, under the protocol as it is written.
        metric: what is compared.
        digest: of the protocol as it is written; None = the run's.
    """
    assert run.ipc is not None
    return Conditions(
        dataset=run.names.dataset,
        protocol=run.names.protocol,
        protocol_digest=digest or run.protocol.digest,
        ipc=run.ipc,
        metric=metric,
    )


def counted_of(run: Run) -> Counted:
    """What several seeds of a run are: sets, or students of the one set that there is."""
    return "students" if run.compressor is None or run.ipc is None else "sets"


def main_metric(run: Run) -> Metric:
    """What the run's evaluator names first."""
    return run.evaluator.metrics[0]


def _name(run: Run) -> str:
    """Tells runs apart: of one whose set is not here yet nobody knows the key, but where the set lies."""
    return f"{run.finished} {run.key}" if run.awaits_set else run.key


def _joined(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Blocks that differ in the compressor alone become one, in the order of the first of each."""
    joined: dict[str, Block] = {}
    for block in blocks:
        alike = repr(replace(block, compressors=None))
        before = joined[alike].compressors or () if alike in joined else ()
        new = [made for made in block.compressors or () if made not in before]
        joined[alike] = replace(block, compressors=(*before, *new))
    return tuple(joined.values())


__all__ = ["STUDY_FILE", "Progressing", "Question", "conditions_of", "counted_of", "main_metric", "make_runs", "pose"]
