"""Where one method is tried."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.context.run import RunContext
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.seeds import Seeds
from rethinkdc.testing.surroundings import context, shortened
from rethinkdc.types import Budget, Images


class Bench:
    """Where one method is tried: fresh surroundings each time, so that nothing comes out of a cache."""

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        data: DecodedImages,
        protocol: str | Protocol,
        ipc: int,
        device: str,
    ) -> None:
        self.registry, self.folder, self.data, self.ipc, self.device = registry, folder, data, ipc, device
        self.protocol = shortened(registry.protocols.find(protocol) if isinstance(protocol, str) else protocol)
        self._tries = 0

    def fresh(self, data: Images, seeds: Seeds, ipc: int | None) -> RunContext:
        """Makes a context whose cache is empty."""
        self._tries += 1
        return context(
            self.folder / f"try-{self._tries}",
            data=data,
            protocol=self.protocol,
            ipc=ipc,
            seeds=seeds,
            registry=self.registry,
            short=False,
            device=self.device,
        )

    @property
    def size(self) -> int:
        """Side in pixels at which the protocol stores images."""
        return self.protocol.store.size

    @property
    def budget(self) -> Budget:
        """What a compressor is asked for."""
        return Budget(ipc=self.ipc, classes=len(self.data.class_names), size=self.size)
