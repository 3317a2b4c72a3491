"""``rethinkdc trace``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc import ranks
from rethinkdc.cli.options import Printed, takes_options, with_bars
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import TraceCall


@dataclass(frozen=True)
class TraceCommand(Printed, TraceCall):
    """What the command takes beside what the function does."""


@takes_options(TraceCommand)
def trace(command: TraceCommand) -> None:
    """Write the trace of the protocol's proxy, which every score of training dynamics can read.

    Example: rethinkdc trace --out trace-digits
    """
    from rethinkdc.cli import tables
    from rethinkdc.runs.exports import write_trace

    about = write_trace(with_bars(command))
    if not ranks.leads():
        return
    if command.as_json:
        tables.print_json(about)
        return
    say(f"Wrote {about['epochs']} epochs of {about['rows']:,} rows to {command.out}.")
    say(f"Score from it with: rethinkdc score --score el2n:trace={command.out} --out FILE")
