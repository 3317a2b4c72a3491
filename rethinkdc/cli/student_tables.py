"""Methods by students, in each form."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from rethinkdc.boards import Board, Row
from rethinkdc.boards.matrix import StudentMatrix
from rethinkdc.boards.notes import conditions
from rethinkdc.cli.board_columns import NOTHING, write_number
from rethinkdc.cli.board_data import as_cells, flatten_conditions
from rethinkdc.cli.board_tables import BOLD, Form
from rethinkdc.cli.board_texts import latex, markdown
from rethinkdc.cli.json_output import document
from rethinkdc.cli.text_table import TextTable, styled, window_width, wrap

_NOTE = "Mean and standard deviation over what n counts, and n; each student's board has differences and ranks."


def print_matrices(matrices: Sequence[StudentMatrix], form: Form) -> None:
    """Prints matrices of methods by students."""
    if form == "json":
        print(json.dumps([_plain(matrix) for matrix in matrices], indent=1), file=document())
    elif form == "csv":
        _print_csv(matrices)
    elif form == "rich":
        width = window_width()
        sheets = [_sheet(matrix, width) for matrix in matrices]
        print("\n\n".join([*sheets, wrap(_NOTE, width)]))
    else:
        write = markdown if form == "md" else latex
        print("\n\n".join(write(_title(matrix), _columns(matrix), [_NOTE]) for matrix in matrices))


def _sheet(matrix: StudentMatrix, width: int) -> str:
    table = TextTable(_columns(matrix), named="method")
    return "\n".join([styled(wrap(_title(matrix), width), BOLD), *table.draw(width)])


def _title(matrix: StudentMatrix) -> str:
    board = matrix.boards[0]
    unit = " in percent" if board.unit == "fraction" else ""
    return f"{conditions(board)}; {board.metric}{unit} by student"


def _columns(matrix: StudentMatrix) -> dict[str, list[str]]:
    several = len({labeler for _, labeler in matrix.methods}) > 1
    names = [f"{compressor} + {labeler}" if several else compressor for compressor, labeler in matrix.methods]
    by_student = {
        board.student: [_cell(cells[place], board) for cells in matrix.cells]
        for place, board in enumerate(matrix.boards)
    }
    return {"method": names, **by_student}


def _cell(row: Row | None, board: Board) -> str:
    if row is None or row.result is None:
        return NOTHING
    spread = "" if row.result.deviation is None else f" ± {write_number(row.result.deviation, unit=board.unit)}"
    return f"{write_number(row.result.mean, unit=board.unit)}{spread} ({row.result.n})"


def _plain(matrix: StudentMatrix) -> dict[str, Any]:
    """The shared conditions, and of each method its row for every student."""
    shared = {name: value for name, value in flatten_conditions(matrix.boards[0]).items() if name != "student"}
    rows = TypeAdapter(tuple[Row | None, ...])
    return {
        **shared,
        "students": [board.student for board in matrix.boards],
        "methods": [
            {
                "compressor": compressor,
                "labeler": labeler,
                "rows": rows.dump_python(cells, mode="json"),
            }
            for (compressor, labeler), cells in zip(matrix.methods, matrix.cells, strict=True)
        ],
    }


def _print_csv(matrices: Sequence[StudentMatrix]) -> None:
    """One line a method: mean, standard deviation and n for every student of all matrices."""
    students = list(dict.fromkeys(board.student for matrix in matrices for board in matrix.boards))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, matrix in enumerate(matrices):
        shared = {name: value for name, value in flatten_conditions(matrix.boards[0]).items() if name != "student"}
        heads = [f"{student} {what}" for student in students for what in ("mean", "sd", "n")]
        if not number:
            writer.writerow(as_cells([*shared, "compressor", "labeler", *heads]))
        for method, cells in zip(matrix.methods, matrix.cells, strict=True):
            by_student = {board.student: row for board, row in zip(matrix.boards, cells, strict=True)}
            results = [row.result if (row := by_student.get(student)) else None for student in students]
            numbers = [value for one in results for value in ((one.mean, one.deviation, one.n) if one else ("", "", 0))]
            writer.writerow(as_cells([*shared.values(), *method, *numbers]))
