"""What a method leaves behind beside its result: draws, state of the process, files, changed arguments."""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.modules import module as modules

from rethinkdc.compressed import CompressedSet
from rethinkdc.process_state import left_as_it_was
from rethinkdc.testing.comparing import same
from rethinkdc.types import Images

_DRAWN = ("torch's random state", "numpy's random state")
"""What the state of the process has too, and is told as a draw."""


@dataclass
class Traces:
    """What a try left behind.

    Attributes:
        drawn: global generators that were drawn from, or reseeded.
        changed: state of the process that is another.
        files: that lie where none lay.
        written: arguments that are not what they were.
    """

    drawn: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


class Arguments:
    """What a method is given and must leave as it is."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Images, str]] = {}

    def give(self, name: str, images: Images) -> None:
        """Notes what an argument is when the method gets it."""
        self._known[name] = images, digest_images(images)

    def written(self) -> list[str]:
        """Names of those that are another now."""
        return [name for name, (images, digest) in self._known.items() if digest_images(images) != digest]


@contextmanager
def traced(traces: Traces, arguments: Arguments, folder: Path) -> Iterator[None]:
    """Finds what the body leaves behind; state of the process is put back.

    Args:
        traces: where it is noted.
        arguments: what the method is given; more may be given inside.
        folder: of the try; temporary files go below it.
    """
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    before, names = _read_global_states(), _names_in(Path.cwd())
    hooks, threads = _global_hooks(), set(threading.enumerate())
    usual, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        with left_as_it_was() as changes:
            yield
            after = _read_global_states()
    finally:
        tempfile.tempdir = usual
    traces.drawn += [name for name, state in after.items() if not same(state, before[name])]
    traces.changed += [name for name in (*changes.names, *changes.lasting) if name not in _DRAWN]
    if _global_hooks() != hooks:
        traces.changed.append("hooks of all networks")
    if left := [thread.name for thread in set(threading.enumerate()) - threads if not thread.daemon]:
        traces.changed.append(f"threads that go on ({', '.join(sorted(left))})")
    traces.files += [f"./{name}" for name in sorted(_names_in(Path.cwd()) - names)]
    traces.files += [f"a temporary file {name}" for name in sorted(_names_in(temporary))]
    traces.written += arguments.written()


def digest_images(images: Images) -> str:
    """Of all pixels and targets, and of what a compressed set holds beside them."""
    total = hashlib.sha256(images.targets.contiguous().numpy().tobytes())
    for image in images.native(torch.arange(len(images))):
        total.update(image.contiguous().numpy().tobytes())
    if isinstance(images, CompressedSet):
        for tensor in (images.sources, images.weights, images.soft_targets):
            total.update(b"" if tensor is None else tensor.contiguous().numpy().tobytes())
    return total.hexdigest()


def stir() -> None:
    """Moves the global generators: what reads one and puts it back gives itself away by another result."""
    random.random()
    np.random.random()  # noqa: NPY002 - the shared generator is the point
    torch.rand(1)


def _read_global_states() -> dict[str, Any]:
    numpy_state = np.random.get_state(legacy=True)  # noqa: NPY002
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in numpy_state],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["torch.cuda"] = torch.cuda.get_rng_state_all()
    return states


def _global_hooks() -> int:
    held = [value for name, value in vars(modules).items() if name.startswith("_global_")]
    return sum(len(hooks) for hooks in held if isinstance(hooks, dict))


def _names_in(folder: Path) -> set[str]:
    with os.scandir(folder) as found:
        return {entry.name for entry in found}
