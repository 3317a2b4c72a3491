"""The types that several layers speak. They hold no behaviour beyond what their fields imply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from torch import Tensor

from rethinkdc.choices import Track as Track

Fit = Literal["squash", "centre"]
Interpolation = Literal["bilinear", "bicubic"]
Direction = Literal["easy", "hard", "middle"]


@runtime_checkable
class Images(Protocol):
    """One face for train, test and compressed sets."""

    @property
    def targets(self) -> Tensor:
        """Class index of each image: int64 [N]."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their indices."""
        ...

    @property
    def fingerprint(self) -> str:
        """Content hash (hex)."""
        ...

    def __len__(self) -> int: ...

    def native(self, rows: Tensor) -> list[Tensor]:
        """Images at their original size: a uint8 [3, h, w] for each row."""
        ...

    def canvases(
        self, rows: Tensor, size: int, fit: Fit = "squash", interpolation: Interpolation = "bilinear"
    ) -> Tensor:
        """Images resized to ``size``: uint8 [B, 3, size, size], channels-last."""
        ...


Area = Annotated[float, Field(gt=0, le=1)]
"""Share of an image."""


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"a range is (smallest, largest); found {value}")
    return value


Areas = Annotated[tuple[Area, Area], AfterValidator(_ordered)]
"""Smallest and largest share of an image."""


class ViewRule(BaseModel):
    """How a compressed set wants to be viewed.

    ``cell``: a view is a crop inside one cell of the canvas's grid, never across cells. ``choice``: the cell is drawn
    uniformly, or cycles with the epoch, so that an epoch has one view of each canvas; or each cell is an image of its
    own, so that an epoch has a view of every cell. ``scale``: area range of the random crop; None = the protocol's.
    ``whole``: share of the views that are crops of the whole canvas all the same; each is drawn by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: Literal["canvas", "cell"] = "canvas"
    choice: Literal["uniform", "cycle", "each"] = "uniform"
    scale: Areas | None = None
    whole: float = Field(default=0.0, ge=0.0, le=1.0)

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Left out where there are none: sets keep the fingerprint that records know them by.
        return {key: value for key, value in dump(self).items() if key != "whole" or value}


class Trainable(Images, Protocol):
    """What a student trains on: images with optional weights and a grid of cells."""

    @property
    def weights(self) -> Tensor | None:
        """Loss weight of each image: float32 [M], mean 1; None = all 1."""
        ...

    @property
    def view_rule(self) -> ViewRule: ...

    @property
    def cell_boxes(self) -> Tensor:
        """Cells on the canvas: int32 [cells, 4] as (y, x, height, width)."""
        ...


class ViewKey(NamedTuple):
    """Names one batch of views: every random number of it follows from these three."""

    seed: int
    epoch: int
    batch: int


class Drawn(NamedTuple):
    """A batch of views that labels were made for: which views, and of which rows (int64 [B])."""

    key: ViewKey
    rows: Tensor


@dataclass
class ViewBatch:
    """One rendered batch, mixed but not normalised (teacher and student each own their mean and std).

    Attributes:
        pixels: uint8 [B, 3, S, S], channels-last; or float in 0..1 where an op needs it.
        rows: int64 [B], row of each view in the training images.
        hard: int64 [B], class of each view's own image.
        key: which views these are.
        partner_rows: int64 [B], row of the image mixed into each view; None = no mix.
        partner_hard: int64 [B], class of that image; None = no mix.
        area: float32 [B], share of each view that shows its partner, as really pasted; None = no mix.
        places: int64 [B], on the CPU, where ranks share a batch: which of the key's views these are; None = all.
    """

    pixels: Tensor
    rows: Tensor
    hard: Tensor
    key: ViewKey
    partner_rows: Tensor | None = None
    partner_hard: Tensor | None = None
    area: Tensor | None = None
    places: Tensor | None = None

    @property
    def images(self) -> Tensor:
        """Float [B, 3, S, S] in 0..1."""
        return self.pixels.float().div_(255.0) if self.pixels.dtype == torch.uint8 else self.pixels

    def to(self, device: torch.device) -> ViewBatch:
        """The same batch on another device."""
        return ViewBatch(
            pixels=self.pixels.to(device, non_blocking=True),
            rows=self.rows.to(device, non_blocking=True),
            hard=self.hard.to(device, non_blocking=True),
            key=self.key,
            partner_rows=None if self.partner_rows is None else self.partner_rows.to(device, non_blocking=True),
            partner_hard=None if self.partner_hard is None else self.partner_hard.to(device, non_blocking=True),
            area=None if self.area is None else self.area.to(device, non_blocking=True),
            places=self.places,
        )


@dataclass(frozen=True)
class LabelCost:
    """What the labels cost the receiver of a compressed set.

    Attributes:
        label_bytes: of the labels, exactly as stored.
        teacher_bytes: of the teachers, where the receiver needs them.
        teacher_at_training: whether they are asked while the student trains.
        asked_per_view: how many networks are asked about each view then; None = not known.
    """

    label_bytes: int
    teacher_bytes: int = 0
    teacher_at_training: bool = False
    asked_per_view: int | None = None


class Supervision(Protocol):
    """What a labeler hands to training: targets and a loss for any batch of views."""

    @property
    def cost(self) -> LabelCost: ...

    @property
    def mix(self) -> Any:
        """The view op that mixes images, None for no mix, or ``"protocol"`` for the protocol's own."""
        ...

    def drawn(self, step: int) -> Drawn | None:
        """The batch of views that the labels of this 0-based step belong to; None = the run's own.

        It has as many rows as the run's own batch of that step.
        """
        ...

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        """What :meth:`loss` needs, each with first dimension B."""
        ...

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """Loss of each view: float32 [B] from float32 logits [B, C], unreduced."""
        ...


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A context whose value is called with the number of units done since the last call."""
        ...


class Budget(BaseModel):
    """``ipc`` canvases of ``size`` x ``size`` px for each of ``classes`` classes.

    ``counts``: canvases of each class, where a share of the training set is asked for; ``ipc`` is their rounded mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ipc: int
    classes: int
    size: int
    counts: tuple[int, ...] | None = None

    @property
    def per_class(self) -> tuple[int, ...]:
        """Canvases of each class."""
        return self.counts if self.counts is not None else (self.ipc,) * self.classes

    @property
    def total(self) -> int:
        """Canvases in all."""
        return sum(self.per_class)

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Left out where there are none: keys of artefacts stay what they were before there were shares.
        return {key: value for key, value in dump(self).items() if key != "counts" or value is not None}


class TraceTable(Protocol):
    """The record of one proxy run: one number per training row, epoch and column."""

    @property
    def epochs(self) -> int:
        """Number of epochs T that the proxy trained for."""
        ...

    @property
    def accuracy(self) -> float:
        """The proxy's accuracy on the training rows in its last epoch, as a fraction."""
        ...

    @property
    def clean_epochs(self) -> tuple[int, ...]:
        """The 1-based epochs after which the un-augmented rows were also observed."""
        ...

    def column(self, name: str, first: int, last: int) -> Tensor:
        """Column ``train.*`` or ``clean.*`` of 1-based epochs first..last: float32 [T, N], memory-mapped.

        ``train.*`` was seen on the views that the proxy trained on, ``clean.*`` on the plain images after
        :attr:`clean_epochs`. With p the probabilities of a row and y its class as one-hot:

        - ``p``: probability of the true class;
        - ``margin``: ``p`` minus the largest other probability; ``logit_margin``: the same of the logits;
        - ``correct``: 1 or 0;
        - ``error``: ||p - y||_2;
        - ``entropy``: of the probabilities, in nats;
        - ``top2``: largest minus second largest probability;
        - ``grad``: norm of the last layer's gradient, ``error`` times sqrt(1 + ||h||_2^2) with features h;
        - ``change``: sum over classes of |p_t log(p_t / p_{t-1})| against the row's previous epoch, of ``train`` alone.
        """
        ...


class Predictions(NamedTuple):
    """What the trained proxy says of every un-augmented training row, memory-mapped.

    Attributes:
        features: float32 [N, D], what its linear classifier reads.
        logits: float32 [N, C].
    """

    features: Tensor
    logits: Tensor


class ProxyNetwork(Protocol):
    """The trained proxy itself, for methods that differentiate through it."""

    @property
    def network(self) -> Any:
        """The module, in evaluation mode, its parameters frozen; logits [B, C] from :meth:`inputs`."""
        ...

    def inputs(self, rows: Tensor) -> Tensor:
        """Un-augmented training rows (int64 [B]) as the network reads them: float32 [B, 3, S, S], normalised."""
        ...


PartsMaker = Callable[[int], dict[str, Tensor]]
"""Makes part ``index`` of a set as named tensors; must depend on the index alone."""

ChunksMaker = Callable[[Sequence[range]], Iterable[Mapping[str, Tensor]]]
"""Gives the results of chunks one after another, as named tensors; each must depend on its own units alone."""


class Passing(Protocol):
    """What passes over many rows chunk by chunk: see ``Context.chunks``."""

    def __call__(
        self, name: str, count: int, step: int, make: ChunksMaker, *, unit: str = "rows", of: Any = None
    ) -> Sequence[dict[str, Tensor]]: ...
