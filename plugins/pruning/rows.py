"""A subset from a list of rows: that of `rethinkdc rows --out`, or any table of row numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.contracts import Budget, CompressedSet, Content, Context, DataError, Images, Method, hookimpl
from rethinkdc.pruning import OfCopy, Selector, count_rows, read_rows


class Rows(OfCopy, Selector):
    """The training rows that a file lists, with their weights where it has some."""

    name: ClassVar[str] = "rows"
    listed: ClassVar[bool] = True

    path: Annotated[str, Content()] = Field(
        description="What `rethinkdc rows` wrote, or .npy, .npz, .pt, .json, .csv, .tsv, .txt, .parquet, .safetensors."
    )
    column: str | None = Field(default=None, description="That lists the rows; none = row, or the only one.")

    def own_size(self, rows: int, classes: int) -> int:
        return count_rows(Path(self.path).expanduser(), rows, classes, self.column)

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        read = read_rows(Path(self.path).expanduser(), data, self.column, self.foreign(data))
        rows, weights = read.rows, read.weights
        context.note(files_read=[read.reading.facts()])
        if len(rows) != budget.total:
            raise DataError(
                f"{self.path} lists {len(rows):,} rows; {budget.ipc} per class of {budget.classes} classes are "
                f"{budget.total:,}. The --ipc that fits is {len(rows) / budget.classes:g}; without --ipc and --keep "
                "the list runs as what it is."
            )
        return CompressedSet.of_rows(data, rows, weights)


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the compressor ``rows``."""
    return [Rows]
