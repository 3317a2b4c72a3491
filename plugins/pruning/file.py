"""Scores from a file: those of `rethinkdc score --out`, or any table with one number per training row."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from rethinkdc.contracts import Content, Context, Images, Method, Score, hookimpl
from rethinkdc.pruning import OfCopy, read_scores


class FileScore(OfCopy, Score):
    """Scores read from a file; every method that takes a score also takes scores=FILE."""

    name: ClassVar[str] = "file"
    family: ClassVar[str] = "pruning"

    path: Annotated[str, Content()] = Field(
        description="What `rethinkdc score` wrote, or .npy, .npz, .pt, .json, .csv, .tsv, .txt, .parquet, .safetensors."
    )
    column: str | None = Field(default=None, description="That holds the scores; none = score, or the only one.")
    negate: bool = Field(default=False, description="The file's larger numbers are the easier rows.")

    def score(self, data: Images, context: Context) -> Tensor:
        read = read_scores(Path(self.path).expanduser(), data, self.column, self.foreign(data))
        context.note(proxy="imported", files_read=[read.reading.facts()])
        return -read.scores if self.negate else read.scores


@hookimpl
def register_methods() -> list[type[Method]]:
    """Returns the score ``file``."""
    return [FileScore]
