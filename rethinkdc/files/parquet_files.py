"""Parquet files as tables, whose size is seen to while they are read: a column may repeat one value a billion times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rethinkdc.errors import DataError
from rethinkdc.files.unpacking import check_unpacked
from rethinkdc.storage import check_regular, show_path

_FEW, _MANY = 256, 1 << 16
"""Rows that are read at a time: where each may be a long text or list, and of numbers."""
_WIDEST = 8
"""Bytes of a number."""


def read_parquet(path: Path) -> Any:
    """The ``pyarrow.Table`` in a file.

    Raises:
        DataError: it would unpack to far more than it has; names no file.
        pyarrow.ArrowException: it is no such file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = check_regular(path)
    with pq.ParquetFile(path) as file:
        _check_claims(file, size)
        schema = file.schema_arrow
        plain = all(pa.types.is_primitive(kind) for kind in schema.types)
        batches, held = [], 0
        for batch in file.iter_batches(batch_size=_MANY if plain else _FEW):
            held += batch.nbytes
            check_unpacked(held, size)
            batches.append(batch)
        return pa.Table.from_batches(batches, schema)


def check_parquet(path: Path) -> None:
    """Looks at what a file says of itself, before others read it.

    Raises:
        DataError: it is no Parquet, or would unpack to far more than it has; names the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        size = check_regular(path)
        with pq.ParquetFile(path) as file:
            _check_claims(file, size)
            _ = file.schema_arrow
    except (DataError, OSError, ValueError, pa.ArrowException) as error:
        why = error.strerror if isinstance(error, OSError) else None
        told = ((why or str(error)).splitlines() or ["it is damaged"])[0].rstrip(".")
        raise DataError(f"Cannot read {show_path(path)} as Parquet: {told}. Restore it or remove it.") from error


def _check_claims(file: Any, size: int) -> None:
    about = file.metadata
    check_unpacked(about.num_rows * about.num_columns * _WIDEST, size)
    # Each alone: what a damaged file claims may be less than nothing. Its columns are not asked: where the footer
    # contradicts itself about one, that ends the process.
    for group in (about.row_group(index) for index in range(about.num_row_groups)):
        check_unpacked(abs(group.total_byte_size), size)
