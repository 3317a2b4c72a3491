"""Scores from a file: those of `rethinkdc score --out`, or any table with one number per training row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Content, Context, DataError, Images, Method, Score, hookimpl
from rethinkdc.pruning import read_scores


class FileScore(Score):
    """Scores read from a file; every method that takes a score also takes scores=FILE."""

    name: ClassVar[str] = "file"
    family: ClassVar[str] = "pruning"

    path: Annotated[str, Content()] = Field(description="FILE.safetensors of `rethinkdc score`, or a CSV file.")
    column: str | None = Field(default=None, description="Column of a CSV file; none = score, or the only one.")
    negate: bool = Field(default=False, description="The file's larger numbers are the easier rows.")

    def score(self, data: Images, context: Context) -> Tensor:
        path = Path(self.path).expanduser()
        scores = read_scores(path, data, self.column)
        if bool(scores.isnan().any()):
            raise DataError(f"{path} has {int(scores.isnan().sum()):,} rows without a number (NaN).")
        context.note(proxy="imported")
        return -scores if self.negate else scores


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``file``."""
    return [FileScore]
