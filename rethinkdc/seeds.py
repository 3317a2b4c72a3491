"""Seeds: one for each axis of randomness, and the independent streams that follow from it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import torch


Axis = Literal["set", "proxy", "teacher", "labels", "student"]
"""One axis of randomness: what draws by the seed of one stays the same when another one moves."""

AXES: tuple[Axis, ...] = ("set", "proxy", "teacher", "labels", "student")


class Seeds(BaseModel):
    """One seed per axis of randomness."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: int = 0
    proxy: int = 0
    teacher: int = 0
    labels: int = 0
    student: int = 0

    @classmethod
    def all(cls, seed: int) -> Seeds:
        """The same seed on every axis."""
        return cls(**dict.fromkeys(AXES, seed))

    def of(self, axis: Axis, *names: str | int) -> int:
        """A 63-bit seed for one use on one axis: independent streams for different names."""
        return derive_seed(int(getattr(self, axis)), axis, *names)


def write_seeds(seeds: Seeds) -> str:
    """The set's seed, then the axes that have another one: ``0, student=1``."""
    others = (f"{axis}={seed}" for axis, seed in seeds.model_dump().items() if seed != seeds.set)
    return ", ".join([str(seeds.set), *others])


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed from a parent seed and a path of names, by SHA-256: the same on every platform."""
    path = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "little") >> 1


def generator(seed: int) -> torch.Generator:
    """A CPU generator: draws never depend on the device that trains."""
    import torch

    draws = torch.Generator()
    draws.manual_seed(seed)
    return draws
