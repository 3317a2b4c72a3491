"""What every fault is tried on: 100 digits for training, 40 for testing, and a protocol that trains for a blink."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from rethinkdc.data.stratified import stratified_rows
from rethinkdc.plugins.datasets.digits import Digits
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry

SIZES = {"train": 100, "test": 40}


def write_dataset(folder: Path) -> None:
    """The digits as Parquet files, as the hub holds them."""
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    splits = Digits().load()
    names = list(splits.train.class_names)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    folder.mkdir(parents=True)
    for split, images in (("train", splits.train), ("test", splits.test)):
        rows = stratified_rows(images.targets, SIZES[split], 0)
        encoded = [{"bytes": _png(image), "path": None} for image in images.native(rows)]
        columns = {"image": encoded, "label": images.targets[rows].tolist()}
        pq.write_table(pa.Table.from_pydict(columns, schema=features.arrow_schema), folder / f"{split}-0.parquet")


def write_protocol(path: Path) -> None:
    """``digits-soft``, shortened."""
    content: dict[str, Any] = Registry().protocols.find("digits-soft").model_dump(mode="json", exclude={"overrides"})
    content |= {"id": "brief", "data": {"classes": 10, **SIZES}, "default": False, "curve": [2, 4]}
    content["default_dataset"] = None
    content["training"] |= {"steps": 6, "epochs": None}
    proxy = content["proxy"]
    proxy["training"] |= {"epochs": 2, "steps": None}
    proxy["scores"] = {"el2n": {"epochs": [1, 2]}}
    for recipe in content["teacher"]["recipes"].values():
        recipe["training"] |= {"epochs": 2, "steps": None}
    path.write_text(write_toml(Protocol.model_validate(content)))


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(buffer, "PNG")
    return buffer.getvalue()
