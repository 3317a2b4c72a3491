"""``rethinkdc leaderboard``: boards of the records in a folder. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.runs.calls import LeaderboardCall
from rethinkdc.runs.options import Option


class Format(str, Enum):
    """How boards are printed."""

    rich = "rich"
    md = "md"
    csv = "csv"
    json = "json"


@dataclass(frozen=True, kw_only=True)
class LeaderboardCommand(Printed, LeaderboardCall):
    """What the command takes beside what the function does."""

    form: Annotated[
        Format, Option("Tables for people; csv and json hold all numbers, as fractions.", flag="--format", short="-f")
    ] = Format.rich
    wide: Annotated[bool, Option("All columns, however wide the table; without it those that the window holds.")] = (
        False
    )


@takes_options(LeaderboardCommand)
def leaderboard(command: LeaderboardCommand) -> None:
    """Rank the methods on record, one board for each set of equal conditions.

    Example: rethinkdc leaderboard --ipc 10 --format md
    """
    from rethinkdc.api import rank_records
    from rethinkdc.cli import board_tables

    form = "json" if command.as_json else command.form.value
    board_tables.print_boards(rank_records(command), form, wide=command.wide)
