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
    from rethinkdc.cli import seed_lines, tables
    from rethinkdc.cli.baseline import command_of_random
    from rethinkdc.runs.comparison import difference_to_random
    from rethinkdc.runs.evaluating import evaluate_set
    from rethinkdc.runs.machine import make_runner

    call, runner = with_bars(command), make_runner(command, command)
    records, differences = [], []
    for seeds in command.all_seeds:
        record, existed = evaluate_set(replace(call, seed=seeds))
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
