"""What a method is tried in: small images, a context without a command line, protocols cut short."""

from __future__ import annotations

import io
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from rethinkdc.context.cache import Cache
from rethinkdc.context.run import RunContext
from rethinkdc.context.work import Work
from rethinkdc.contracts.hooks import GROUP
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.encoded import EncodedImages
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds, generator
from rethinkdc.types import Images


def images(
    *, classes: int = 4, per_class: int = 20, size: int | tuple[int, int] = (9, 11), seed: int = 0
) -> DecodedImages:
    """Random images sorted by class, as many copies of datasets are; not square, so that no method may count on it.

    Args:
        classes: number of classes.
        per_class: images of each class.
        size: (height, width) in pixels, or one number for both.
        seed: of the pixels.
    """
    height, width = (size, size) if isinstance(size, int) else size
    draws, count = generator(seed), classes * per_class
    pixels = torch.randint(0, 256, (count, 3, height, width), generator=draws, dtype=torch.uint8)
    targets = torch.arange(classes).repeat_interleave(per_class)
    return DecodedImages(pixels, targets, [f"class {index}" for index in range(classes)])


def encoded(data: Images) -> EncodedImages:
    """The same images as PNG files in memory, decoded whenever they are asked for, with the same fingerprint."""
    files = []
    for pixels in data.native(torch.arange(len(data))):
        buffer = io.BytesIO()
        Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return EncodedImages(_Files(files), data.targets, data.class_names, data.fingerprint)


def context(
    folder: Path,
    *,
    data: Images | None = None,
    protocol: str | Protocol = "digits-hard",
    ipc: int | None = 2,
    seeds: Seeds | None = None,
    registry: Registry | None = None,
    short: bool = True,
    device: str = "cpu",
) -> RunContext:
    """What a method is given beside the data, with a cache of its own under ``folder``.

    Args:
        folder: the test's temporary folder.
        data: the training set; None = :func:`images`.
        protocol: id, TOML file or protocol.
        ipc: the run's images per class; None for the full set.
        seeds: None = 0 on every axis.
        registry: finds the methods; None = those installed.
        short: train proxies and students for two steps or epochs only.
        device: where networks run.
    """
    registry = registry or Registry()
    wanted = registry.protocols.find(protocol) if isinstance(protocol, str) else protocol
    wanted = shortened(wanted) if short else wanted
    cache = Cache(folder / "cache")
    return RunContext(
        data=images() if data is None else data,
        protocol=wanted,
        seeds=seeds or Seeds(),
        cache=cache,
        methods=registry,
        device=torch.device(device),
        ipc=ipc,
        student=wanted.student,
        work=Work(folder=cache.work("runs", "test")),
    )


def shortened(protocol: Protocol, steps: int = 2) -> Protocol:
    """The protocol, marked modified, with students and teachers of ``steps`` steps and a proxy of ``steps`` + 1 epochs.

    Epochs that belong to the protocol's own length (a curve's, a score's) are left out.
    """
    values: dict[str, Any] = {
        "training.epochs": None,
        "training.steps": steps,
        # Two changes from epoch to epoch are the least that every score of the dynamics can read.
        "proxy.training.epochs": steps + 1,
        "proxy.training.steps": None,
        "proxy.clean": [1.0],
        "proxy.scores": {},
        "curve": [],
    }
    if protocol.reference:
        values |= {"reference.epochs": None, "reference.steps": steps}
    for name in protocol.teacher.recipes if protocol.teacher else ():
        training = f"teacher.recipes.{name}.training"
        values |= {f"{training}.epochs": None, f"{training}.steps": steps}
    return protocol.override(values)


def registry_with(*modules: str) -> Registry:
    """The installed plugins and further modules that are not installed, by the names that import them."""
    added = [EntryPoint(name=module, value=module, group=GROUP) for module in modules]
    return Registry([*entry_points(group=GROUP), *added])


class _Files:
    """Encoded image files in memory."""

    def __init__(self, files: list[bytes]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def read(self, row: int) -> bytes:
        return self._files[row]

    def where(self, row: int) -> str:
        return f"row {row} of the test images"
