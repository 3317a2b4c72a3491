"""``rethinkdc run``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, replace

from rethinkdc.cli.options import Printed, SeveralSeeds, takes_options, with_bars
from rethinkdc.cli.saying import say
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
    from rethinkdc.cli.seed_runs import print_runs
    from rethinkdc.runs.best_threads import runner_of
    from rethinkdc.runs.exports import preview_to

    runner = runner_of(with_bars(command))
    if command.threads != runner.threads:
        say(f"--threads {command.threads}: {runner.threads} suit the student best here.", err=True)
    requests = [replace(part_of(command, Request), seed=seeds) for seeds in command.all_seeds]
    # Of several seeds the picture is of the first.
    pictures = iter([preview_to(command.preview)] if command.preview else [])
    runs = (runner.run(request, force=command.forced, seen=next(pictures, None)) for request in requests)
    print_runs(runs, command, runner, as_json=command.as_json)
