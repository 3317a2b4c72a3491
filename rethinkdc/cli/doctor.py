"""``rethinkdc doctor``. Imports nothing heavy before the command is called."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rethinkdc.cli.json_output import document
from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import CacheFolder
from rethinkdc.runs.options import Option

if TYPE_CHECKING:
    from rethinkdc.doctor.finding import Finding

_MARKS = {"fine": ("ok", None), "notice": ("note", typer.colors.YELLOW), "fault": ("FAULT", typer.colors.RED)}


@dataclass(frozen=True, kw_only=True)
class DoctorCommand(Printed):
    """What ``doctor`` takes."""

    cache_dir: CacheFolder = None
    records: Annotated[
        str | Path | None,
        Option("Folder of records; default: RETHINKDC_RECORDS, else ./records.", typed=Path),
    ] = None


@takes_options(DoctorCommand)
def doctor(command: DoctorCommand) -> None:
    """Look at this machine and this installation, and say what is wrong with the command that mends it.

    Exit code 1 where something will not work. Nothing is trained, fetched or changed.

    Example: rethinkdc doctor
    """
    from rethinkdc.doctor.examine import examine

    found = list["Finding"]()
    for one in examine(command.cache_dir, command.records):
        found.append(one)
        if not command.as_json:
            _print(one)
    faults = sum(one.verdict == "fault" for one in found)
    if command.as_json:
        print(json.dumps({"findings": [asdict(one) for one in found], "faults": faults}, indent=1), file=document())
    else:
        say(f"{faults} faults: each is named above with what mends it." if faults else "Everything works.")
    if faults:
        raise typer.Exit(1)


def _print(one: "Finding") -> None:
    word, colour = _MARKS[one.verdict]
    say(f"{word:>5}  {one.about}: {one.told}", colour=colour)
    if one.mend:
        say(f"       -> {one.mend}")
