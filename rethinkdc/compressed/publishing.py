"""Writes a compressed set as a folder that ``datasets.load_dataset`` reads, with a card beside it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rethinkdc.compressed.card import CARD
from rethinkdc.compressed.encoding import ROWS, encode
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import RequestError
from rethinkdc.storage import commit_folder
from rethinkdc.types import Fit, Interpolation


def export_folder(
    compressed: CompressedSet,
    folder: Path,
    *,
    size: int,
    fit: Fit = "squash",
    interpolation: Interpolation = "bilinear",
) -> None:
    """Writes Parquet with lossless PNG images of ``size`` px (columns ``image``, ``class_id``) and ``card.json``.

    Weights, learned labels and the sources of each cell are further columns, where the set has them; a learned student
    rate stands in ``card.json``. The folder appears whole or not at all.

    Raises:
        RequestError: the folder exists already, or cannot be written.
    """
    if folder.exists():
        raise RequestError(f"{folder} exists already. Choose another --out folder, or remove it first.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise RequestError(f"Cannot write {folder}: {error.strerror}. Choose another --out folder.") from error
    try:
        temporary.chmod(0o755)
        (temporary / "data").mkdir()
        _write_parquet(compressed, temporary / "data" / "train-00000-of-00001.parquet", size, fit, interpolation)
        about: dict[str, Any] = {
            "class_names": compressed.class_names,
            "size": size,
            "cell_boxes": compressed.cell_boxes.tolist() if compressed.cells > 1 else None,
            "view_rule": compressed.view_rule.model_dump(mode="json"),
            "card": compressed.card.model_dump(mode="json"),
        }
        if compressed.student_lr is not None:
            about["student_lr"] = compressed.student_lr
        (temporary / CARD).write_text(json.dumps(about, indent=1))
        commit_folder(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_parquet(compressed: CompressedSet, path: Path, size: int, fit: Fit, interpolation: Interpolation) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    extra: dict[str, tuple[Tensor, Any]] = {
        "sources": (compressed.sources, datasets.Sequence(datasets.Value("int64"))),
    }
    if compressed.source_boxes is not None:
        extra["source_boxes"] = (compressed.source_boxes.flatten(1), datasets.Sequence(datasets.Value("int32")))
    if compressed.weights is not None:
        extra["weight"] = (compressed.weights, datasets.Value("float32"))
    if compressed.soft_targets is not None:
        extra["soft_target"] = (compressed.soft_targets, datasets.Sequence(datasets.Value("float16")))
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "class_id": datasets.ClassLabel(names=list(compressed.class_names)),
            **{name: feature for name, (_, feature) in extra.items()},
        }
    )
    schema = features.arrow_schema
    with pq.ParquetWriter(path, schema) as writer:
        for rows in torch.arange(len(compressed)).split(ROWS):
            canvases = compressed.canvases(rows, size, fit, interpolation)
            columns: dict[str, Any] = {
                "image": [{"bytes": content, "path": None} for content in encode(canvases, "PNG")],
                "class_id": compressed.targets[rows].tolist(),
            }
            columns |= {name: list(tensor[rows].numpy()) for name, (tensor, _) in extra.items()}
            writer.write_table(pa.Table.from_pydict(columns, schema=schema))
