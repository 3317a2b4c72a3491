"""Files of scores and of rows: what is read, and what is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from rethinkdc.data.row_files import name_row_file, read_rows, read_scores, write_row_file
from rethinkdc.errors import DataError, RequestError
from rethinkdc.testing import images

DATA = images(classes=2, per_class=2)
SCORES = torch.tensor([0.5, -1.0, 2.0, 3.25])


def text(folder: Path, content: str, name: str = "scores.csv") -> Path:
    (folder / name).write_text(content)
    return folder / name


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    files = write_row_file({"scores": SCORES}, {"fingerprint": DATA.fingerprint}, tmp_path / "mine.5")
    assert files == (tmp_path / "mine.5.safetensors", tmp_path / "mine.5.json")
    assert torch.equal(read_scores(files[0], DATA), SCORES)


@pytest.mark.parametrize("given", ["mine", "mine.safetensors", "mine.json"])
def test_a_suffix_is_not_doubled(given: str) -> None:
    assert name_row_file(Path(given), ".json") == Path("mine.json")


@pytest.mark.parametrize(
    "content",
    [
        "0.5\n-1\n2\n3.25\n",
        "score\n0.5\n-1\n2\n3.25\n",
        "row,score\n3,3.25\n0,0.5\n2,2\n1,-1\n",
        "index\tmargin\n3\t3.25\n0\t0.5\n2\t2\n1\t-1\n",
        "label,score\n9,0.5\n9,-1\n9,2\n9,3.25\n",
    ],
)
def test_a_table_of_text_is_read_in_the_rows_order(tmp_path: Path, content: str) -> None:
    assert torch.equal(read_scores(text(tmp_path, content), DATA), SCORES)


def test_a_column_may_be_named(tmp_path: Path) -> None:
    path = text(tmp_path, "a,b\n1,0.5\n1,-1\n1,2\n1,3.25\n")
    assert torch.equal(read_scores(path, DATA, "b"), SCORES)
    with pytest.raises(DataError, match="has 2 columns"):
        read_scores(path, DATA)
    with pytest.raises(DataError, match=r"no column 'c'. Known: a, b"):
        read_scores(path, DATA, "c")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\n2\n3\n", "holds 3 scores; the training set has 4 rows"),
        ("row,score\n0,1\n0,2\n1,3\n2,4\n", "each row 0 to 3 once"),
        ("score\n1\nmany\n3\n4\n", "not a table of numbers"),
        ("", "holds no numbers"),
    ],
)
def test_a_table_that_does_not_fit_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_scores(text(tmp_path, content), DATA)


def test_a_file_of_other_data_or_none_is_an_error(tmp_path: Path) -> None:
    path, _ = write_row_file({"scores": SCORES}, {"fingerprint": "another"}, tmp_path / "other")
    with pytest.raises(DataError, match="belongs to other data"):
        read_scores(path, DATA)
    with pytest.raises(DataError, match="Cannot read"):
        read_scores(tmp_path / "missing.safetensors", DATA)
    with pytest.raises(DataError, match="Cannot read"):
        read_scores(tmp_path / "missing.csv", DATA)
    save_file({"score": SCORES}, tmp_path / "wrong.safetensors")
    with pytest.raises(DataError, match=r"no tensor 'scores'. Did you mean 'score'"):
        read_scores(tmp_path / "wrong.safetensors", DATA)
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(DataError, match="no JSON object"):
        read_scores(path, DATA)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="Cannot write"):
        write_row_file({"scores": SCORES}, {}, tmp_path / "file" / "mine")


@pytest.mark.parametrize(
    ("tensors", "weights"),
    [
        ({"rows": torch.tensor([3, 0])}, None),
        ({"rows": torch.tensor([3, 0]), "weights": torch.tensor([1.0, 3.0])}, [1, 3]),
    ],
)
def test_rows_come_back_in_pick_order_with_their_weights(tmp_path: Path, tensors: Any, weights: Any) -> None:
    path, about = write_row_file(tensors, {"fingerprint": DATA.fingerprint}, tmp_path / "picks")
    rows, found = read_rows(path, DATA)
    assert rows.tolist() == [3, 0]
    assert (None if found is None else found.tolist()) == weights
    assert json.loads(about.read_text()) == {"fingerprint": DATA.fingerprint}


def test_rows_are_read_from_a_table(tmp_path: Path) -> None:
    assert read_rows(text(tmp_path, "3\n0\n"), DATA)[0].tolist() == [3, 0]
    rows, weights = read_rows(text(tmp_path, "row,weight\n3,0.5\n0,1\n"), DATA)
    assert rows.tolist() == [3, 0]
    assert weights is not None
    assert weights.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0\n4\n", "lists rows 0 to 4; rows are 0 to 3"),
        ("0\n-1\n", "lists rows -1 to 0"),
        ("1\n1\n", "1 rows more than once"),
        ("0.5\n1\n", "whole row numbers"),
        ("position\n1\n", "no column 'row'"),
    ],
)
def test_rows_that_do_not_exist_or_repeat_are_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rows(text(tmp_path, content, "rows.csv"), DATA)
