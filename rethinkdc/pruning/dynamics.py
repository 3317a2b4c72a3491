"""What scores of training dynamics have in common: they read the trace of a proxy run, and train nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from pydantic import Field
from torch import Tensor

from rethinkdc.contracts.kinds import Score
from rethinkdc.errors import RequestError
from rethinkdc.method import Content
from rethinkdc.protocol.protocol import Epoch
from rethinkdc.protocol.proxy import epoch_range
from rethinkdc.pruning.curves import epoch_mean
from rethinkdc.training.trace_folder import open_trace
from rethinkdc.types import Images, TraceTable

if TYPE_CHECKING:
    from rethinkdc.contracts.context import Context

Epochs = Epoch | tuple[Epoch, Epoch]
"""One epoch, or the first and the last of a span: whole numbers count from 1, fractions are shares of the run."""


class Span(NamedTuple):
    """First and last 1-based epoch that a score reads."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Number of epochs."""
        return self.last - self.first + 1


class Observed(Protocol):
    """What is known of a run before its numbers are."""

    @property
    def epochs(self) -> int:
        """Length T."""
        ...

    @property
    def clean_epochs(self) -> tuple[int, ...]:
        """The 1-based epochs after which the un-augmented rows were observed."""
        ...


class Planned(NamedTuple):
    """A run that may not have been trained yet."""

    epochs: int
    clean_epochs: tuple[int, ...]


class Dynamics(Score):
    """Base of scores that are pure functions of a trace; a subclass says which epochs its paper reads, and the maths.

    ``longest``: epochs that the paper reads, counted from the start; None = the whole run.
    """

    family: ClassVar[str] = "pruning"
    longest: ClassVar[int | None] = None

    epochs: Epochs | None = Field(
        default=None, description="Epoch, or [first,last]; 1-based or fractions; none = the protocol's, or the paper's."
    )
    repeats: int = Field(default=1, ge=1, le=100, description="Independent proxy runs to average over.")
    trace: Annotated[str | None, Content()] = Field(
        default=None, description="Folder written by `rethinkdc trace`; none = the protocol's own proxy."
    )

    def score(self, data: Images, context: Context) -> Tensor:
        if self.trace is not None and self.repeats > 1:
            raise RequestError(f"{self.name}: an imported trace is one run; leave repeats out.")
        imported = open_trace(Path(self.trace), data) if self.trace is not None else None
        # Known without training: wrong epochs are refused before the proxy runs.
        span = self.span(imported or Planned(context.proxy_epochs, context.clean_epochs), context.protocol.proxy_scores)
        runs = [imported] if imported else [context.trace(repeat) for repeat in range(self.repeats)]
        scores = torch.stack([self.of_trace(run, span) for run in runs]).mean(0)
        if imported:
            context.note(proxy="imported", proxy_accuracy=imported.accuracy)
        elif self.wants and self.wants.met_by(context.protocol.proxy_recipe().training, context.proxy_epochs):
            context.note(proxy="paper")
        context.note(score_epochs=list(span))
        return scores

    def span(self, run: Observed, scores: dict[str, dict[str, Any]]) -> Span:
        """The epochs that are read of a run.

        Args:
            run: how long it is, and which epochs observed clean images.
            scores: the protocol's parameters of scores.

        Raises:
            RequestError: they do not exist, run backwards, or are too few.
        """
        chosen = self.epochs if self.epochs is not None else self.default_epochs(run, scores.get(self.name, {}))
        span = Span(*epoch_range(chosen, run.epochs, self.name))
        self.check(run, span)
        return span

    def default_epochs(self, run: Observed, protocol: dict[str, Any]) -> Epochs:
        """What is read where the user does not say: the protocol's, or the paper's epochs that the run has."""
        chosen: Epochs = protocol.get("epochs", (1, min(self.longest or run.epochs, run.epochs)))
        return chosen

    def check(self, run: Observed, span: Span) -> None:
        """Refuses epochs that the maths cannot use.

        Raises:
            RequestError: too few epochs, or epochs that were not observed.
        """

    def of_trace(self, trace: TraceTable, span: Span) -> Tensor:
        """The score of one run: float32 [N], larger = "hard"."""
        raise NotImplementedError


class Snapshot(Dynamics):
    """Base of scores of one moment: a single epoch, or the mean over some, of augmented or of clean images.

    ``first_clean``: of clean images the first epoch that was observed is read; else the last.
    """

    first_clean: ClassVar[bool] = False

    observe: Literal["train", "clean"] = Field(
        default="train", description="Augmented views in training mode, or clean images in evaluation mode."
    )

    def default_epochs(self, run: Observed, protocol: dict[str, Any]) -> Epochs:
        if self.observe == "train":
            # 1.0: the last epoch of a run of any length.
            train: Epochs = protocol.get("epochs", 1.0)
            return train
        if not run.clean_epochs:
            raise RequestError(f"{self.name}: the protocol's proxy observes no clean images; use observe=train.")
        return run.clean_epochs[0 if self.first_clean else -1]

    def check(self, run: Observed, span: Span) -> None:
        unseen = set(range(span.first, span.last + 1)) - set(run.clean_epochs)
        if self.observe == "clean" and unseen:
            raise RequestError(
                f"{self.name}: clean images were not observed after epoch {min(unseen)}; the protocol lists the epochs "
                f"{', '.join(map(str, run.clean_epochs))}."
            )

    def observed(self, trace: TraceTable, column: str, span: Span) -> Tensor:
        """Mean over the epochs of one column of what is observed: float32 [N]."""
        return epoch_mean(trace.column(f"{self.observe}.{column}", *span))


class Windowed(Dynamics):
    """Base of scores of windows of following epochs."""

    window: int | None = Field(
        default=None, ge=2, description="J, epochs in a window; none = 10 as in the paper, or half of fewer than 20."
    )

    def window_of(self, span: Span) -> int:
        """J for these epochs."""
        return self.window or min(10, max(2, span.length // 2))

    def check(self, run: Observed, span: Span) -> None:  # noqa: ARG002 - the contract's signature
        if self.window_of(span) > span.length:
            raise RequestError(
                f"{self.name}: a window of {self.window_of(span)} epochs is longer than the {span.length} that are "
                f"read ({span.first}..{span.last}). Choose a smaller window, or more epochs."
            )
