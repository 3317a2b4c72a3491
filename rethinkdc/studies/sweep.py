"""Sweeps: the runs of a study, in this process, in several, or over an engine, each ending on record."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import wait

from rethinkdc import interruption, ranks
from rethinkdc.errors import RequestError
from rethinkdc.runs.device import spread_device
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.elsewhere import Elsewhere, Report, carry_out_elsewhere
from rethinkdc.studies.estimating import estimate
from rethinkdc.studies.experience import recall
from rethinkdc.studies.needs import Candidate, choose, needs_of
from rethinkdc.studies.standing import Ended, Standing, name_run, standings_of
from rethinkdc.studies.watching import Stage, StageProgress, SweepView, watch
from rethinkdc.studies.workers import StartError, Waiting, Worker, stop_all

_STARTS = 3
"""Workers that may end in a row before they have started, until that costs a run."""


def carry_out(
    standings: list[Standing], runner: Runner, report: Report, *, jobs: int = 1, elsewhere: Elsewhere | None = None
) -> None:
    """Carries runs out; each ends on record whatever happens in it, and the others go on.

    Results do not depend on ``jobs``, on the engine nor on the order. With ``jobs`` > 1, or a time limit, a script must
    call this below ``if __name__ == "__main__":``, since worker processes import it.

    Args:
        standings: what to run.
        runner: carries them out; worker processes get one like it. Its progress watches, where it can show a sweep.
        report: called in this process as each run ends.
        jobs: processes side by side.
        elsewhere: the engine whose processes make the runs; None = this process and its own do.

    Raises:
        RethinkError: worker processes cannot be started.
        RequestError: records cannot be written, or several ranks were started for it.
        StorageError: a file cannot be written, as on a full disk, which ends them all at once; runs that were going on
            are not recorded, and go on from what is kept.
    """
    if ranks.world() > 1:
        raise RequestError("Ranks share a set's parts, not the runs of a study: start the sweep once, with --jobs N.")
    if not standings:
        return
    jobs = min(elsewhere.slots if elsewhere else jobs, len(standings))
    with watch(runner.progress, standings, jobs) as view:
        if view.wants_stages:
            view.expect(_expected(standings, runner))
        if elsewhere:
            carry_out_elsewhere(standings, runner, report, view, elsewhere)
        elif jobs > 1 or runner.time_limit is not None:
            # What never comes back to Python can be ended in a process of its own alone.
            _in_processes(list(standings), runner, report, view, jobs)
        else:
            _in_this_process(standings, runner, report, view)


def _expected(standings: list[Standing], runner: Runner) -> dict[str, float]:
    """The seconds of each run of which records of this kind of machine tell all stages."""
    past = recall(runner.records, device=runner.device.type, threads=runner.threads)
    estimated = estimate([standing.run for standing in standings], past, runner)
    return {run.key: run.seconds for run in estimated.runs if not run.unknown}


def _in_this_process(standings: list[Standing], runner: Runner, report: Report, view: SweepView) -> None:
    waiting = _Waiting(standings, runner)
    while waiting:
        standing = waiting.take([])
        view.began(standing)
        telling = StageProgress(partial(view.advanced, standing))
        carrier = replace(runner, progress=telling) if view.wants_stages else runner
        started = time.perf_counter()
        record, _ = carrier.attempt(standing.run.asked)
        ended = Ended(record, time.perf_counter() - started)
        view.ended(standing, ended)
        report(standing, ended)


class _Waiting:
    """The runs of a sweep that have not begun, in their order."""

    def __init__(self, standings: list[Standing], runner: Runner) -> None:
        self._standings, self._runner = list(standings), runner
        self._known: dict[int, Candidate[Standing]] = {}

    def __len__(self) -> int:
        return len(self._standings)

    def take(self, running: Sequence[Standing]) -> Standing:
        """The run to begin beside those that go on here: one that waits for nothing that anybody makes, if there is."""
        waiting = map(self._candidate, self._standings)
        found = choose(waiting, [self._candidate(standing) for standing in running], self._runner.cache)
        assert found is not None
        self._standings.remove(found[0].about)
        return found[0].about

    def _candidate(self, standing: Standing) -> Candidate[Standing]:
        if id(standing) not in self._known:
            run = standing.run
            needs = needs_of(run, self._runner.registry, self._runner.cache)
            self._known[id(standing)] = Candidate(standing, None if run.awaits_set else run.key, needs)
        return self._known[id(standing)]


def _in_processes(waiting: list[Standing], runner: Runner, report: Report, view: SweepView, jobs: int) -> None:
    crew = _Crew(_Waiting(waiting, runner), runner, report, view)
    try:
        crew.hire(jobs)
        while crew.workers:
            soonest = min(worker.deadline for worker in crew.workers) - time.perf_counter()
            patience = None if soonest == math.inf else max(0.0, soonest)
            ready = wait([worker.connection for worker in crew.workers], patience)
            for worker in crew.workers:
                if worker.deadline <= time.perf_counter():
                    worker.end_overdue()
            for worker in [worker for worker in crew.workers if worker.connection in ready]:
                crew.hear(worker)
    except KeyboardInterrupt:
        for standing, told in crew.stop():
            interruption.add(f"{name_run(standing.run.names, standing.run.seeds)}: {told}")
        raise
    finally:
        crew.stop()


@dataclass
class _Crew:
    """The worker processes of a sweep, and the runs that wait for one.

    Attributes:
        lost: how many ended in a row before they had started.
    """

    waiting: _Waiting
    runner: Runner
    report: Report
    view: SweepView
    workers: list[Worker] = field(default_factory=list)
    worked: bool = False
    lost: int = 0

    def hire(self, count: int = 1) -> None:
        """Starts workers."""
        for _ in range(count):
            device = spread_device(self.runner.device, [worker.runner.device for worker in self.workers])
            self.workers.append(Worker(replace(self.runner, device=device), tells=self.view.wants_stages))

    def hear(self, worker: Worker) -> None:
        """Takes what a worker says, and gives it its next run; another comes in the place of one that has ended."""
        standing = worker.standing
        try:
            answer = worker.answer()
        except StartError as error:
            self.workers.remove(worker)
            worker.kill()
            self._make_up_for(error)
            return
        if isinstance(answer, Stage | Waiting):
            if standing and isinstance(answer, Stage):
                self.view.advanced(standing, answer)
            return
        if standing and answer:
            self.view.ended(standing, answer)
            self.report(standing, answer)
        if standing is None:
            # It has started.
            self.worked, self.lost = True, 0
        if self.waiting and worker.process.is_alive():
            chosen = self.waiting.take([other.standing for other in self.workers if other.standing])
            worker.begin(chosen)
            self.view.began(chosen)
            return
        self.workers.remove(worker)
        worker.dismiss()
        if self.waiting:
            self.hire()

    def _make_up_for(self, error: StartError) -> None:
        """Another worker in place of one that did not start; where none does any more, that costs a run.

        Raises:
            StartError: no worker has ever started, and none will.
        """
        self.lost += 1
        if not self.worked and (not error.by_signal or self.lost >= _STARTS):
            raise error
        if self.lost >= _STARTS and self.waiting:
            standing, self.lost = self.waiting.take([]), 0
            reason = f"No process could be started for it in {_STARTS} tries: the last one {error.how}"
            ended = Ended(self.runner.record_end(standing.run, "failed", f"{reason}; was there enough memory?"), 0.0)
            self.view.began(standing)
            self.view.ended(standing, ended)
            self.report(standing, ended)
        if self.waiting:
            self.hire()

    def stop(self) -> list[tuple[Standing, str]]:
        """Ends all workers, and tells what is kept of the runs that were going on."""
        told, self.workers = stop_all(self.workers), []
        return told


__all__ = ["Elsewhere", "Ended", "Report", "Standing", "carry_out", "standings_of"]
