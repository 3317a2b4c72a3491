"""Numbers in the files that people have: the one list of known formats, and what each of them holds as plain values.

Nothing is unpickled but what ``weights_only`` admits, and nothing is run. What the values mean is not decided here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.documents import parse_json, parse_json_lines
from rethinkdc.errors import DataError
from rethinkdc.files.numpy_files import read_npy, read_npz
from rethinkdc.files.parquet_files import read_parquet
from rethinkdc.files.plain_values import arrange, column_of
from rethinkdc.files.tables import Column, Table, read_text
from rethinkdc.files.torch_files import read_torch, to_tensor
from rethinkdc.storage import check_regular, read_regular

PICKLES = (".pkl", ".pickle", ".p", ".pk", ".joblib")
"""How pickles are named."""
_MAGIC = {
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"PK\x03\x04": "a zip archive, as .npz and .pt are",
    b"PAR1": "Parquet (.parquet)",
    b"ARROW1": "Arrow (.arrow, .feather)",
    b"\x89HDF": "HDF5",
    b"MATLAB": "MATLAB (.mat)",
    b"\x1f\x8b": "a gzip archive",
    b"\x80": "a pickle",
    b"%PDF": "PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8": "a JPEG image",
}


def read_arrays(path: Path) -> Any:
    """Reads what a file holds, by the ending of its name; another ending is tried as text.

    Returns:
        A tensor, a :class:`~rethinkdc.files.tables.Table`, a plain value, or a mapping or list of such. Whole numbers
        of text and JSON are int64, others float64; binary formats keep their types.

    Raises:
        DataError: no such file, a pickle, or content that cannot be read: names format and reason, and what is known.
    """
    try:
        check_regular(path)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {_why(error)}.") from error
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise DataError(f"{refuse_pickle(path)}\n{KNOWN}")
    try:
        return FORMATS.get(suffix, _read_plain_text)(path)
    except DataError as error:
        reason = str(error).removeprefix(str(path)).strip().rstrip(".")
    except Exception as error:  # every library raises types of its own
        reason = f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
    read_as = suffix if suffix in FORMATS else "text"
    raise DataError(f"Cannot read {path} as {read_as}: {reason}.{_name_content(path, suffix)} {KNOWN}")


def refuse_pickle(path: Path) -> str:
    """Why a pickle is not read, and the lines of Python that make another format of it."""
    told = f"{path} is a pickle of Python; those are never loaded, since they could run code. Where it comes from, "
    save = f"torch.save(pickle.load(open({path.name!r}, 'rb')), {path.stem + '.pt'!r})"
    frame = f"pandas.read_pickle({path.name!r}).to_parquet({path.stem + '.parquet'!r})"
    return "\n  ".join([f"{told}convert it:", "import pickle, torch", save, f"# a table of pandas: {frame}"])


def describe(content: Any) -> str:
    """Names types and shapes of what was read, for messages."""
    if isinstance(content, Tensor):
        return f"{str(content.dtype).removeprefix('torch.')} {list(content.shape)}"
    if isinstance(content, Table):
        return f"a table of {len(content):,} lines and {len(content.columns)} columns"
    if isinstance(content, Mapping):
        named = ", ".join(f"{key} ({describe(value)})" for key, value in list(content.items())[:8]) or "nothing"
        return named + (f" and {len(content) - 8} more" if len(content) > 8 else "")
    if isinstance(content, list | tuple):
        return f"a list of {len(content):,}"
    return type(content).__name__


def _read_npy(path: Path) -> Any:
    return _of_array(read_npy(path))


def _read_npz(path: Path) -> dict[str, Any]:
    return {name: _of_array(array) for name, array in read_npz(path).items()}


def _of_array(array: Any) -> Any:
    """Fields as a table, texts as they are, numbers as a tensor."""
    if array.dtype.names:
        return Table(array.dtype.names, tuple(to_tensor(array[name]) for name in array.dtype.names))
    return arrange(array.tolist()) if array.dtype.kind == "U" else to_tensor(array)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping


def _read_json(path: Path) -> Any:
    """One value, or one on each line, whatever the ending: many write lines into ``.json``."""
    text = _decode(path)
    try:
        return arrange(parse_json(text))
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        return arrange(parse_json_lines(text))


def _read_torch(path: Path) -> Any:
    return arrange(read_torch(path))


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa

    table = read_parquet(path)
    # The name that pandas gives to an index without one.
    names = ["" if name.startswith("__index_level_") else name for name in table.column_names]
    columns: list[Column] = []
    if index := _unwritten_index(table):
        names.insert(0, index[0])
        columns.append(index[1])
    for column in table.columns:
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        whole = number and not column.null_count
        columns.append(to_tensor(column.to_numpy()) if whole else column_of(column.to_pylist()))
    return Table(tuple(names), tuple(columns))


def _unwritten_index(table: Any) -> tuple[str, Tensor] | None:
    """Name and numbers of the index of a part of a pandas table, which stands in the metadata alone; None = plain."""
    for index in (table.schema.pandas_metadata or {}).get("index_columns", ()):
        if isinstance(index, Mapping) and (index["start"], index["step"]) != (0, 1):
            numbers = range(index["start"], index["stop"], index["step"])
            if len(numbers) == len(table):
                return str(index["name"] or ""), torch.tensor(numbers, dtype=torch.int64)
            return None
    return None


def _read_plain_text(path: Path) -> Table | Tensor:
    return read_text(_decode(path))


def _decode(path: Path) -> str:
    """Text in UTF-8, or UTF-16 where it says so by its first bytes."""
    content = read_regular(path)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"it is no {encoding.removesuffix('-sig')} text: {error.reason} at byte {error.start}"
        ) from error
    if "\0" in text:
        raise DataError("it is binary, no text")
    return text


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | IsADirectoryError):
        return "it is a folder" if isinstance(error, IsADirectoryError) else "there is no such file"
    return error.strerror or str(error)


def _name_content(path: Path, suffix: str) -> str:
    """A sentence on what the first bytes say, where another format than the ending's is known by them."""
    with path.open("rb") as file:
        start = file.read(8)
    found = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    same = found is None or suffix in found or (suffix in (".npz", ".pt", ".pth", ".ckpt") and start[:2] == b"PK")
    return "" if same else f" Its first bytes are those of {found}."


FORMATS: dict[str, Callable[[Path], Any]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".ckpt": _read_torch,
    ".safetensors": _read_safetensors,
    ".json": _read_json,
    ".jsonl": _read_json,
    ".csv": _read_plain_text,
    ".tsv": _read_plain_text,
    ".txt": _read_plain_text,
    ".parquet": _read_parquet,
}
"""Ending -> what reads such a file: the formats that are known, for rows, scores and sets alike."""

KNOWN = f"Known formats: {', '.join(FORMATS)}."
