"""``rethinkdc evaluate``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, replace

from rethinkdc.cli.options import Printed, SeveralSeeds, takes_options, with_bars
from rethinkdc.runs.calls import EvaluateCall


@dataclass(frozen=True)
class EvaluateCommand(Printed, EvaluateCall, SeveralSeeds):
    """What the command takes beside what the function does."""


@takes_options(EvaluateCommand)
def evaluate(command: EvaluateCommand) -> None:
    """Train and test a student on a finished compressed set, made here or elsewhere.

    Example: rethinkdc evaluate pca-digits

    Example: rethinkdc evaluate res_DM_CIFAR10_ConvNet_10ipc.pt --mean 0.4914,0.4822,0.4465 --std 0.2023,0.1994,0.2010
    """
    from rethinkdc.cli.seed_runs import print_runs
    from rethinkdc.runs.evaluating import evaluate_set
    from rethinkdc.runs.machine import make_runner

    call, runner = with_bars(command), make_runner(command, command)
    runs = (evaluate_set(replace(call, seed=seeds)) for seeds in command.all_seeds)
    print_runs(runs, command, runner, as_json=command.as_json)
