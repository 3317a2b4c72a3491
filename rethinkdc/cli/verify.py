"""``rethinkdc verify``: records, computed again. Imports nothing heavy before the command is called."""

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from rethinkdc.cli.json_output import document
from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import VerifyCall

if TYPE_CHECKING:
    from rethinkdc.verification import Checked


@dataclass(frozen=True, kw_only=True)
class VerifyCommand(Printed, VerifyCall):
    """What the command takes beside what the function does."""


@takes_options(VerifyCommand)
def verify(command: VerifyCommand) -> None:
    """Compute records again: key, seal, metrics from predictions, checksums; with --replay the whole run.

    Example: rethinkdc verify records
    """
    from rethinkdc.verification import verify_records
    from rethinkdc.verification.results import as_data

    def tell(checked: "Checked") -> None:
        for line in checked.lines() if not command.as_json else ():
            say(line, colour=None if checked.holds else typer.colors.RED)

    if command.replay:
        from rethinkdc.cli.progress import Bars

        command = replace(command, progress=Bars())
    verification = verify_records(command, tell)
    if command.as_json:
        print(json.dumps(as_data(verification), indent=1), file=document())
    else:
        for gap in verification.gaps:
            say(f"{gap}.")
        say(f"{verification.summary}.")
    if not verification.holds:
        raise typer.Exit(1)
