"""Files of one number per row, and of rows: safetensors with JSON beside it, or CSV. What people share."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.errors import DataError, RequestError, nearest
from rethinkdc.storage import write_atomic
from rethinkdc.types import Images


def read_scores(path: Path, data: Images, column: str | None = None) -> Tensor:
    """Reads scores of the training rows from a file: float32 [N].

    Args:
        path: ``.safetensors`` with a tensor ``scores`` (its ``.json`` names the data), or a table of text with one
            line per row, in the rows' order or with a column ``row`` (or ``index``) of row numbers.
        data: the training set; its fingerprint is checked where the file has one, its length always.
        column: of a CSV file; None = ``score``, or the only column beside the row numbers.

    Raises:
        DataError: the file is missing, unreadable, of other data, or not one number per row; names what was found.
    """
    if path.suffix == ".safetensors":
        scores = _read_tensors(path, "scores")["scores"].to(torch.float32)
        _check_source(path, data)
    else:
        scores = _read_column(path, column)
    if scores.shape != (len(data),):
        raise DataError(f"{path} holds {scores.numel():,} scores; the training set has {len(data):,} rows.")
    return scores


def read_rows(path: Path, data: Images) -> tuple[Tensor, Tensor | None]:
    """Reads a list of training rows in pick order: int64 [k], and weights float32 [k] where the file has them.

    Args:
        path: ``.safetensors`` with ``rows`` (and ``weights``), or CSV with a column ``row`` (and ``weight``).
        data: the training set; its fingerprint is checked where the file has one.

    Raises:
        DataError: the file is missing, unreadable or of other data, or lists a row twice or one that does not exist.
    """
    if path.suffix == ".safetensors":
        tensors = _read_tensors(path, "rows")
        rows, weights = tensors["rows"], tensors.get("weights")
        _check_source(path, data)
    else:
        header, table = _read_table(path)
        rows = table[:, _find_column(path, header, ("row", "index"))] if header else table[:, 0]
        weights = table[:, header.index("weight")].float() if "weight" in header else None
    whole = rows.long()
    if rows.ndim != 1 or not bool((rows == whole).all()):
        raise DataError(f"{path} must list whole row numbers; found {rows.dtype} {list(rows.shape)}.")
    if len(whole) and (int(whole.min()) < 0 or int(whole.max()) >= len(data)):
        raise DataError(f"{path} lists rows {int(whole.min())} to {int(whole.max())}; rows are 0 to {len(data) - 1}.")
    if len(torch.unique(whole)) != len(whole):
        raise DataError(f"{path} lists {len(whole) - len(torch.unique(whole)):,} rows more than once.")
    return whole, weights


def name_row_file(out: Path, suffix: str) -> Path:
    """Appends a suffix to ``OUT``; one that it has already is not doubled, one like ``.5`` not replaced."""
    name = out.name
    for known in (".safetensors", ".json"):
        name = name.removesuffix(known)
    return out.with_name(name + suffix)


def write_row_file(tensors: dict[str, Tensor], about: dict[str, Any], out: Path) -> tuple[Path, Path]:
    """Writes ``OUT.safetensors`` and, beside it, what it was made of to ``OUT.json``; returns both paths.

    Raises:
        RequestError: the folder cannot be written.
    """
    from safetensors.torch import save

    paths = name_row_file(out, ".safetensors"), name_row_file(out, ".json")
    try:
        write_atomic(paths[0], save({name: tensor.contiguous() for name, tensor in tensors.items()}))
        write_atomic(paths[1], json.dumps(about, indent=1).encode())
    except OSError as error:
        raise RequestError(f"Cannot write {out}: {error.strerror}. Choose another --out.") from error
    return paths


def _read_tensors(path: Path, needed: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"Cannot read {path}: {error}.") from error
    if needed not in tensors:
        raise DataError(f"{path} has no tensor {needed!r}. {nearest(needed, tensors)}")
    return tensors


def _check_source(path: Path, data: Images) -> None:
    """Checks the fingerprint that the JSON file beside a safetensors file names."""
    about = path.with_suffix(".json")
    if not about.exists():
        return
    try:
        fingerprint = json.loads(about.read_text()).get("fingerprint")
    except (ValueError, AttributeError) as error:
        raise DataError(f"{about} is no JSON object: {error}. Mend it, or move it away.") from error
    if fingerprint not in (None, data.fingerprint):
        raise DataError(
            f"{path} belongs to other data (fingerprint {str(fingerprint)[:12]}) than this training set "
            f"({data.fingerprint[:12]}). Name its own dataset with --dataset."
        )


def _read_column(path: Path, column: str | None) -> Tensor:
    header, table = _read_table(path)
    numbers = [index for index, name in enumerate(header) if name in ("row", "index")]
    others = [index for index in range(table.shape[1]) if index not in numbers[:1]]
    if column is not None or "score" in header:
        chosen = _find_column(path, header, (column or "score",))
    elif len(others) == 1:
        chosen = others[0]
    else:
        raise DataError(f"{path} has {len(others)} columns ({', '.join(header)}); say which with column=NAME.")
    values = table[:, chosen].float()
    if not numbers:
        return values
    rows = table[:, numbers[0]].long()
    if not torch.equal(rows.sort().values, torch.arange(len(rows))):
        raise DataError(f"{path} must name each row 0 to {len(rows) - 1} once in its column {header[numbers[0]]!r}.")
    return torch.empty_like(values).scatter_(0, rows, values)


def _find_column(path: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise DataError(f"{path} has no column {names[0]!r}. {nearest(names[0], header)}")


def _read_table(path: Path) -> tuple[list[str], Tensor]:
    """Reads the header (empty where there is none) and numbers, float64 [n, columns], of a text table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path}: {error}.") from error
    delimiter = "\t" if "\t" in text[:4096] else ","
    lines = [line for line in csv.reader(text.splitlines(), delimiter=delimiter) if line]
    header = [] if not lines or _is_number(lines[0][0]) else [name.strip() for name in lines.pop(0)]
    try:
        table = torch.tensor([[float(value) for value in line] for line in lines], dtype=torch.float64)
    except ValueError as error:
        raise DataError(f"{path} is not a table of numbers: {error}.") from error
    if table.ndim != 2:
        raise DataError(f"{path} holds no numbers.")
    return header, table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
