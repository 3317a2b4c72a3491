"""``rethinkdc evaluate``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, replace
from pathlib import Path

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
    from rethinkdc.cli import tables
    from rethinkdc.registry.registry import Registry
    from rethinkdc.runs.finished import evaluate_set
    from rethinkdc.runs.records import Records

    call = with_bars(command)
    ended = [evaluate_set(replace(call, seed=seeds)) for seeds in command.all_seeds]
    if command.as_json:
        tables.print_json([record.model_dump(mode="json") for record, _ in ended])
        return
    records = Records(Path(command.records) if command.records else None)
    for record, existed in ended:
        tables.print_run(record, records, existed=existed)
    tables.print_summary([record for record, _ in ended], records, Registry())
