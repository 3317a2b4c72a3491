"""``rethinkdc leaderboard``: boards of the records in a folder. Imports nothing heavy before the command is called."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Optional

import typer

from rethinkdc.cli.options import JsonOption, RecordsOption


class Format(str, Enum):
    """How boards are printed."""

    rich = "rich"
    md = "md"
    csv = "csv"
    json = "json"


def leaderboard(
    records: RecordsOption = None,
    form: Annotated[
        Format, typer.Option("--format", "-f", help="Tables for people; csv and json hold all numbers, as fractions.")
    ] = Format.rich,
    metric: Annotated[
        Optional[str],  # noqa: UP045 - typer reads annotations on Python 3.10 too
        typer.Option("--metric", "-m", help="What ranks, such as top5 or loss; without it each evaluator's main one."),
    ] = None,
    ipc: Annotated[Optional[int], typer.Option("--ipc", min=1, help="Only boards of this ipc.")] = None,  # noqa: UP045
    protocol: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--protocol", "-p", help="Only boards of this protocol: id, or beginning of a digest."),
    ] = None,
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--dataset", "-d", help="Only boards of this dataset: label, or beginning of a fingerprint."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the methods on record, one board for each set of equal conditions.

    Example: rethinkdc leaderboard --ipc 10 --format md
    """
    from rethinkdc import api
    from rethinkdc.cli import board_tables

    boards = api.leaderboard(records, metric=metric, ipc=ipc, protocol=protocol, dataset=dataset)
    board_tables.print_boards(boards, "json" if as_json else form.value)
