"""Runs that differ in their seeds, printed as they end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from rethinkdc import ranks
from rethinkdc.cli import seed_lines, tables
from rethinkdc.cli.baseline import command_of_random
from rethinkdc.cli.options import SeveralSeeds
from rethinkdc.runs.comparison import difference_to_random
from rethinkdc.runs.record import Record
from rethinkdc.runs.runner import Runner


def print_runs(runs: Iterable[tuple[Record, bool]], command: SeveralSeeds, runner: Runner, *, as_json: bool) -> None:
    """Prints a table of one run; of several a line each, and what they say together.

    Args:
        runs: their records, and whether each existed before; made as they are asked for.
        command: what asked for them.
        runner: made them.
        as_json: print the records, when all are there.
    """
    if not ranks.leads():
        # They are made as they are asked for, by all ranks together.
        for _ in runs:
            pass
        return
    records, differences = [], []
    for record, spent in _timed(runs):
        records.append(record)
        if as_json:
            continue
        if len(command.all_seeds) == 1:
            tables.print_run(record, runner.records, spent=spent)
            tables.print_beside_random(record, runner.records, runner.registry)
            continue
        differences.append(difference_to_random(record, runner.records, runner.registry))
        seed_lines.print_seed(record, runner.records, differences[-1], spent=spent)
    if as_json:
        tables.print_json([record.model_dump(mode="json") for record in records])
    elif len(records) > 1:
        missing = [record for record, difference in zip(records, differences, strict=True) if difference is None]
        seed_lines.print_comparison(records, differences, command_of_random(command, missing, runner))


def _timed(runs: Iterable[tuple[Record, bool]]) -> Iterator[tuple[Record, float | None]]:
    """Each record with the seconds that its run took now; None for one that existed before."""
    begun = time.perf_counter()
    for record, existed in runs:
        yield record, None if existed else time.perf_counter() - begun
        begun = time.perf_counter()


__all__ = ["print_runs"]
