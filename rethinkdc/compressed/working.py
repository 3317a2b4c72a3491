"""The working form of a compressed set: memory-mapped safetensors in a cache folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rethinkdc.compressed.card import Card
from rethinkdc.compressed.parts import PER_IMAGE
from rethinkdc.compressed.set import CompressedSet
from rethinkdc.errors import DamagedError
from rethinkdc.storage import load_tensors, write_file, write_tensors
from rethinkdc.types import Images, ViewRule

SET_FILES = ("set.json", "set.safetensors")
"""What every set in its working form holds; its canvases lie in further files."""


def save_working(compressed: CompressedSet, folder: Path) -> None:
    """Writes a set into ``folder``: ``set.json``, ``set.safetensors`` and one file for each part of its canvases."""
    about: dict[str, Any] = {
        "class_names": compressed.class_names,
        "view_rule": compressed.view_rule.model_dump(mode="json"),
        "card": compressed.card.model_dump(mode="json"),
        "parts": len(compressed.parts),
        "data": compressed.card.dataset_fingerprint,
    }
    if compressed.student_lr is not None:
        about["student_lr"] = compressed.student_lr
    tensors: dict[str, Tensor] = {"targets": compressed.targets}
    if compressed.rows is not None:
        tensors["rows"] = compressed.rows.clone()
    else:
        tensors["cell_boxes"] = compressed.cell_boxes.contiguous()
    for name in PER_IMAGE:
        if (value := getattr(compressed, name)) is not None:
            tensors[name] = value.contiguous()
    write_tensors(folder / SET_FILES[1], tensors)
    for index, part in enumerate(compressed.parts):
        # Stored as NHWC: channels-last memory survives the memory map.
        canvases = {"canvases": part.permute(0, 2, 3, 1).contiguous()}
        write_tensors(folder / f"part-{index:05d}.safetensors", canvases)
    write_file(folder / SET_FILES[0], json.dumps(about, indent=1).encode())


def load_working(folder: Path, data: Images) -> CompressedSet:
    """Reads what :func:`save_working` wrote; canvases stay memory-mapped.

    Args:
        folder: a verified folder.
        data: the training set that a subset's rows belong to.

    Raises:
        DamagedError: the subset belongs to another dataset.
    """
    about = json.loads((folder / SET_FILES[0]).read_text())
    tensors = load_tensors(folder / SET_FILES[1])
    stated: dict[str, Any] = {
        "student_lr": about.get("student_lr"),
        "view_rule": ViewRule.model_validate(about["view_rule"]),
        "card": Card.model_validate(about["card"]),
    }
    if "rows" in tensors:
        if about["data"] and about["data"] != data.fingerprint:
            raise DamagedError(
                f"{folder} holds rows of another dataset ({about['data'][:12]}, not {data.fingerprint[:12]})."
            )
        return CompressedSet.of_rows(
            data, tensors["rows"], tensors.get("weights"), soft_targets=tensors.get("soft_targets"), **stated
        )
    canvases = [
        load_tensors(folder / f"part-{index:05d}.safetensors")["canvases"].permute(0, 3, 1, 2)
        for index in range(about["parts"])
    ]
    return CompressedSet.of_canvases(
        _cut(tensors, canvases), tuple(about["class_names"]), cell_boxes=tensors["cell_boxes"], **stated
    )


def _cut(tensors: Mapping[str, Tensor], canvases: list[Tensor]) -> list[dict[str, Tensor]]:
    """Gives each part of the canvases its share of what is stored for all images."""
    names = [name for name in ("targets", *PER_IMAGE) if name in tensors]
    parts, start = [], 0
    for part in canvases:
        rows = slice(start, start + len(part))
        parts.append({"canvases": part, **{name: tensors[name][rows] for name in names}})
        start += len(part)
    return parts
