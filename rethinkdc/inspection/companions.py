"""Files that are a part of a finished set and no use alone, and what the shapes in a file rule out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rethinkdc.choices import FileKind
from rethinkdc.compressed.entries import LABEL_WORDS, words_of
from rethinkdc.documents import parse_json
from rethinkdc.inspection.findings import Part
from rethinkdc.layouts.parquet_columns import IMAGE_COLUMNS
from rethinkdc.storage import read_regular
from rethinkdc.training.trace_folder import SOURCE

_IMAGE_DIMENSIONS = 3


def narrow(kinds: Sequence[FileKind], parts: Sequence[Part]) -> list[FileKind]:
    """The kinds that the shapes in a file leave: images and filters are no lists, and lists are neither of these."""
    if any(len(part.shape) >= _IMAGE_DIMENSIONS for part in parts):
        return [kind for kind in kinds if kind not in ("rows", "scores")]
    matrices = any(len(part.shape) == _IMAGE_DIMENSIONS - 1 for part in parts)
    return [kind for kind in kinds if kind != "set" and (matrices or kind != "weights")] if parts else list(kinds)


def tell_dataset(path: Path) -> str:
    """The dataset of a trace, rows or scores, by the file beside them that tells what they were made of; or nothing."""
    beside = path / SOURCE if path.is_dir() else path.with_suffix(".json")
    if not path.is_dir() and path.suffix != ".safetensors":
        return ""
    try:
        told = parse_json(read_regular(beside))
    except (OSError, ValueError):
        # Whoever reads the file says what is missing or wrong.
        return ""
    named = told.get("dataset") if isinstance(told, dict) else None
    return named if isinstance(named, str) else ""


def tell_companion(path: Path, parts: Sequence[Part]) -> str:
    """A sentence where a file's name and content say that it belongs to another."""
    if path.suffix == ".json" and path.with_suffix(".safetensors").is_file():
        return f"It tells what {path.with_suffix('.safetensors')} was made of: inspect that."
    if path.suffix == ".parquet" and any(part.name in IMAGE_COLUMNS for part in parts):
        return f"It is a part of a dataset or of a finished set: inspect the folder, {path.absolute().parent}"
    if len(parts) != 1:
        return ""
    (part,) = parts
    if not part.shape and part.low is not None and part.low > 0:
        return f"One number may be the learned student rate of a set: `rethinkdc evaluate SET --student-lr {path}`"
    if words_of(path.stem) & LABEL_WORDS and len(part.shape) < _IMAGE_DIMENSIONS:
        return f"Its name says that it holds the labels of a set: `rethinkdc evaluate IMAGES --labels {path}`"
    return ""
