"""Where one method is tried."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import torch

from rethinkdc.context.run import RunContext
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.testing.surroundings import context, images, shortened
from rethinkdc.testing.watched import Watch, WatchedContext
from rethinkdc.types import Budget, Images


class Bench:
    """Where one method is tried: fresh surroundings each time, so that nothing comes out of a cache.

    Attributes:
        registry: finds the methods.
        folder: of all tries.
        ipc: images per class that a compressor is asked for.
        device: where networks run.
        protocol: the shortened one.
    """

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        data: DecodedImages | None,
        protocol: str | Protocol,
        ipc: int,
        device: str,
    ) -> None:
        self.registry, self.folder, self.ipc, self.device = registry, folder.absolute(), ipc, device
        self.protocol = shortened(registry.protocols.find(protocol) if isinstance(protocol, str) else protocol)
        self._data = images() if data is None else data
        self._tries = 0

    @property
    def data(self) -> DecodedImages:
        """The training set: a copy each time, so that a method which writes to it spoils one try alone."""
        held = self._data
        return DecodedImages(held.pixels.clone(), held.targets.clone(), held.class_names, held.fingerprint)

    def new_folder(self) -> Path:
        """A folder of one try, which is not there yet."""
        self._tries += 1
        return self.folder / f"try-{self._tries}"

    def surround(self, folder: Path, data: Images, seeds: Seeds, ipc: int | None) -> WatchedContext:
        """A context whose cache lies in ``folder``: empty where that is new."""
        made = context(
            folder,
            data=data,
            protocol=self.protocol,
            ipc=ipc,
            seeds=seeds,
            registry=self.registry,
            short=False,
            device=self.device,
        )
        held = {one.name: getattr(made, one.name) for one in fields(RunContext) if one.name != "keeps_every"}
        return WatchedContext(**held, watch=Watch())

    def budget(self, classes: int, ipc: int | None = None) -> Budget:
        """What a compressor is asked for."""
        return Budget(ipc=ipc or self.ipc, classes=classes, size=self.size)

    @property
    def size(self) -> int:
        """Side in pixels at which the protocol stores images."""
        return self.protocol.store.size

    @property
    def torch_device(self) -> torch.device:
        """Where networks run."""
        return torch.device(self.device)
