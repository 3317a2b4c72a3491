"""The kinds of method: what a plugin subclasses."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.measurement import Evaluation, Metric
from rethinkdc.method import Method
from rethinkdc.protocol.protocol import FullTraining, Protocol
from rethinkdc.reference import Reference
from rethinkdc.training.recipe import Recipe
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, Images, Supervision, Track


class Setting(NamedTuple):
    """The value of a parameter in one run, and where it comes from."""

    value: Any
    source: str


class Deviation(NamedTuple):
    """What the authors did that no parameter says, what is done here, and why they differ."""

    authors: str
    here: str
    why: str


class Adjustable(Method):
    """Base of the kinds whose open parameters may have other values for another dataset or budget."""

    def settings(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:  # noqa: ARG002
        """Every parameter's value in a run under a protocol and at an ipc, and where it comes from."""
        given = self.changed()
        return {key: Setting(getattr(self, key), "given" if key in given else "default") for key in type(self).fields()}

    def published(self, protocol: Protocol, ipc: int | None) -> dict[str, Setting]:
        """What the authors ran on such data, and where that stands: the parameters as they are when none is given."""
        needed = {key: getattr(self, key) for key, info in type(self).fields().items() if info.is_required()}
        return type(self)(**needed).settings(protocol, ipc)

    def deviations(self, protocol: Protocol, ipc: int | None) -> dict[str, Deviation]:  # noqa: ARG002
        """What beside the parameters is done otherwise than by the authors, by what it is about."""
        return {}


class Compressor(Adjustable):
    """Makes a compressed set from the training set.

    ``budgeted``: returns exactly ``budget.total`` canvases; only ``full`` is not.
    ``balanced``: the classes get exactly ``budget.per_class``; the core checks it.
    ``shares``: it heeds ``budget.per_class``, so that a share of the training set (``--keep``) may be asked of it.
    ``listed``: its rows are given, so that the classes have what the list holds, balanced or not.
    """

    kind: ClassVar[str] = "compressor"
    budgeted: ClassVar[bool] = True
    shares: ClassVar[bool] = False
    listed: ClassVar[bool] = False

    @property
    def balanced(self) -> bool:
        """Whether every class gets the same number of canvases."""
        return True

    @property
    def seen_in_cells(self) -> bool:
        """Whether the views of its sets show one of several cells each; static labels are then means over cells."""
        return False

    def open_references(self, size: int, classes: int) -> dict[str, tuple[Reference, ...]]:  # noqa: ARG002
        """References that are left open and that its paper names for such canvases, by parameter.

        The core puts them in their place before anything is keyed, so that a row of the bare name is the paper's.

        Raises:
            UnsupportedError: the paper names none for such canvases, and somebody must.
        """
        return {}

    def rows_per_canvas(self) -> int:
        """Training rows of its own class that one canvas takes; 0 for methods that synthesise."""
        return 1

    def own_size(self, rows: int, classes: int) -> int | None:  # noqa: ARG002
        """Images that it makes where nobody asks for a number; None = the protocol's.

        Args:
            rows: training rows.
            classes: of the training set.
        """
        return None

    def cells_per_side(self, size: int) -> int:  # noqa: ARG002 - depends on the size where a method chooses it
        """Cells per side of a canvas of ``size`` px, for methods that tile; the core refuses cells too small to see."""
        return 1

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        """Returns the set for ``budget``; a pure function of the data, the fields and the context's seeds."""
        raise NotImplementedError


class PaperProxy(NamedTuple):
    """The proxy run that a score's paper trains: in words, and what of it a record can check."""

    text: str
    optimizer: str
    epochs: int

    def met_by(self, recipe: Recipe, epochs: int) -> bool:
        """Whether a proxy of this recipe and length is at least what the paper asks for."""
        return recipe.optimizer.name == self.optimizer and epochs >= self.epochs


class Score(Adjustable):
    """Gives one number per training row; larger = "hard", the end that its paper keeps.

    ``wants`` is the proxy of its paper; records say ``proxy=paper`` where the protocol's is that, else
    ``proxy=shared``.
    """

    kind: ClassVar[str] = "score"
    wants: ClassVar[PaperProxy | None] = None

    def pooled(self, rows: int) -> int:
        """How many of N rows get a number; the others are NaN: not scored, never picked."""
        return rows

    def score(self, data: Images, context: Context) -> Tensor:
        """Returns float32 [N]."""
        raise NotImplementedError


class Labeler(Adjustable):
    """Gives labels to a compressed set."""

    kind: ClassVar[str] = "labeler"
    track: ClassVar[Track] = "hard"

    @property
    def takes_learned(self) -> bool:
        """Whether its labels are those that a set brings; records say it."""
        return False

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        """Returns the supervision that a student trains under."""
        raise NotImplementedError


class TeacherSource(Method):
    """Gives a trained network that labels, scores or is inverted. Ask for one with ``context.teacher(reference)``.

    ``trained_here``: on the run's training set alone, so that it may be used while a protocol is tuned.
    """

    kind: ClassVar[str] = "teacher"
    trained_here: ClassVar[bool] = False

    def check(self, protocol: Protocol, classes: int) -> None:
        """Refuses what can be seen to fail without training or loading anything.

        Raises:
            RequestError: says what does not fit the protocol or the number of classes.
        """

    def architecture(self, protocol: Protocol) -> Reference | None:  # noqa: ARG002
        """The model that it will be, where a long training comes first; None = nothing is saved by knowing."""
        return None

    def training(self, protocol: Protocol) -> FullTraining | None:  # noqa: ARG002
        """The training that gives it here, so that it can be planned; None = it is trained elsewhere."""
        return None

    def fetch(self) -> None:
        """Brings what it needs of a network onto this machine, so that :meth:`provide` opens no socket afterwards.

        Nothing where it needs none.

        Raises:
            RequestError: it cannot be had.
        """

    def provide(self, context: Context) -> Teacher:
        """Returns the frozen network with its normalisation, size and test view; its logits have the data's classes.

        Raises:
            RequestError: it cannot be had, or has other classes than the data.
        """
        raise NotImplementedError


class Evaluator(Method):
    """Trains a student on a labelled compressed set and tests it."""

    kind: ClassVar[str] = "evaluator"
    metrics: ClassVar[tuple[Metric, ...]]
    together: ClassVar[bool] = False
    """Whether ranks of ``torchrun`` evaluate together, each a share; else the first does it alone."""

    def evaluate(
        self, compressed: CompressedSet, supervision: Supervision, test: Images, context: Context
    ) -> Evaluation:
        """Returns the metrics of the last epoch."""
        raise NotImplementedError


class Tracker(Method):
    """Hears what happens in runs, as the run events of :mod:`~rethinkdc.contracts.hooks` do, and has parameters.

    What it keeps between events is a private attribute. What an event raises is a warning, and loses no run.
    """

    kind: ClassVar[str] = "tracker"

    def check(self) -> None:
        """Refuses what can be seen to fail before anything is computed.

        Raises:
            RequestError: a package is missing, or nobody is logged in; says what to do.
        """

    def run_started(self, definition: dict[str, Any], names: dict[str, str], key: str) -> None:
        """A run begins to compute; the one before may have been left without an end."""

    def epoch_ended(self, epoch: int, loss: float) -> None:
        """An epoch of the student's training, counted from 0, ended with this mean loss."""

    def run_finished(self, record: dict[str, Any]) -> None:
        """The run's record is on disk."""


KINDS: dict[str, Any] = {
    "compressor": Compressor,
    "score": Score,
    "labeler": Labeler,
    "teacher": TeacherSource,
    "evaluator": Evaluator,
}
