"""A subset from a list of rows: that of `rethinkdc compress --rows`, or any table of row numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from rethinkdc.contracts import Budget, CompressedSet, Content, Context, DataError, Images, Method, hookimpl
from rethinkdc.pruning import ORDERS, Selector, count_rows, find_foreign, read_rows


class Rows(Selector):
    """The training rows that a file lists, with their weights where it has some."""

    name: ClassVar[str] = "rows"
    listed: ClassVar[bool] = True

    path: Annotated[str, Content()] = Field(
        description="What `rethinkdc rows` wrote, or .npy, .npz, .pt, .json, .csv, .tsv, .txt, .parquet, .safetensors."
    )
    column: str | None = Field(default=None, description="That lists the rows; none = row, or the only one.")
    order: str | None = Field(
        default=None,
        description=f"Of the file's rows, if another copy's: {', '.join(ORDERS)}. None = this dataset's own: not "
        "verified, unless labels in the file or a fingerprint beside it prove it.",
    )
    like: Annotated[str | None, Content()] = Field(
        default=None, description="Folder of the copy that the file was made on: its images are found here."
    )

    def own_size(self, rows: int, classes: int) -> int:
        return count_rows(Path(self.path).expanduser(), rows, classes, self.column)

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        like = Path(self.like).expanduser() if self.like else None
        read = read_rows(Path(self.path).expanduser(), data, self.column, find_foreign(self.order, like, data))
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
