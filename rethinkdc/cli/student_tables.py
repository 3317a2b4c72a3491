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
from rethinkdc.cli.board_data import flatten_conditions
from rethinkdc.cli.board_tables import BOLD, Form
from rethinkdc.cli.board_texts import latex, markdown
from rethinkdc.cli.text_table import TextTable, styled, window_width, wrap


def print_matrices(matrices: Sequence[StudentMatrix], form: Form) -> None:
    """Prints matrices of methods by students."""
    if form == "json":
        print(json.dumps([_plain(matrix) for matrix in matrices], indent=1))
    elif form == "csv":
        _print_csv(matrices)
    else:
        print("\n\n".join(_text(matrix, form) for matrix in matrices))


def _text(matrix: StudentMatrix, form: Form) -> str:
    board = matrix.boards[0]
    title = f"{conditions(board)}; {board.metric} by student"
    note = "Mean and standard deviation over sets, and n; each student's board has differences and ranks."
    columns = {"method": [f"{compressor} + {labeler}" for compressor, labeler in matrix.methods]}
    if len({labeler for _, labeler in matrix.methods}) == 1:
        columns = {"method": [compressor for compressor, _ in matrix.methods]}
    for place, one in enumerate(matrix.boards):
        columns[one.student] = [_cell(cells[place], one) for cells in matrix.cells]
    if form != "rich":
        return (markdown if form == "md" else latex)(title, columns, [note])
    width = window_width()
    lines = [styled(wrap(title, width), BOLD), *TextTable(columns, named="method").draw(width), wrap(note, width)]
    return "\n".join(lines)


def _cell(row: Row | None, board: Board) -> str:
    if row is None or row.result is None:
        return NOTHING
    spread = "" if row.result.deviation is None else f" ± {write_number(row.result.deviation, board=board)}"
    return f"{write_number(row.result.mean, board=board)}{spread} ({row.result.n})"


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
            writer.writerow([*shared, "compressor", "labeler", *heads])
        for method, cells in zip(matrix.methods, matrix.cells, strict=True):
            by_student = {board.student: row for board, row in zip(matrix.boards, cells, strict=True)}
            results = [row.result if (row := by_student.get(student)) else None for student in students]
            numbers = [value for one in results for value in ((one.mean, one.deviation, one.n) if one else ("", "", 0))]
            writer.writerow([*shared.values(), *method, *numbers])
