"""What boards print: text that does no harm, whatever records say, and the same bytes from the same records."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.boards import rank_folder
from rethinkdc.boards.matrix import student_matrices
from rethinkdc.cli.board_tables import print_boards
from rethinkdc.cli.student_tables import print_matrices
from rethinkdc.cli.text_table import TextTable
from rethinkdc.runs.records import Records

HOSTILE = "a|b & 50% $x$ #1 \\input{x} {~^} <script> _u_ [1] *z* \x1b[31m\n| c"
FORMS = ("rich", "md", "csv", "latex", "json")


def printed(records: Records, form: Any, capsys: pytest.CaptureFixture[str], **how: Any) -> str:
    print_boards(rank_folder(records).boards, form, **how)
    return capsys.readouterr().out


@pytest.fixture
def hostile(desk: Any) -> Any:
    desk.seeds(HOSTILE, [0.6, 0.61, 0.62, 0.6, 0.63])
    desk.seeds("random", [0.5, 0.51, 0.5, 0.52, 0.5])
    return desk


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wide", [False, True])
def test_records_that_lie_elsewhere_print_the_same_bytes(
    hostile: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, wide: bool
) -> None:
    first = printed(hostile.records, form, capsys, wide=wide)
    # Copied in another order, with other times: names and content are all that counts.
    for place in sorted(hostile.records.folder.iterdir(), reverse=True):
        shutil.copytree(place, tmp_path / "copy" / place.name)
    assert printed(Records(tmp_path / "copy"), form, capsys, wide=wide) == first


def test_a_latex_table_holds_a_hostile_name_as_text(hostile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(hostile.records, "latex", capsys)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    columns = len(re.findall("[lr]", re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]))  # type: ignore[index]
    for line in body:
        assert line.endswith(r" \\")
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
    assert not re.search(
        r"(?<!\\)[%$#_](?!\\pm)", re.sub(r"\$\\(?:pm|langle|rangle)\$|^%.*$", "", text, flags=re.MULTILINE)
    )
    assert r"\input" not in text
    assert "\x1b" not in text


def test_what_holds_for_several_boards_is_said_once(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for ipc in (10, 50):
        desk.seeds("pca", [0.6, 0.62], definition={"ipc": ipc})
        desk.seeds("random", [0.5, 0.5], definition={"ipc": ipc})
    desk.seeds(
        "random", [0.5, 0.5], names={"labeler": "soft", "protocol": "digits-soft v1"}, status="failed", reason="NaN"
    )
    text = printed(desk.records, "rich", capsys)
    assert text.count("n counts sets; n below 5") == 1
    assert text.count("rethinkdc run --compressor full") == 1
    failed = text.index("random, seed 0; 1: failed: NaN")
    # What is of one board alone stands below it, and what is common at the end.
    assert text.index("digits-soft v1") < failed < text.index("n counts sets; n below 5")


def test_markdown_is_escaped(hostile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    table = [line for line in printed(hostile.records, "md", capsys).splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_a_terminal_is_not_steered(hostile: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(hostile.records, "rich", capsys)
    assert "\x1b" not in text


def test_names_are_folded_where_the_window_is_narrow() -> None:
    columns = {"method": ["x" * 40, "y"], "top1 %": ["12.34", "5.67"]}
    table = TextTable(columns, named="method")
    assert table.width == 47
    lines = table.draw(30)
    assert max(map(len, lines)) <= 30
    assert "".join(line.split("  ")[0] for line in lines[3:-1]).replace(" ", "") == "x" * 40
    assert table.draw(80)[-1].split() == ["y", "5.67"]


def test_a_name_is_folded_behind_a_word() -> None:
    table = TextTable({"method": ["el2n:direction=easy,share=0.5 + my-labeler"], "top1 %": ["12.34"]}, named="method")
    pieces = [line.split("  ")[0].strip() for line in table.draw(34)[3:]]
    assert pieces == ["el2n:direction=easy,", "share=0.5 + my-labeler"]


def test_every_metric_on_record_has_a_column_and_is_told_of_where_the_window_is_narrow(
    desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, top1 in enumerate((0.6, 0.7)):
        desk.record("pca", top1, seed)
        desk.record("random", 0.5, seed)
    (board,) = desk.boards()
    assert [one.name for one in board.others] == ["top5", "loss"]
    assert board.rows[0].others == {"top5": 1.0, "loss": pytest.approx(0.35)}
    assert [one.name for one in desk.only(metric="loss").others] == ["top1", "top5"]
    narrow = printed(desk.records, "rich", capsys)
    assert "Also on record; --metric NAME ranks by it: top5, loss." in narrow
    assert " 0.3500" in printed(desk.records, "rich", capsys, wide=True)
    first, *_ = csv.DictReader(io.StringIO(printed(desk.records, "csv", capsys)))
    assert float(first["mean_loss"]) == pytest.approx(0.35)


def test_students_stand_side_by_side(desk: Any) -> None:
    desk.seeds("pca", [0.6, 0.62])
    desk.seeds("random", [0.5, 0.5])
    desk.seeds("pca", [0.7, 0.72], names={"student": "resnet"})
    desk.seeds("other", [0.3, 0.3], definition={"ipc": 50})
    first, second = student_matrices(desk.boards())
    assert [board.student for board in first.boards] == ["convnet", "resnet"]
    assert first.methods == (("pca", "hard"), ("random", "hard"))
    means = [[cell and cell.result and cell.result.mean for cell in line] for line in first.cells]
    assert means == [[pytest.approx(0.61), pytest.approx(0.71)], [0.5, None]]
    assert len(second.boards) == 1


@pytest.mark.parametrize("form", FORMS)
def test_students_are_printed_in_every_form(desk: Any, capsys: pytest.CaptureFixture[str], form: Any) -> None:
    desk.seeds("pca", [0.6, 0.62])
    desk.seeds("random", [0.5, 0.5])
    desk.seeds("pca", [0.7, 0.72], names={"student": "resnet"})
    print_matrices(student_matrices(desk.boards()), form)
    text = capsys.readouterr().out
    if form == "json":
        (matrix,) = json.loads(text)
        assert matrix["students"] == ["convnet", "resnet"]
        assert [[row and row["result"]["n"] for row in one["rows"]] for one in matrix["methods"]] == [[2, 2], [2, None]]
    elif form == "csv":
        first, second = csv.DictReader(io.StringIO(text))
        assert float(first["convnet mean"]) == pytest.approx(0.61)
        assert float(first["resnet mean"]) == pytest.approx(0.71)
        assert (second["compressor"], second["resnet mean"], second["resnet n"]) == ("random", "", "0")
    else:
        line = next(line for line in text.splitlines() if "pca" in line)
        assert [f"{number:.2f}" in line for number in (61, 71, 1.41)] == [True, True, True]


def test_what_is_still_to_be_run_is_no_note_of_a_latex_table(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    desk.seeds("pca", [0.6, 0.62])
    desk.seeds("random", [0.5, 0.51])
    text = printed(desk.records, "latex", capsys)
    asked = [line for line in text.splitlines() if "rethinkdc run" in line]
    assert asked
    assert all(line.startswith("% ") for line in asked)


def test_a_board_tells_what_was_changed_of_its_protocol(desk: Any, capsys: pytest.CaptureFixture[str]) -> None:
    changed = {"training.fixed_views": True, "track": "any"}
    for seed, overrides in enumerate([{**changed, "training.batch": 128}, changed]):
        desk.record("pca", 0.5, seed, modified=True, notes={"overrides": overrides})
    text = printed(desk.records, "md", capsys)
    assert "modified: track=any, training.fixed\\_views=true" in text
    assert "batch" not in text
    (line,) = csv.DictReader(io.StringIO(printed(desk.records, "csv", capsys)))
    assert json.loads(line["overrides"]) == changed
    # Records without a word of what was changed are no less modified.
    desk.record("pca", 0.5, 0, modified=True, definition={"protocol": "0" * 64})
    assert ", modified)" in printed(desk.records, "md", capsys)
