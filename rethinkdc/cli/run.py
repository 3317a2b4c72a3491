"""``rethinkdc run``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, replace

from rethinkdc.cli.options import Printed, SeveralSeeds, takes_options, with_bars
from rethinkdc.context import ranks
from rethinkdc.runs.calls import RunCall
from rethinkdc.runs.options import part_of
from rethinkdc.runs.request import Request


@dataclass(frozen=True, kw_only=True)
class RunCommand(Printed, RunCall, SeveralSeeds):
    """What the command takes beside what the function does."""


@takes_options(RunCommand)
def run(command: RunCommand) -> None:
    """Make a compressed set, label it, train and test a student, and write the record.

    Example: rethinkdc run --compressor pca --labeler hard --seeds 0,1,2
    """
    from rethinkdc.cli import seed_lines, tables
    from rethinkdc.cli.baseline import command_of_random
    from rethinkdc.runs.comparison import difference_to_random
    from rethinkdc.runs.exports import preview_to
    from rethinkdc.runs.machine import make_runner

    runner = make_runner(with_bars(command), command)
    requests = [replace(part_of(command, Request), seed=seeds) for seeds in command.all_seeds]
    if not ranks.leads():
        for index, request in enumerate(requests):
            runner.take_part(request, force=command.force or (command.preview is not None and not index))
        return
    # Of several seeds the picture is of the first.
    write_picture = preview_to(command.preview) if command.preview else None
    records, differences = [], []
    for index, request in enumerate(requests):
        record, existed = runner.run(request, force=command.force, seen=None if index else write_picture)
        records.append(record)
        if command.as_json:
            continue
        if len(command.all_seeds) == 1:
            tables.print_run(record, runner.records, existed=existed)
            tables.print_beside_random(record, runner.records, runner.registry)
            continue
        differences.append(difference_to_random(record, runner.records, runner.registry))
        seed_lines.print_seed(record, runner.records, differences[-1])
    if command.as_json:
        tables.print_json([record.model_dump(mode="json") for record in records])
    elif len(records) > 1:
        missing = [record for record, difference in zip(records, differences, strict=True) if difference is None]
        seed_lines.print_comparison(records, differences, command_of_random(command, missing, runner))
