"""Files of rows: all of them list the same twenty, each in the form of somebody's tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import rethinkdc as rdc
from rethinkdc.errors import DataError
from rethinkdc.row_files.files import read_rows
from rethinkdc.types import Images

PLAIN = "its numbers: 20 row numbers"
MASK = "its numbers: a mask that keeps 20 of 1,437 rows"
READ = {
    "idx_lines.txt": PLAIN,
    "idx.npy": PLAIN,
    "idx.pt": PLAIN,
    "idx_list.pt": PLAIN,
    "idx.json": PLAIN,
    "idx_comma.txt": PLAIN,
    "idx_i32.npy": PLAIN,
    "idx_repr.txt": PLAIN,
    "idx_savetxt.txt": PLAIN,
    "idx_savetxt_d.csv": PLAIN,
    "comment.txt": PLAIN,
    "mask.npy": MASK,
    "mask.csv": MASK,
    "idx_dict.pt": "column 'indices': 20 row numbers",
    "idx_selected.json": "ipc = 2: not used",
    "indices.safetensors": "column 'indices': 20 row numbers",
    "rows_i32.safetensors": "column 'rows': 20 row numbers",
    "df_indices.csv": "column 'indices': 20 row numbers",
    "df_index_idx.csv": "the nameless column: not used",
    "df_index_and_row.csv": "column 'index': not used",
    "series.csv": "column '0': 20 row numbers",
    "series_index_false.csv": "its first line, 0: pandas' header, not used",
    "crlf.csv": "column 'row': 20 row numbers",
    "semicolon.csv": "column 'weight': weights",
    "odd_total.csv": "column 'row': 19 row numbers",
}
REFUSED = {
    "headerless_two.csv": "2 columns without names, and which of them lists the rows is not clear",
    "idx.pkl": r"is a pickle of Python; .*convert it:\n  import pickle, torch\n  torch\.save\(.*'idx\.pt'\)",
    "negatives.csv": "counts from the end: add 1437",
    "filename.csv": "no column of row numbers, such as 'row'; it has column 'filename', column 'label'",
}


def test_every_input_has_an_answer(names_in: Callable[[str], set[str]]) -> None:
    assert names_in("rows") == {*READ, *REFUSED}


@pytest.mark.parametrize("name", READ)
def test_rows(name: str, cases: Path, digits: Images) -> None:
    read = read_rows(cases / "rows" / name, digits)
    plain = read_rows(cases / "rows" / "idx_lines.txt", digits).rows
    assert READ[name] in read.reading.taken
    assert len(plain) == 20
    # A mask has no order, and one list lacks its last row.
    wanted = plain.sort().values if READ[name] == MASK else plain[: 19 if name == "odd_total.csv" else 20]
    assert torch.equal(read.rows, wanted)
    assert (read.weights is not None) == (name == "semicolon.csv")


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_may_be_meant_otherwise_are_refused(name: str, cases: Path, digits: Images) -> None:
    with pytest.raises(DataError, match=REFUSED[name]):
        read_rows(cases / "rows" / name, digits)


def test_a_subset_of_any_size_is_evaluated_under_its_own(cases: Path, tmp_path: Path) -> None:
    record = rdc.run(
        f"rows:path={cases / 'rows' / 'odd_total.csv'}",
        dataset="digits",
        protocol="digits-hard",
        overrides={"training.steps": 2},
        device="cpu",
        records=tmp_path / "records",
        cache_dir=tmp_path / "cache",
    )
    assert record.status == "ok"
    assert record.definition.images == 19
