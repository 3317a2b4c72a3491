"""How the logits of a batch of views are stored: each coding turns them into tensors and back into logits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

_STEPS = 255
"""Between the smallest and the largest of what one byte holds."""


class Coding(Protocol):
    """Turns logits into what is stored, row by row: no row's code depends on another row."""

    def encode(self, logits: Tensor) -> dict[str, Tensor]:
        """From float32 [B, C] to tensors whose first dimension is B."""
        ...

    def decode(self, stored: dict[str, Tensor]) -> Tensor:
        """Float32 logits [B, C] from what :meth:`encode` gave."""
        ...

    def bytes_per_view(self, classes: int) -> int:
        """Bytes of one row."""
        ...

    def definition(self) -> dict[str, Any]:
        """JSON data that tells codings apart."""
        ...


@dataclass(frozen=True)
class Dense:
    """Every logit. float32 is exact; float16 is off by at most 2**-11 of each logit, or 2**-25 near zero."""

    dtype: Literal["float16", "float32"] = "float16"

    def encode(self, logits: Tensor) -> dict[str, Tensor]:
        return {"logits": logits.to(getattr(torch, self.dtype))}

    def decode(self, stored: dict[str, Tensor]) -> Tensor:
        return stored["logits"].float()

    def bytes_per_view(self, classes: int) -> int:
        return classes * int(getattr(torch, self.dtype).itemsize)

    def definition(self) -> dict[str, Any]:
        return {"coding": "dense", **asdict(self)}


@dataclass(frozen=True)
class Quantised:
    """One byte per logit, between the view's smallest and largest: off by at most (largest - smallest) / 510."""

    def encode(self, logits: Tensor) -> dict[str, Tensor]:
        low, high = logits.aminmax(dim=1, keepdim=True)
        step = (high - low) / _STEPS
        # A view whose logits are all equal has a step of 0 and decodes to its lowest.
        codes = ((logits - low) / step.clamp(min=torch.finfo(torch.float32).tiny)).round().clamp(0, _STEPS)
        return {"codes": codes.to(torch.uint8), "low": low[:, 0], "step": step[:, 0]}

    def decode(self, stored: dict[str, Tensor]) -> Tensor:
        return stored["low"].float()[:, None] + stored["codes"].float() * stored["step"].float()[:, None]

    def bytes_per_view(self, classes: int) -> int:
        return classes + 8

    def definition(self) -> dict[str, Any]:
        return {"coding": "quantised"}


@dataclass(frozen=True)
class TopK:
    """The ``k`` largest probabilities at a temperature; what is left is spread evenly over the other classes.

    Decoded to logits whose softmax at the same temperature gives these probabilities. ``classes`` must be known to
    decode. With k = C - 1 or more nothing is lost but float16 rounding.
    """

    k: int
    temperature: float
    classes: int

    @property
    def kept(self) -> int:
        """Classes that are stored: at least one is left to take the rest."""
        return max(1, min(self.k, self.classes - 1))

    def encode(self, logits: Tensor) -> dict[str, Tensor]:
        logs = torch.log_softmax(logits.float() / self.temperature, dim=1)
        largest = logs.topk(self.kept, dim=1)
        # Summed over the others, not 1 minus the sum of the largest: that loses a small rest.
        others = logs.scatter(1, largest.indices, -math.inf)
        rest = torch.logsumexp(others, dim=1) - math.log(self.classes - self.kept)
        floor = torch.finfo(torch.float16).min
        return {
            "classes": largest.indices.to(self._index_dtype),
            "logs": largest.values.clamp(min=floor).half(),
            "rest": rest.clamp(min=floor).half(),
        }

    def decode(self, stored: dict[str, Tensor]) -> Tensor:
        logs = stored["rest"].float()[:, None].repeat(1, self.classes)
        logs.scatter_(1, stored["classes"].long(), stored["logs"].float())
        return logs * self.temperature

    def bytes_per_view(self, classes: int) -> int:  # noqa: ARG002 - its own number is the same
        return self.kept * (2 + self._index_dtype.itemsize) + 2

    def definition(self) -> dict[str, Any]:
        return {"coding": "top-k", **asdict(self)}

    @property
    def _index_dtype(self) -> torch.dtype:
        return index_dtype(self.classes)


@dataclass(frozen=True)
class TopLogits:
    """The ``k`` largest logits in half precision; the other classes are gone, and decode to minus infinity.

    A softmax at any temperature then shares all of the probability among the classes that were kept: the marginal
    re-normalisation of LPQLD (arXiv 2604.18135). ``classes`` must be known to decode.
    """

    k: int
    classes: int

    def encode(self, logits: Tensor) -> dict[str, Tensor]:
        largest = logits.topk(self.k, dim=1)
        return {"classes": largest.indices.to(index_dtype(self.classes)), "logits": largest.values.half()}

    def decode(self, stored: dict[str, Tensor]) -> Tensor:
        values = stored["logits"].float()
        gone = values.new_full((len(values), self.classes), -math.inf)
        return gone.scatter_(1, stored["classes"].long(), values)

    def bytes_per_view(self, classes: int) -> int:  # noqa: ARG002 - its own number is the same
        return self.k * (2 + index_dtype(self.classes).itemsize)

    def definition(self) -> dict[str, Any]:
        return {"coding": "top-logits", **asdict(self)}


def index_dtype(count: int) -> torch.dtype:
    """The smallest type that holds indices below ``count``."""
    return torch.uint8 if count <= 256 else torch.int16 if count <= 1 << 15 else torch.int32
