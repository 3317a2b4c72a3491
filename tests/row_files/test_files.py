"""Files of scores and of rows: what is read, and what is refused with a reason."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from rethinkdc.errors import DataError, StorageError
from rethinkdc.row_files.files import name_row_file, read_rows, read_scores, write_row_file
from rethinkdc.testing import images

DATA = images(classes=2, per_class=2)
SCORES = torch.tensor([0.5, -1.0, 2.0, 3.25])


def text(folder: Path, content: str, name: str = "scores.csv") -> Path:
    (folder / name).write_text(content)
    return folder / name


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    files = write_row_file({"scores": SCORES}, {"fingerprint": DATA.fingerprint}, tmp_path / "mine.5")
    assert files == (tmp_path / "mine.5.safetensors", tmp_path / "mine.5.json")
    assert torch.equal(read_scores(files[0], DATA).scores, SCORES)


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
        "label,score\n0,0.5\n0,-1\n1,2\n1,3.25\n",
        "idx,score\n3,3.25\n0,0.5\n2,2\n1,-1\n",
        "Sample ID,el2n\n3,3.25\n0,0.5\n2,2\n1,-1\n",
        ",score\n3,3.25\n0,0.5\n2,2\n1,-1\n",
        "anything,score\n3,3.25\n0,0.5\n2,2\n1,-1\n",
        "3,3.25\n0,0.5\n2,2\n1,-1\n",
        ",row,score\n0,3,3.25\n1,0,0.5\n2,2,2\n3,1,-1\n",
        "row,score,rank\n3,3.25,3\n0,0.5,1\n2,2,2\n1,-1,0\n",
        "0\n0.5\n-1\n2\n3.25\n",
    ],
)
def test_a_table_of_text_is_read_in_the_rows_order(tmp_path: Path, content: str) -> None:
    assert torch.equal(read_scores(text(tmp_path, content), DATA).scores, SCORES)


def test_a_score_that_no_float32_holds_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has 1 numbers that float32 does not hold, such as 1e\+300"):
        read_scores(text(tmp_path, "score\n0.5\n1e300\n2\ninf\n"), DATA)
    with pytest.raises(DataError, match="1e400"):
        read_scores(text(tmp_path, "score\n0.5\n1e400\n2\n3\n"), DATA)


def test_a_column_may_be_named(tmp_path: Path) -> None:
    path = text(tmp_path, "a,b\n1,0.5\n1,-1\n1,2\n1,3.25\n")
    read = read_scores(path, DATA, "b")
    assert torch.equal(read.scores, SCORES)
    assert "column 'a': left out" in read.reading.taken
    with pytest.raises(DataError, match=r"has 2 columns that may be the scores \(column 'a', column 'b'\)"):
        read_scores(path, DATA)
    with pytest.raises(DataError, match=r"no column 'c'. Known: a, b"):
        read_scores(path, DATA, "c")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\n2\n3\n", "holds 3 scores; the training set has 4 rows"),
        ("row,score\n0,1\n0,2\n1,3\n2,4\n", "column 'row' lists 1 rows more than once, for example row 0"),
        ("id,score\n1,1\n2,2\n3,3\n4,4\n", "counts from 1: subtract 1"),
        ("id,score\n5,1\n0,2\n1,3\n2,4\n", "lists rows 0 to 5; rows are 0 to 3"),
        (
            "index,row,score\n3,0,1\n2,1,2\n1,3,3\n0,2,4\n",
            "column 'index' and column 'row' number the rows differently",
        ),
        ("score,loss\n1,9.5\n2,9\n3,9\n4,9\n", "column 'loss' has no meaning here: .*column=score"),
        ("file,score\na,1\nb,2\nc,3\nd,4\n", "column 'file' has no meaning here"),
        ("score,rank\n1,3\n5,0\n2,1\n9,3\n", "column 'rank' has no meaning here"),
        ("score,rank\n1,3\n5,0\n2,1\n9,2\n", "column 'rank' numbers the rows 0 to 3 in another order"),
        ("score\n1\nmany\n3\n4\n", "column 'score' must hold numbers; entry 2 is 'many'"),
        ("row,score\n0,1\n1,\n2,3\n3,4\n", r"column 'score' has 1 rows without a number \(NaN\), the first in entry 2"),
        (
            "label,score\n0,1\n1,2\n1,3\n0,4\n",
            "column 'label' contradicts .* in 2 of 4 entries. Its rows are in another",
        ),
        ("label,score\n1,1\n1,2\n2,3\n2,4\n", "Its classes count from 1"),
        ("label,score\n1,1\n1,2\n0,3\n0,4\n", "Its classes are in another order"),
        ("label,score\n7,1\n8,2\n7,3\n7,4\n", "in 4 of 4 entries. .*another dataset or split"),
        ("class,score\nzebra,1\nzebra,2\nzebra,3\nzebra,4\n", "'zebra', which is no class"),
        ("label\n0\n0\n1\n1\n", "no columns that may be the scores"),
        ("a,a\n1,2\n2,3\n3,4\n4,5\n", "two of its columns have one name"),
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
    with pytest.raises(DataError, match=r"has no column 'loss'. Known: score"):
        read_scores(tmp_path / "wrong.safetensors", DATA, "loss")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(DataError, match="no JSON object"):
        read_scores(path, DATA)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Cannot write"):
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
    read = read_rows(path, DATA)
    assert read.rows.tolist() == [3, 0]
    assert (None if read.weights is None else read.weights.tolist()) == weights
    assert "fingerprint" in read.reading.order
    assert json.loads(about.read_text()) == {"fingerprint": DATA.fingerprint}


@pytest.mark.parametrize(
    "content",
    [
        "3\n0\n",
        "3,0",
        "[3, 0]",
        "row\n3\n0\n",
        "coreset\n3\n0\n",
        "anything\n3\n0\n",
        "row;weight\n3;0,5\n0;1,0\n",
        ",idx\n0,3\n1,0\n",
        ",0\n0,3\n1,0\n",
        "index,row\n0,3\n1,0\n",
        ",score\n3,0.5\n0,0.25\n",
        "idx,label\n3,1\n0,0\n",
        "idx,class\n3,class_1\n0,class_0\n".replace("class_1", DATA.class_names[1]).replace(
            "class_0", DATA.class_names[0]
        ),
    ],
)
def test_rows_are_read_from_a_table_whatever_its_column_is_called(tmp_path: Path, content: str) -> None:
    read = read_rows(text(tmp_path, content), DATA)
    assert read.rows.tolist() == [3, 0]
    assert (read.weights is not None) == ("weight" in content)
    for name in re.findall(r"[a-z]\w*", content.splitlines()[0]):
        assert any(repr(name) in told for told in read.reading.taken)


@pytest.mark.parametrize(
    "content", ["1\n0\n0\n1\n", "keep\nTrue\nFalse\nFalse\nTrue\n", "row,keep\n2,0\n0,1\n3,1\n1,0\n"]
)
def test_a_mask_keeps_rows(tmp_path: Path, content: str) -> None:
    read = read_rows(text(tmp_path, content), DATA)
    assert read.rows.tolist() == [0, 3]
    assert "a mask that keeps 2 of 4 rows" in read.reading.taken[0]


def test_a_mapping_is_read_where_one_key_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"ipc": 1, "idx_selected": [3, 0], "about": "el2n"}))
    read = read_rows(tmp_path / "a.json", DATA)
    assert read.rows.tolist() == [3, 0]
    assert "ipc = 1: not used" in read.reading.taken
    (tmp_path / "a.json").write_text(json.dumps({"first": [3, 0], "second": [1, 2], "third": [2, 0]}))
    with pytest.raises(DataError, match="which column lists the rows is not clear"):
        read_rows(tmp_path / "a.json", DATA)
    assert read_rows(tmp_path / "a.json", DATA, "second").rows.tolist() == [1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_any_permuted_table_of_any_names_gives_each_row_its_own_score(tmp_path: Path, seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    data = images(classes=3, per_class=20)
    scores = torch.rand(60, generator=draws)
    rows = torch.randperm(60, generator=draws)
    name = ["uid", "", "sample_index"][seed]
    lines = [f"{row},{data.targets[row]},{scores[row]:.9f}" for row in rows.tolist()]
    read = read_scores(text(tmp_path, f"{name},target,margin\n" + "\n".join(lines)), data)
    assert torch.allclose(read.scores, scores)
    assert read.reading.order.startswith("the labels in column 'target' agree in all 60 entries")
    assert read.reading.warnings == ()


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ([2, 0, 3, 1], "a permutation of 0..3"),
        ([0.1, 0.2, 0.2, 0.9], "sorted in the rows' order"),
        ([9.0, 8.0, 7.0, 6.5], "sorted in the rows' order"),
        ([0, 1, 1, 0], "2 different values"),
        ([16777216, 16777217, 16777300, 3], "1 of 4 different scores are equal as float32"),
    ],
)
def test_numbers_that_are_hardly_scores_are_warned_of(tmp_path: Path, values: list[float], warning: str) -> None:
    read = read_scores(text(tmp_path, "\n".join(map(str, values))), DATA)
    assert len(read.reading.warnings) == 1
    assert warning in read.reading.warnings[0]
    assert read.reading.order == "not verified"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0\n4\n", "lists rows 0 to 4; rows are 0 to 3"),
        ("0\n-1\n", "lists rows -1 to 0"),
        ("1\n1\n", "1 rows more than once"),
        ("0.5\n1\n", "whole row numbers"),
        ("position\n1\n", "no column of row numbers, such as 'row'; it has column 'position'"),
        ("1\n4\n", "counts from 1"),
        ("-4\n-1\n", "counts from the end: add 4"),
        ("nan\n1\n", "1 of them are no number"),
        ("0,0\n1,3\n2,1\n", "3 lines of 2 numbers, and there are 2 classes"),
        ("0,5,9\n1,3,4\n1,3,4\n", "3 columns without names"),
        ("0,1,3\n2,3,1\n", "2 lines of 3 numbers, and there are 2 classes"),
        ("0,1,3\n2,3\n", "line 2 has 2 fields"),
        (",score\n0,0.5\n1,0.7\n", "no column of row numbers|not clear"),
        ("name,label\na,0\nb,1\n", "no column of row numbers"),
        ("idx,row\n3,0\n1,2\n", "which column lists the rows is not clear: column 'idx', column 'row'"),
        ("idx,epoch\n3,0.5\n1,0.5\n", "column 'epoch' has no meaning in a list of rows"),
        ("idx,label\n3,0\n0,0\n", "contradicts the labels of the training set in 1 of 2 entries"),
        ("0\n3\n1\n", "may be the header that pandas writes or row 0"),
        ("keep\nTrue\nFalse\n", "a mask of 2 rows; the training set has 4"),
    ],
)
def test_rows_that_do_not_exist_or_repeat_are_an_error(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rows(text(tmp_path, content, "rows.csv"), DATA)


@pytest.mark.parametrize(
    "content",
    [
        [3, 0],
        [torch.tensor(3), torch.tensor(0)],
        {"idx": torch.tensor([[3], [0]])},
        {"indices": [3, 0], "seed": 1, "method": "el2n"},
        torch.tensor([3.0, 0.0]),
        torch.tensor([[3, 0]], dtype=torch.int16),
    ],
)
def test_what_torch_saved_is_read_in_the_forms_that_people_save(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert read_rows(tmp_path / "a.pt", DATA).rows.tolist() == [3, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"0": [3], "1": [0]}, "a list for each of 2 classes"),
        ([[3, 0], [1]], "a list of 2, and a list of numbers is expected"),
        ({"train": {"idx": [3]}, "test": {"idx": [2]}}, "not clear: column 'train.idx', column 'test.idx'"),
        ({"idx": [3], "grid": [[1, 2], [3, 4]]}, r"it holds int64 \[2, 2\] in column 'grid', and .*column=idx"),
        ({"config": {"epochs": 3}}, "config .epochs .int.., and a list of numbers is expected"),
        ({"ipc": 1}, "ipc .int., and a list of numbers is expected"),
    ],
)
def test_mappings_and_lists_that_are_not_clear_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "a.json", DATA)


def test_lists_beside_scores_are_no_row_numbers_unless_they_number_each(tmp_path: Path) -> None:
    torch.save({"el2n": SCORES, "aum": -SCORES, "picked": [3, 0]}, tmp_path / "a.pt")
    with pytest.raises(DataError, match="may be the scores"):
        read_scores(tmp_path / "a.pt", DATA)
    read = read_scores(tmp_path / "a.pt", DATA, "aum")
    assert torch.equal(read.scores, -SCORES)
    assert read.reading.taken[2:] == ("column 'el2n': left out", "column 'picked': left out")
