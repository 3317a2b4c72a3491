"""Small data and short protocols, for runs of a second: a few digits as Parquet files, and trainings of a few steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from rethinkdc.data.stratified import stratified_rows
from rethinkdc.plugins.datasets.digits import Digits
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry


def write_parquet(path: Path, images: Sequence[bytes], labels: Sequence[int], names: Sequence[str]) -> None:
    """A split as the hub holds it: struct of bytes and path, and a ClassLabel."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    rows = {"image": [{"bytes": content, "path": None} for content in images], "label": list(labels)}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pydict(rows, schema=features.arrow_schema), path)


def write_digits(folder: Path, train: int, test: int) -> None:
    """So many digits of each split, sorted by class as many copies are."""
    splits = Digits().load()
    for split, images, count in (("train", splits.train, train), ("test", splits.test, test)):
        rows = stratified_rows(images.targets, count, 0)
        rows = rows[images.targets[rows].argsort(stable=True)]
        encoded = [_png(image) for image in images.native(rows)]
        write_parquet(folder / f"{split}-0.parquet", encoded, images.targets[rows].tolist(), images.class_names)


def write_short_protocol(
    path: Path, base: str, train: int, test: int, proxy_epochs: int, steps: int, curve: Sequence[int] = ()
) -> Path:
    """A protocol file with the values of a shipped one, for fewer images, with a shorter proxy, teacher and student."""
    content: dict[str, Any] = Registry().protocols.find(base).model_dump(mode="json", exclude={"overrides"})
    content |= {"id": path.stem, "data": {"classes": 10, "train": train, "test": test}}
    content |= {"default": False, "default_dataset": None}
    content |= {"curve": list(curve)} if curve else {}
    content["training"] |= {"steps": steps, "epochs": None}
    content["proxy"]["training"] |= {"epochs": proxy_epochs, "steps": None}
    content["proxy"]["scores"] = {"el2n": {"epochs": [1, proxy_epochs]}}
    for recipe in content["teacher"]["recipes"].values():
        recipe["training"] |= {"epochs": proxy_epochs, "steps": None}
    path.write_text(write_toml(Protocol.model_validate(content)))
    return path


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(buffer, "PNG")
    return buffer.getvalue()
