"""The working form of a compressed set: memory-mapped safetensors in a cache folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rethinkdc.compressed.set import Card, CompressedSet
from rethinkdc.errors import DamagedError
from rethinkdc.types import Images, ViewRule

SET_FILES = ("set.json", "set.safetensors")
"""What every set in its working form holds; its canvases lie in further files."""
_OPTIONAL = ("source_boxes", "weights", "soft_targets")


def save_working(compressed: CompressedSet, folder: Path) -> None:
    """Writes a set into ``folder``: ``set.json``, ``set.safetensors`` and one file for each part of its canvases."""
    about = {
        "class_names": compressed.class_names,
        "view_rule": compressed.view_rule.model_dump(mode="json"),
        "card": compressed.card.model_dump(mode="json"),
        "parts": len(compressed.parts),
        "data": compressed.card.dataset_fingerprint,
    }
    tensors: dict[str, Tensor] = {"targets": compressed.targets, "sources": compressed.sources.contiguous()}
    if compressed.rows is not None:
        tensors["rows"] = compressed.rows.clone()
    else:
        tensors["cell_boxes"] = compressed.cell_boxes.contiguous()
    for key in _OPTIONAL:
        if (value := getattr(compressed, key)) is not None:
            tensors[key] = value.contiguous()
    save_file(tensors, folder / SET_FILES[1])
    for index, part in enumerate(compressed.parts):
        # Stored as NHWC: channels-last memory survives the memory map.
        save_file({"canvases": part.permute(0, 2, 3, 1).contiguous()}, folder / f"part-{index:05d}.safetensors")
    (folder / SET_FILES[0]).write_text(json.dumps(about, indent=1))


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
    card = Card.model_validate(about["card"])
    rule = ViewRule.model_validate(about["view_rule"])
    if "rows" in tensors:
        if about["data"] and about["data"] != data.fingerprint:
            raise DamagedError(
                f"{folder} holds rows of another dataset ({about['data'][:12]}, not {data.fingerprint[:12]})."
            )
        made = CompressedSet.of_rows(data, tensors["rows"], tensors.get("weights"))
        made.soft_targets, made.view_rule = tensors.get("soft_targets"), rule
        return made.with_card(card)
    parts = [
        load_tensors(folder / f"part-{index:05d}.safetensors")["canvases"].permute(0, 3, 1, 2)
        for index in range(about["parts"])
    ]
    return CompressedSet.of_canvases(
        _split(tensors, parts),
        tuple(about["class_names"]),
        cell_boxes=tensors["cell_boxes"],
        view_rule=rule,
        card=card,
    )


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Memory-mapped tensors of a safetensors file."""
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping


def _split(tensors: Mapping[str, Tensor], parts: list[Tensor]) -> list[dict[str, Tensor]]:
    keys = [key for key in ("targets", "sources", *_OPTIONAL) if key in tensors]
    split, start = [], 0
    for part in parts:
        rows = slice(start, start + len(part))
        split.append({"canvases": part, **{key: tensors[key][rows] for key in keys}})
        start += len(part)
    return split
