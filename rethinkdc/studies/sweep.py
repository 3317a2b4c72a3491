"""Sweeps: the runs of a study, in this process or in several, each ending on record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait

from rethinkdc.context import ranks
from rethinkdc.errors import RequestError
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.estimating import estimate
from rethinkdc.studies.experience import recall
from rethinkdc.studies.standing import Ended, Standing, standings_of
from rethinkdc.studies.watching import Stage, StageProgress, SweepView, watch
from rethinkdc.studies.workers import Waiting, Worker

Report = Callable[[Standing, Ended], None]


def carry_out(standings: list[Standing], runner: Runner, report: Report, *, jobs: int = 1) -> None:
    """Carries runs out; each ends on record whatever happens in it, and the others go on.

    Results do not depend on ``jobs`` nor on the order. With ``jobs`` > 1 a script must call this below
    ``if __name__ == "__main__":``, since worker processes import it.

    Args:
        standings: what to run.
        runner: carries them out; worker processes get one like it. Its progress watches, where it can show a sweep.
        report: called in this process as each run ends.
        jobs: processes side by side.

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
    jobs = min(jobs, len(standings))
    with watch(runner.progress, standings, jobs) as view:
        if view.wants_stages:
            view.expect(_expected(standings, runner))
        if jobs > 1:
            _in_processes(list(standings), runner, report, view, jobs)
        else:
            _in_this_process(standings, runner, report, view)


def _expected(standings: list[Standing], runner: Runner) -> dict[str, float]:
    """The seconds of each run of which records of this kind of machine tell all stages."""
    past = recall(runner.records, device=runner.device.type, threads=runner.threads)
    estimated = estimate([standing.run for standing in standings], past, runner)
    return {run.key: run.seconds for run in estimated.runs if not run.unknown}


def next_standing(waiting: list[Standing], running: list[Standing]) -> Standing:
    """Chooses the first run whose proxy no running one uses, so that no process waits for another; else the first."""
    busy = {standing.proxy for standing in running}
    return next((standing for standing in waiting if standing.proxy not in busy), waiting[0])


def _in_this_process(standings: list[Standing], runner: Runner, report: Report, view: SweepView) -> None:
    for standing in standings:
        view.began(standing)
        telling = StageProgress(partial(view.advanced, standing))
        carrier = replace(runner, progress=telling) if view.wants_stages else runner
        started = time.perf_counter()
        record, _ = carrier.attempt(standing.run.asked)
        ended = Ended(record, time.perf_counter() - started)
        view.ended(standing, ended)
        report(standing, ended)


def _in_processes(waiting: list[Standing], runner: Runner, report: Report, view: SweepView, jobs: int) -> None:
    workers = [Worker(runner, tells=view.wants_stages) for _ in range(jobs)]
    try:
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                standing, answer = worker.standing, worker.answer()
                if isinstance(answer, Stage | Waiting):
                    if standing and isinstance(answer, Stage):
                        view.advanced(standing, answer)
                    continue
                if standing and answer:
                    view.ended(standing, answer)
                    report(standing, answer)
                if waiting and not worker.process.is_alive():
                    workers[workers.index(worker)] = Worker(runner, tells=view.wants_stages)
                    worker.stop()
                elif waiting:
                    chosen = next_standing(waiting, [other.standing for other in workers if other.standing])
                    waiting.remove(chosen)
                    worker.begin(chosen)
                    view.began(chosen)
                else:
                    workers.remove(worker)
                    worker.stop()
    finally:
        for worker in workers:
            worker.stop()


__all__ = ["Ended", "Report", "Standing", "carry_out", "next_standing", "standings_of"]
