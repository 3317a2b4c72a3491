"""Numbers in the files that people have: every format says the same, and what cannot be read says why."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from rethinkdc.errors import DataError
from rethinkdc.files.arrays import FORMATS, describe, read_arrays
from rethinkdc.files.parquet_files import check_parquet
from rethinkdc.files.tables import Table, read_text

NUMBERS = np.array([7, 0, 12, 3])


def _write_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"n": NUMBERS}), path)


WRITERS: dict[str, Callable[[Path], Any]] = {
    ".npy": lambda path: np.save(path, NUMBERS),
    ".npz": lambda path: np.savez(path, n=NUMBERS),
    ".pt": lambda path: torch.save(torch.from_numpy(NUMBERS), path),
    ".pth": lambda path: torch.save({"n": NUMBERS}, path),
    ".ckpt": lambda path: torch.save(NUMBERS.tolist(), path),
    ".safetensors": lambda path: save_file({"n": torch.from_numpy(NUMBERS)}, path),
    ".json": lambda path: path.write_text(json.dumps(NUMBERS.tolist())),
    ".jsonl": lambda path: path.write_text("\n".join(json.dumps({"n": number}) for number in NUMBERS.tolist())),
    ".csv": lambda path: path.write_text("n\n7\n0\n12\n3\n"),
    ".tsv": lambda path: path.write_text("7\t0\t12\t3"),
    ".txt": lambda path: np.savetxt(path, NUMBERS, fmt="%d"),
    ".parquet": _write_parquet,
}


def only(content: Any) -> Tensor:
    """The one tensor that was read, out of whatever holds it."""
    if isinstance(content, Tensor):
        return content
    values = content.columns if isinstance(content, Table) else content
    (value,) = values.values() if isinstance(values, dict) else values
    assert isinstance(value, Tensor)
    return value


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_every_known_format_gives_the_same_numbers(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"numbers{suffix}"
    WRITERS[suffix](path)
    read = only(read_arrays(path))
    assert read.dtype == torch.int64
    assert read.tolist() == NUMBERS.tolist()


@pytest.mark.parametrize(
    ("text", "names", "columns"),
    [
        ("a,b\n1,0.5\n2,1e3\n", ("a", "b"), [[1, 2], [0.5, 1000.0]]),
        ("row;score\n0;0,25\n1;-1,5e1\n", ("row", "score"), [[0, 1], [0.25, -15.0]]),
        (",score\n4,1.5\n2,2.5\n", ("", "score"), [[4, 2], [1.5, 2.5]]),
        ("a b\nx 1 2\n".replace("x", "9"), ("", "a", "b"), [[9], [1], [2]]),
        ("# a b\n1 2\n3 4\n", ("a", "b"), [[1, 3], [2, 4]]),
        ("# made by hand\n1 2\n3 4\n", (), [[1, 3], [2, 4]]),
        ("name,n\nimg_1.png,1\n", ("name", "n"), [("img_1.png",), [1]]),
        ("img_0.png,3\nimg_1.png,1\n", (), [("img_0.png", "img_1.png"), [3, 1]]),
        ("keep\nTrue\nFALSE\n", ("keep",), [[True, False]]),
        ('"a, b",c\n1,2\n', ("a, b", "c"), [[1], [2]]),
    ],
)
def test_text_is_a_table_with_or_without_names(text: str, names: Any, columns: Any) -> None:
    table = read_text(text)
    assert isinstance(table, Table)
    assert table.names == names
    assert [column.tolist() if isinstance(column, Tensor) else column for column in table.columns] == columns


@pytest.mark.parametrize(
    "text", ["3\n1\n2\n", "3,1,2", "3 1 2\n", "[3, 1, 2]", "[3 1\n 2]", "3;1;2\r\n", "# c\n3\n1\n2"]
)
def test_one_list_of_numbers_may_be_written_in_many_ways(text: str) -> None:
    read = read_text(text)
    assert isinstance(read, Tensor)
    assert read.tolist() == [3, 1, 2]


def test_an_empty_cell_is_no_number() -> None:
    table = read_text("a,b\n1,\n2,0.5\n")
    assert isinstance(table, Table)
    assert torch.equal(torch.as_tensor(table.columns[1]).isnan(), torch.tensor([True, False]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3\n", "line 2 has 1 fields, line 1 has 2"),
        ("[[1, 2], [3]]", "lists within a list"),
        ("[1, ..., 3]", r"entry 2 is '...'"),
        ("# nothing\n", "no numbers"),
    ],
)
def test_text_that_is_no_table_is_an_error(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_text(text)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"4": 0.5, "2": 0.25}, ("", "value")),
        ([{"idx": 4, "s": 0.5}, {"idx": 2, "s": 0.25}], ("idx", "s")),
        ({"s": {"4": 0.5, "2": 0.25}}, ("", "s")),
    ],
)
def test_the_forms_in_which_pandas_writes_json_are_tables(tmp_path: Path, content: Any, names: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    table = read_arrays(tmp_path / "a.json")
    assert table.names == names
    assert [column.tolist() for column in table.columns] == [[4, 2], [0.5, 0.25]]


def test_other_byte_orders_and_unsigned_numbers_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1, 2], dtype=">u4"))
    assert read_arrays(tmp_path / "a.npy").tolist() == [1, 2]
    (tmp_path / "utf16.csv").write_text("3\n4\n", encoding="utf-16")
    assert read_arrays(tmp_path / "utf16.csv").tolist() == [3, 4]


@pytest.mark.parametrize("content", [[1, 2], {"n": np.array([1, 2]), "epoch": 3}, (torch.tensor([1, 2]),)])
def test_nothing_is_unpickled_and_the_lines_that_convert_it_do(content: Any, tmp_path: Path) -> None:
    (tmp_path / "idx.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="is a pickle") as told:
        read_arrays(tmp_path / "idx.pkl")
    code = "\n".join(line.strip() for line in str(told.value).splitlines()[1:3])
    names: dict[str, Any] = {"open": lambda name, mode: (tmp_path / name).open(mode)}
    exec(code.replace("'idx.pt'", repr(str(tmp_path / "idx.pt"))), names)
    read = read_arrays(tmp_path / "idx.pt")
    assert (read["n"] if isinstance(read, dict) else read.flatten()).tolist() == [1, 2]


@pytest.mark.parametrize("content", [{"n": [1, 2]}, np.array([1, 2], dtype=object), [np.array([1, 2])]])
def test_objects_in_arrays_are_not_unpickled_and_the_line_that_converts_them_does(
    content: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("alone.npy", np.array(content, dtype=object), allow_pickle=True)
    np.savez("named.npz", m=np.array([1, 2]), n=np.array(content, dtype=object))
    for name in ("alone.npy", "named.npz"):
        with pytest.raises(DataError, match="holds pickled objects") as told:
            read_arrays(Path(name))
        exec(str(told.value).partition("convert it with ")[2].partition(". Known")[0], {"torch": torch, "numpy": np})
        read = read_arrays(Path(name).with_suffix(".pt"))
        value: Any = read.get("n", read.get("m")) if isinstance(read, dict) else read
        value = value["n"] if isinstance(value, dict) else value
        assert value is not None
        assert value.flatten().tolist() == [1, 2]


def test_what_torch_cannot_read_as_weights_is_named(tmp_path: Path) -> None:
    torch.save({"about": Fraction(1, 2)}, tmp_path / "space.pt")
    with pytest.raises(DataError, match=r"fractions\.Fraction") as told:
        read_arrays(tmp_path / "space.pt")
    assert "weights_only" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"\x89HDF\r\n\x1a\n....", r"as \.npy: .*those of HDF5\. Known formats: \.npy, "),
        ("a.h5", b"\x89HDF\r\n\x1a\n\0\0", "as text: .*those of HDF5"),
        ("a.csv", b"\x93NUMPY\x01", r"no utf-8 text.*a NumPy array"),
        ("a.pt", b"nothing", "no file of torch.save"),
        ("a.json", b"{", "JSONDecodeError"),
        ("a.parquet", b"1\n2\n", r"as \.parquet"),
    ],
)
def test_what_cannot_be_read_names_format_reason_and_what_is_known(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as told:
        read_arrays(tmp_path / name)
    assert "Known formats" in str(told.value)
    with pytest.raises(DataError, match="no such file"):
        read_arrays(tmp_path / "missing.csv")


def test_content_is_described_by_types_and_shapes() -> None:
    assert describe({"a": torch.zeros(2, 3), "b": [1], "c": "x"}) == "a (float32 [2, 3]), b (a list of 1), c (str)"
    assert describe(Table(("n",), (torch.zeros(4),))) == "a table of 4 lines and 1 columns"


def test_a_parquet_file_whose_footer_contradicts_itself_is_refused_and_ends_no_process(tmp_path: Path) -> None:
    _write_parquet(tmp_path / "a.parquet")
    written = (tmp_path / "a.parquet").read_bytes()
    # The column may be empty by the counts of its levels, and by the schema no longer.
    changed = re.sub(rb"\x25\x02(\x18.)", b"\x25\x00\\1", written, count=1, flags=re.DOTALL)
    assert changed != written
    (tmp_path / "a.parquet").write_bytes(changed)
    with pytest.raises(DataError, match=r"a\.parquet"):
        read_arrays(tmp_path / "a.parquet")
    # Looks at less, and passes it on to whoever reads it.
    check_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", "[1, 1e400, 2]"), ("a.jsonl", '{"n": 1}\n{"n": -1e400}'), ("a.txt", "[1, 1e400]")]
)
def test_a_number_that_no_float_holds_is_named(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="1e400"):
        read_arrays(tmp_path / name)


def test_what_looks_like_a_number_that_no_float_holds_is_a_text() -> None:
    table = read_text("id,n\n83e45678,1\n12e45670,inf\n")
    assert isinstance(table, Table)
    assert table.columns[0] == ("83e45678", "12e45670")
    assert isinstance(table.columns[1], Tensor)
    assert table.columns[1].tolist() == [1.0, float("inf")]
