"""Traces that are shared: a folder with the numbers, what they were made of, and a manifest of checksums."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rethinkdc.documents import parse_json
from rethinkdc.errors import DamagedError, DataError, RequestError
from rethinkdc.storage import copy_file, new_folder, read_regular, show_path, verify_folder, write_file
from rethinkdc.texts import visible
from rethinkdc.training.trace import Trace
from rethinkdc.types import Images

SOURCE = "source.json"


def export_trace(trace: Trace, source: dict[str, Any], out: Path) -> None:
    """Writes a trace to the folder ``out``, whole or not at all.

    Args:
        trace: of a proxy run.
        source: what it was made of, as JSON data; ``fingerprint`` is that of the training set.
        out: must not exist.

    Raises:
        RequestError: ``out`` exists.
        StorageError: it cannot be written.
    """
    if out.exists():
        raise RequestError(f"{out} exists already. Choose another --out folder, or remove it first.")
    with new_folder(out) as making:
        for file in trace.files:
            copy_file(file, making / file.name)
        write_file(making / SOURCE, json.dumps(source, indent=1).encode())


def open_trace(folder: Path, data: Images) -> Trace:
    """Opens an exported trace for a training set.

    Raises:
        DataError: the folder is missing, damaged, or of other data; names both fingerprints.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise DataError(f"There is no trace folder {folder}. Write one with `rethinkdc trace --out FOLDER`.")
    try:
        verify_folder(folder)
        trace = Trace(folder)
        source = read_source(folder)
    except (DamagedError, OSError, ValueError) as error:
        raise DataError(
            f"The trace {show_path(folder)} cannot be used: {error} Write it again with `rethinkdc trace`."
        ) from error
    told = source.get("fingerprint")
    if trace.rows != len(data) or told not in (None, data.fingerprint):
        raise DataError(
            f"The trace {show_path(folder)} is of {trace.rows:,} rows of {visible(str(source.get('dataset', 'data')))} "
            f"({visible(str(told)[:12])}); the training set has {len(data):,} rows and the fingerprint "
            f"{data.fingerprint[:12]}. Name its dataset with --dataset."
        )
    return trace


def read_source(folder: Path) -> dict[str, Any]:
    """What an exported trace was made of.

    Raises:
        OSError, ValueError: its file is missing, or no table.
    """
    source = parse_json(read_regular(folder / SOURCE))
    if not isinstance(source, dict):
        raise ValueError(f"{SOURCE} holds no table.")
    return source
