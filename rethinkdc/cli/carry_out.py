"""``rethinkdc carry-out``: units of a sweep. Imports nothing heavy before the command is called."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rethinkdc.cli.options import takes_options
from rethinkdc.cli.saying import say
from rethinkdc.offline import connection
from rethinkdc.runs.options import Option, Options

if TYPE_CHECKING:
    from rethinkdc.studies.standing import Ended


@dataclass(frozen=True)
class CarryOutCommand(Options):
    """What the command takes."""

    file: Annotated[Path, Option("JSON file of runs, as `sweep --engine` writes it.", argument="FILE", typed=Path)]
    with_parent: Annotated[bool, Option("End when the process ends that started this one.")] = field(
        default=False, kw_only=True
    )


@takes_options(CarryOutCommand)
def carry_out(command: CarryOutCommand) -> None:
    """Carry out the runs of a file, beside other processes that do the same: what engines start.

    Each run is made once, and ends on record. A process that is ended keeps its work: whoever takes the run next goes
    on from there. Example: rethinkdc carry-out units.json
    """
    import os
    import signal

    from rethinkdc import interruption
    from rethinkdc.cli import sweep_tables
    from rethinkdc.runs.machine import make_runner
    from rethinkdc.studies.taking import take_units
    from rethinkdc.studies.units import read_workload
    from rethinkdc.studies.workers import end_with

    if command.with_parent:
        end_with(os.getppid())
        # Engines start processes of theirs, and so this one, with signals held back that are to end it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interruption.SIGNALS)
        # A cluster's warning to the process that started this one, which then asks this one to end.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    file = Path(command.file).absolute()
    workload = read_workload(file)
    if os.path.isdir(workload.folder):  # noqa: PTH112 - does not raise where this user may not look
        os.chdir(workload.folder)

    def report(ended: "Ended") -> None:
        say(sweep_tables.ending(ended))

    with connection(workload.machine.offline):
        take_units(file, workload, make_runner(workload.machine, workload.keeping), report)
