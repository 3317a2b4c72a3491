"""``rethinkdc leaderboard``: boards of the records in a folder. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from typing import Annotated, Literal

from rethinkdc.cli.options import Printed, takes_options
from rethinkdc.runs.calls import LeaderboardCall
from rethinkdc.runs.options import Option


@dataclass(frozen=True, kw_only=True)
class LeaderboardCommand(Printed, LeaderboardCall):
    """What the command takes beside what the function does."""

    form: Annotated[
        Literal["rich", "md", "csv", "latex", "json"],
        Option(
            "rich, md and latex are tables; csv and json hold all numbers, as fractions.", flag="--format", short="-f"
        ),
    ] = "rich"
    wide: Annotated[bool, Option("All columns, however wide the table; without it those that the window holds.")] = (
        False
    )
    students: Annotated[bool, Option("Methods by students: boards that are equal but for their student in one.")] = (
        False
    )


@takes_options(LeaderboardCommand)
def leaderboard(command: LeaderboardCommand) -> None:
    """Rank the methods on record, one board for each set of equal conditions.

    Example: rethinkdc leaderboard --ipc 10 --format md
    """
    from rethinkdc.boards.leaderboard import rank_records
    from rethinkdc.cli.board_tables import print_boards, print_left_out

    (boards, left_out), form = rank_records(command), "json" if command.as_json else command.form
    if command.students:
        from rethinkdc.boards.matrix import student_matrices
        from rethinkdc.cli.student_tables import print_matrices

        matrices = student_matrices(boards)
        # A board of one student is no matrix, where there are others.
        print_matrices([matrix for matrix in matrices if len(matrix.boards) > 1] or matrices, form)
    else:
        print_boards(boards, form, wide=command.wide)
    print_left_out(left_out, form)
