"""``rethinkdc parity``: published values beside records. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from typing import Annotated, Literal

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.runs.calls import ParityCall
from rethinkdc.runs.options import Option


@dataclass(frozen=True, kw_only=True)
class ParityCommand(Printed, ParityCall):
    """What the command takes beside what the function does."""

    form: Annotated[
        Literal["rich", "md", "json"],
        Option("rich and md are tables; json holds all numbers, as fractions.", flag="--format", short="-f"),
    ] = "rich"


@takes_options(ParityCommand)
def parity(command: ParityCommand) -> None:
    """Put what authors report, under their own evaluation, beside what is on record, and name what differs.

    Example: rethinkdc parity --measured --format md
    """
    from rethinkdc.boards.claims import compare_claims
    from rethinkdc.cli.parity_tables import print_claims

    print_claims(compare_claims(command), "json" if command.as_json else command.form)
