"""Sweeps: the runs of a study, in this process or in several, each ending on record."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import wait

from rethinkdc.context import ranks
from rethinkdc.errors import RequestError
from rethinkdc.runs.runner import Runner
from rethinkdc.studies.standing import Ended, Standing, standings_of
from rethinkdc.studies.workers import Worker

Report = Callable[[Standing, Ended], None]


def carry_out(standings: list[Standing], runner: Runner, report: Report, *, jobs: int = 1) -> None:
    """Carries runs out; each ends on record whatever happens in it, and the others go on.

    Results do not depend on ``jobs`` nor on the order. With ``jobs`` > 1 a script must call this below
    ``if __name__ == "__main__":``, since worker processes import it.

    Args:
        standings: what to run.
        runner: carries them out; worker processes get one like it.
        report: called in this process as each run ends.
        jobs: processes side by side.

    Raises:
        RethinkError: worker processes cannot be started.
        RequestError: a record cannot be written, or several ranks were started for it.
    """
    if ranks.world() > 1:
        raise RequestError("Ranks share a set's parts, not the runs of a study: start the sweep once, with --jobs N.")
    if jobs > 1 and len(standings) > 1:
        _in_processes(list(standings), runner, report, jobs)
        return
    for standing in standings:
        started = time.perf_counter()
        record, _ = runner.attempt(standing.run.asked)
        report(standing, Ended(record, time.perf_counter() - started))


def next_standing(waiting: list[Standing], running: list[Standing]) -> Standing:
    """Chooses the first run whose proxy no running one uses, so that no process waits for another; else the first."""
    busy = {standing.proxy for standing in running}
    return next((standing for standing in waiting if standing.proxy not in busy), waiting[0])


def _in_processes(waiting: list[Standing], runner: Runner, report: Report, jobs: int) -> None:
    workers = [Worker(runner) for _ in range(min(jobs, len(waiting)))]
    try:
        while workers:
            ready = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in ready]:
                standing, ended = worker.standing, worker.answer()
                if standing and ended:
                    report(standing, ended)
                if waiting and not worker.process.is_alive():
                    workers[workers.index(worker)] = Worker(runner)
                    worker.stop()
                elif waiting:
                    chosen = next_standing(waiting, [other.standing for other in workers if other.standing])
                    waiting.remove(chosen)
                    worker.begin(chosen)
                else:
                    workers.remove(worker)
                    worker.stop()
    finally:
        for worker in workers:
            worker.stop()


__all__ = ["Ended", "Report", "Standing", "carry_out", "next_standing", "standings_of"]
