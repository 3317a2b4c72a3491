"""``rethinkdc inspect``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc.cli.options import Printed, takes_options, with_bars
from rethinkdc.runs.calls import InspectCall


@dataclass(frozen=True)
class InspectCommand(Printed, InspectCall):
    """What the command takes beside what the function does."""


@takes_options(InspectCommand)
def inspect(command: InspectCommand) -> None:
    """Tell what a file or folder is, what it would be taken for, and the command that uses it.

    Example: rethinkdc inspect scores.csv --dataset digits

    Example: rethinkdc inspect res_DC_CIFAR10_ConvNet_10ipc.pt --mean 0.4914,0.4822,0.4465 --std 0.2023,0.1994,0.2010
    """
    from rethinkdc.cli.inspection_tables import print_inspection
    from rethinkdc.cli.tables import print_json
    from rethinkdc.inspection import inspect_file

    found = inspect_file(with_bars(command))
    if command.as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print_inspection(found)
