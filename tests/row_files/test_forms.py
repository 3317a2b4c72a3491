"""One table of scores, and one list of rows, in the forms that people save: each reads as the same, or is refused."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.errors import DataError
from rethinkdc.row_files.files import read_rows, read_scores

N, CLASSES = 30, 3
DRAWS = torch.Generator().manual_seed(4)
DATA = DecodedImages(
    torch.zeros(N, 3, 2, 2, dtype=torch.uint8), torch.randint(CLASSES, (N,), generator=DRAWS), ["ant", "bee", "cat"]
)
SCORES = torch.rand(N, generator=DRAWS, dtype=torch.float64).numpy().round(6)
ORDER = torch.randperm(N, generator=DRAWS).numpy()
LISTED = SCORES[ORDER]
"""The scores of the rows in the order in which a file lists them."""
PICKED = [17, 4, 29, 8, 11]
MASK = np.isin(np.arange(N), PICKED)
FRAME = pd.DataFrame({"row": ORDER, "score": LISTED})
INDEXED = pd.DataFrame({"score": LISTED}, index=ORDER)
EVERY = pd.DataFrame({"score": SCORES})


def table(sep: str = ",", end: str = "", name: str = "row", rows: Callable[[int], str] = str) -> str:
    lines = [f"{rows(row)}{sep}{score}{end}" for row, score in zip(ORDER.tolist(), LISTED, strict=True)]
    return "\n".join([f"{name}{sep}score{end}", *lines])


def excel(text: str) -> str:
    return text.replace(".", ",")


def write(path: Path, content: str | bytes | Callable[[Path], Any]) -> Path:
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)
    return path


BY_ROW = dict(zip(map(int, ORDER), map(float, LISTED), strict=True))
NAMED = {str(row): score for row, score in BY_ROW.items()}
FIELDS = np.array(list(zip(ORDER, LISTED, strict=True)), dtype=[("idx", "i4"), ("score", "f8")])

SCORE_FORMS: dict[str, tuple[str, Any]] = {
    "separators at the ends": (".csv", table(end=",")),
    "several separators at the ends": (".csv", excel(table(sep=";", end=";;;"))),
    "Excel's separator line": (".csv", "sep=;\n" + excel(table(sep=";"))),
    "Excel's byte order mark": (".csv", ("\ufeff" + table(sep=";").replace("\n", "\r\n")).encode()),
    "UTF-16": (".tsv", table(sep="\t").encode("utf-16")),
    "padded numbers": (".csv", table(rows=lambda row: f"{row:06d}")),
    "rows as floats": (".csv", table(rows=lambda row: f"{row}.0")),
    "another name": (".csv", table(name="uid")),
    "R's row names": (".csv", '"","score"\n' + "\n".join(f'"{row + 1}",{score}' for row, score in enumerate(SCORES))),
    "records": (".json", FRAME.to_json(orient="records")),
    "records by line": (".jsonl", FRAME.to_json(orient="records", lines=True)),
    "records by line in another ending": (".json", FRAME.to_json(orient="records", lines=True)),
    "columns": (".json", json.dumps({"row": ORDER.tolist(), "score": LISTED.tolist()})),
    "pairs": (".json", FRAME.to_json(orient="values")),
    "split": (".json", INDEXED.to_json(orient="split")),
    "by index": (".json", INDEXED.to_json(orient="index")),
    "by row": (".json", json.dumps(NAMED)),
    "by row beside others": (".json", json.dumps({"method": "el2n", "args": {"lr": 0.1}, "scores": NAMED})),
    "texts": (".json", json.dumps([str(score) for score in SCORES])),
    "an index without a name": (".parquet", INDEXED.to_parquet),
    "a table backwards": (".parquet", EVERY.iloc[::-1].to_parquet),
    "an array of fields": (".npy", lambda path: np.save(path, FIELDS)),
    "columns first": (".npy", lambda path: np.save(path, np.asfortranarray(FRAME.to_numpy()))),
    "the other byte order": (".npy", lambda path: np.save(path, SCORES.astype(">f8"))),
    "texts beside": (".npz", lambda path: np.savez(path, scores=SCORES, method="el2n")),
    "a mapping of numbers": (".pt", lambda path: torch.save(BY_ROW, path)),
    "a mapping of tensors": (".pt", lambda path: torch.save({k: torch.tensor(v) for k, v in BY_ROW.items()}, path)),
    "options beside": (".pt", lambda path: torch.save({"score": SCORES, "args": Namespace(lr=0.1)}, path)),
    "a parameter": (".pt", lambda path: torch.save(torch.nn.Parameter(torch.tensor(SCORES)), path)),
    "one line of a batch": (".pt", lambda path: torch.save(torch.tensor(SCORES)[None, :, None], path)),
    "scores and their ranking": (
        ".npz",
        lambda path: np.savez(path, scores=SCORES, ranking=np.argsort(SCORES)),
    ),
}


@pytest.mark.parametrize("form", SCORE_FORMS)
def test_each_row_gets_its_own_score_from_every_form(form: str, tmp_path: Path) -> None:
    suffix, content = SCORE_FORMS[form]
    read = read_scores(write(tmp_path / f"scores{suffix}", content), DATA)
    assert np.allclose(read.scores.numpy(), SCORES.astype(np.float32))
    assert not read.scores.requires_grad


REFUSED: dict[str, tuple[str, Any, str]] = {
    "one-based in another order": (".csv", table(name="uid", rows=lambda row: str(row + 1)), "rows 1 to 30 in another"),
    "names of files": (".csv", table(name="file", rows="train/ant/{:05d}.png".format), "rows 0 to 29 in another order"),
    "thousands": (".csv", "score\n" + "\n".join(f"{row + 1},234" for row in range(N)), "may part thousands"),
    "argsort": (".npz", lambda path: np.savez(path, scores=SCORES, indices=np.argsort(SCORES)), "or what argsort gave"),
    "a header too short": (
        ".csv",
        table(end=",").replace("score,", "score", 1),
        "line 2 has 3 fields, the header has 2",
    ),
    "of each epoch": (".pt", lambda path: torch.save(torch.rand(7, N), path), "holds 7 scores"),
    "of each class": (".pt", lambda path: torch.save(torch.rand(N, 7), path), "7 columns that may be the scores"),
    "lists in records": (".json", json.dumps([{"row": 0, "score": [1]}] * N), "'score' of its records holds lists"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_may_belong_to_other_rows_is_refused(form: str, tmp_path: Path) -> None:
    suffix, content, message = REFUSED[form]
    path = write(tmp_path / f"scores{suffix}", content)
    named = "score" if suffix == ".csv" else None
    with pytest.raises(DataError, match=message):
        read_scores(path, DATA, named)


ROW_FORMS: dict[str, tuple[str, Any]] = {
    "a tuple": (".txt", str(tuple(PICKED))),
    "a comma at the end": (".txt", ", ".join(map(str, PICKED)) + ","),
    "separators at the ends": (".csv", "\n".join(f"{row}," for row in PICKED)),
    "texts": (".json", json.dumps({"indices": list(map(str, PICKED))})),
    "a mapping within": (
        ".pt",
        lambda path: torch.save({"exp": 0, "subset": {"indices": np.array(PICKED)}, "args": {}}, path),
    ),
    "tensors of one number": (".pt", lambda path: torch.save([torch.tensor([row]) for row in PICKED], path)),
    "what nonzero gives": (".pt", lambda path: torch.save((torch.tensor(PICKED),), path)),
    "names beside": (".npz", lambda path: np.savez(path, idx=PICKED, ipc=2, method="el2n")),
    "nullable": (".parquet", pd.DataFrame({"row": pd.array(PICKED, dtype="Int64")}).to_parquet),
    "of categories": (
        ".parquet",
        pd.DataFrame(
            {"row": PICKED, "label": pd.Categorical([DATA.class_names[DATA.targets[r]] for r in PICKED])}
        ).to_parquet,
    ),
    **{
        f"{kind}": (".pt", lambda path, kind=kind: torch.save(torch.tensor(PICKED).to(kind), path))
        for kind in (torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.float16, torch.bfloat16)
    },
}


@pytest.mark.parametrize("form", ROW_FORMS)
def test_the_same_rows_are_read_from_every_form(form: str, tmp_path: Path) -> None:
    suffix, content = ROW_FORMS[form]
    assert read_rows(write(tmp_path / f"rows{suffix}", content), DATA).rows.tolist() == PICKED


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, N - 1), st.integers(0, N - 1), st.integers(-4, 4).filter(bool))
def test_a_part_of_a_table_of_pandas_lists_its_own_rows(tmp_path: Path, first: int, last: int, step: int) -> None:
    """The index of a slice lies in the metadata of the file alone; one that counts the lines may be no index."""
    rows = np.arange(N)[first:last:step]
    write(tmp_path / "part.parquet", EVERY.assign(label=DATA.targets.tolist()).iloc[first:last:step].to_parquet)
    if len(rows) and not any(np.array_equal(rows, np.arange(start, start + len(rows))) for start in (0, 1)):
        assert read_rows(tmp_path / "part.parquet", DATA).rows.tolist() == rows.tolist()
    else:
        with pytest.raises(DataError, match=r"no column of row numbers|lists no rows"):
            read_rows(tmp_path / "part.parquet", DATA)


@pytest.mark.parametrize("column", [None, "keep"])
@pytest.mark.parametrize("name", ["row", "uid", ""])
def test_a_mask_is_of_the_rows_that_stand_beside_it(name: str, column: str | None, tmp_path: Path) -> None:
    lines = [f"{row},{int(MASK[row])}" for row in ORDER]
    read = read_rows(write(tmp_path / "mask.csv", "\n".join([f"{name},keep", *lines])), DATA, column)
    assert read.rows.tolist() == [row for row in ORDER if MASK[row]]
    one_based = [f"{row + 1},{int(MASK[row])}" for row in ORDER]
    with pytest.raises(DataError, match="counts from 1" if name == "row" else "another order|no meaning"):
        read_rows(write(tmp_path / "mask.csv", "\n".join([f"{name or 'uid'},keep", *one_based])), DATA, column)


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.uint16, torch.int64, torch.float32])
def test_a_mask_is_read_in_every_type(kind: torch.dtype, tmp_path: Path) -> None:
    torch.save(torch.tensor(MASK).to(kind), tmp_path / "mask.pt")
    assert read_rows(tmp_path / "mask.pt", DATA).rows.tolist() == sorted(PICKED)


@pytest.mark.parametrize("name", ["removed", "pruned_idx", "is_dropped", "not_selected"])
@pytest.mark.parametrize("values", [PICKED, MASK.tolist()])
def test_what_is_left_out_is_not_kept(name: str, values: list[Any], tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", json.dumps({name: values}))
    with pytest.raises(DataError, match="seems to say which rows are left out"):
        read_rows(path, DATA)


def test_a_list_of_what_is_left_out_beside_the_others_is_not_used(tmp_path: Path) -> None:
    rest = [row for row in range(N) if row not in PICKED]
    path = write(tmp_path / "rows.json", json.dumps({"kept_idx": PICKED, "removed_idx": rest}))
    read = read_rows(path, DATA)
    assert read.rows.tolist() == PICKED
    assert "column 'removed_idx': not used" in read.reading.taken
    for content in (
        {"kept_idx": PICKED, "removed_idx": [PICKED[0]]},
        {"row": list(range(N)), "removed": MASK.tolist()},
    ):
        with pytest.raises(DataError, match="seems to say which rows are left out"):
            read_rows(write(tmp_path / "rows.json", json.dumps(content)), DATA)


def test_a_list_of_nothing_is_refused(tmp_path: Path) -> None:
    for values in ([], [False] * N):
        np.save(tmp_path / "rows.npy", np.array(values, dtype=bool if values else int))
        with pytest.raises(DataError, match="lists no rows"):
            read_rows(tmp_path / "rows.npy", DATA)


def test_infinite_scores_are_warned_of(tmp_path: Path) -> None:
    np.save(tmp_path / "scores.npy", np.where(MASK, np.inf, SCORES))
    assert read_scores(tmp_path / "scores.npy", DATA).reading.warnings == ("5 of 30 scores are infinite",)


def test_what_is_no_list_is_left_out_where_the_list_is_named(tmp_path: Path) -> None:
    torch.save({"subset": {"indices": PICKED}, "net": {"conv": torch.zeros(4, 3, 3, 3)}}, tmp_path / "run.pt")
    with pytest.raises(DataError, match=r"float32 \[4, 3, 3, 3\] in column 'net.conv'.*column=subset.indices"):
        read_rows(tmp_path / "run.pt", DATA)
    read = read_rows(tmp_path / "run.pt", DATA, "subset.indices")
    assert read.rows.tolist() == PICKED
    assert "float32 [4, 3, 3, 3] in column 'net.conv': not used" in read.reading.taken


def test_labels_agree_as_names_that_are_numbers_too(tmp_path: Path) -> None:
    """Sorted as text, class 10 comes before class 2."""
    data = DecodedImages(DATA.pixels, DATA.targets, ["1", "10", "2"])
    names = [int(data.class_names[index]) for index in data.targets.tolist()]
    for labels, agree in ((names, True), (data.targets.tolist(), True), ([*names[1:], names[0]], False)):
        lines = [f"{label},{score}" for label, score in zip(labels, SCORES, strict=True)]
        write(tmp_path / "scores.csv", "\n".join(["gt,score", *lines]))
        if agree:
            assert "agree in all 30 entries" in read_scores(tmp_path / "scores.csv", data).reading.order
        else:
            with pytest.raises(DataError, match="contradicts the labels"):
                read_scores(tmp_path / "scores.csv", data)
