"""``rethinkdc report``: boards and figures as one page. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import ReportCall


@dataclass(frozen=True, kw_only=True)
class ReportCommand(Printed, ReportCall):
    """What the command takes beside what the function does."""


@takes_options(ReportCommand)
def report(command: ReportCommand) -> None:
    """Write boards and figures of the methods on record as one HTML page that needs no network.

    Example: rethinkdc report --out report.html
    """
    from rethinkdc.cli import tables
    from rethinkdc.reports import write_report

    done = write_report(command)
    if command.as_json:
        tables.print_json({"path": str(done.path), "bytes": done.bytes, "boards": done.boards, "figures": done.figures})
    else:
        say(f"{done.path}: {done.boards} boards, {done.figures} figures, {done.bytes / 1e6:.1f} MB")
