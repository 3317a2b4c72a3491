"""What a method is given beside the data: one page, and all of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.data.whitening import Whitening
from rethinkdc.method import Method
from rethinkdc.models.model import Model
from rethinkdc.protocol.full_training import TrainedNetwork
from rethinkdc.protocol.protocol import FullTraining, Network, Protocol
from rethinkdc.protocol.proxy import as_epoch
from rethinkdc.reference import Reference
from rethinkdc.seeds import Axis, Seeds, generator
from rethinkdc.training.checkpoint import EVERY, Resumable
from rethinkdc.training.teacher import Teacher
from rethinkdc.types import Budget, ChunksMaker, Images, PartsMaker, Predictions, Progress, ProxyNetwork, TraceTable

M = TypeVar("M", bound=Method)


class Silent:
    """Progress that shows nothing."""

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:  # noqa: ARG002
        yield lambda _: None


@dataclass(frozen=True, kw_only=True)
class Context(ABC):
    """The surroundings of a method; what is costly is computed once, kept, and shared with all that ask for the same.

    Attributes:
        data: the training set of the run.
        protocol: the fixed experiment.
        seeds: one seed for each axis of randomness.
        device: where networks run. Random numbers are always drawn on the CPU: see :meth:`generator`.
        ipc: images per class of the run; None for the full set, and for what does not depend on it.
        student: the network that the run trains; None for what does not depend on it.
        progress: where long work reports to.
        workers: threads that may render views ahead; no result depends on it.
    """

    data: Images
    protocol: Protocol
    seeds: Seeds
    device: torch.device
    ipc: int | None = None
    student: Network | None = None
    progress: Progress = field(default_factory=Silent)
    workers: int = 0

    # -- randomness, facts, other methods --------------------------------------------------------------------------

    def generator(self, axis: Axis, *names: str | int) -> torch.Generator:
        """A CPU generator for one use (``names``) on one seed axis; the global generators are nobody's."""
        return generator(self.seeds.of(axis, *names))

    @abstractmethod
    def note(self, **facts: Any) -> None:
        """Puts facts (JSON data) into the record: an accuracy, ties at the cut, external data that was used."""

    @abstractmethod
    def count_images(self, count: int) -> None:
        """Counts images that a network of the method's own looked at, so that the record tells the whole computation.

        Call it beside each pass of a batch: one image through one network counts once, forwards alone or forwards and
        backwards. What teachers are asked, what :meth:`train` trains and what :meth:`trace` and :meth:`predictions`
        take counts without it, as does the student. Test images do not count.

        Args:
            count: images of the batch. They count for the stage of what is being made; a kill loses none that a kept
                part or state of :meth:`resumable` holds.
        """

    @abstractmethod
    def method(self, kind: type[M], reference: Reference | str) -> M:
        """The method of a kind that a reference names: ``context.method(Model, self.network)``.

        Raises:
            RequestError: there is none, or a parameter is wrong.
        """

    @abstractmethod
    def define(self, method: Method) -> dict[str, Any]:
        """All that a method's result depends on, as JSON data: for keys of :meth:`artefact`."""

    # -- long work -------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def folder(self) -> Path:
        """A private folder of the piece of work that goes on; it survives a kill and goes when the work is done.

        Raises:
            RequestError: no artefact is being made and no student is being trained.
        """

    @abstractmethod
    def parts(self, count: int, make: PartsMaker, *, files: Sequence[str] | None = None) -> Sequence[dict[str, Tensor]]:
        """Makes ``count`` parts of a set; each is whole on disk or not at all, and is not made twice.

        A kill loses the part that was being made, or of one that asks for a :meth:`resumable` what came after its last
        state. Ranks of ``torchrun`` make a share of the parts each.

        Args:
            count: number of parts.
            make: makes part ``index`` as named tensors, from the index alone.
            files: names of the parts in :attr:`folder`, safetensors, for work that wants them as files.

        Returns:
            The parts in order, memory-mapped.
        """

    @abstractmethod
    def chunks(
        self, name: str, count: int, step: int, make: ChunksMaker, *, unit: str = "rows", of: Any = None
    ) -> Sequence[dict[str, Tensor]]:
        """Passes over ``count`` rows, ``step`` at a time: what is done is not lost by a kill, and is not done twice.

        ::

            def distances(spans):
                for span in spans:
                    yield {"value": distance(rows[span.start : span.stop])}

            scores = joined(context.chunks("my-score", len(rows), 64, distances), "value")

        A kill loses what came after the last writing, a minute at most, and one chunk, or of one that asks for a
        :meth:`resumable` what came after its last state; a pass that is over sooner writes nothing. Ranks of
        ``torchrun`` make a share of the chunks each, where they do this work together. Asked for while a part of
        :meth:`parts` is made, it is that part's own.

        Args:
            name: what the progress calls the pass; tells it from others of the same piece of work, or of the same part.
            count: rows, or whatever else is passed over.
            step: rows in a chunk; the last may have fewer. It must not depend on the machine.
            make: is given chunks, as ranges of positions, and yields the result of each in their order, as named
                tensors. It may look ahead, and must make each result from its own rows alone.
            unit: what is passed over, in the plural.
            of: JSON data of what the results depend on, where the piece of work does not settle it, such as the weights
                of a network that is still being trained; the results of another are not kept any longer.

        Returns:
            The results of all chunks in order, those that were written memory-mapped.
        """

    @abstractmethod
    def resumable(self, name: str, *, every: float = EVERY) -> Resumable:
        """State of a longer work that survives a kill; the seconds and images before the kill are counted.

        Asked for while a part of :meth:`parts` or a chunk of :meth:`chunks` is made, it is that one's own, and goes
        when the part or the chunk is done.

        Args:
            name: tells it from other states of the same piece of work, or of the same part.
            every: seconds between two times that the state is written; more where writing it takes long.
        """

    @abstractmethod
    def train(
        self,
        recipe: FullTraining,
        *names: str | int,
        model: Model | None = None,
        axis: Axis = "set",
        stage: str = "synthesis",
        keep_epochs: Sequence[int] = (),
        whitened: bool = False,
    ) -> TrainedNetwork:
        """Trains a network on the training set under hard labels: seeded, resumed after a kill, timed, shared.

        Args:
            recipe: architecture, normalisation, optimiser, length and views, such as
                ``context.protocol.proxy_recipe()``.
            *names: tell it from other networks of the same recipe: ``context.train(recipe, "expert", 3)``.
            model: architecture in place of the recipe's.
            axis: whose seed it depends on; under ``teacher`` sets of several seeds share the network.
            stage: what its seconds are counted as.
            keep_epochs: epochs after which the weights are kept too; 0 = the initial ones.
            whitened: show it images of :meth:`whitening` in place of normalised ones; views are then floats that
                nothing rounds or clips.
        """

    @abstractmethod
    def whitening(self) -> Whitening:
        """The ZCA whitening of the training set's canvases, and its inverse; fitted once and shared.

        Raises:
            UnsupportedError: the canvases are too large for its matrix.
        """

    @abstractmethod
    def artefact(
        self, kind: str, key: Any, stage: str, build: Callable[[Context, Path], float | None], *, files: Sequence[str]
    ) -> Path:
        """Finds or makes something that is kept in the cache; its notes and seconds become this run's.

        Args:
            kind: what it is, as a folder name of the cache: ``statistics``.
            key: JSON data that holds all that it depends on: the images (``data.fingerprint``), the seeds by which it
                draws (``seeds.set``), the methods that it computes with (:meth:`define`), networks (the name of a
                ``TrainedNetwork.folder`` is the digest of all that one depends on), and every value of the protocol, or
                of the method's own, that is read for it. Nothing is added to it: what it leaves out is not told apart.
            stage: what its seconds are counted as: proxy, teacher, selection, synthesis, labels, or a new name.
            build: is called with a context of its own and the folder to fill. It may return its seconds over all
                tries, where it knows them better than the clock of this process.
            files: names of the files that it will hold. Nothing is kept while one is missing.

        Returns:
            The folder, whole and checked.

        Raises:
            IncompleteError: a declared file is missing when ``build`` ends.
        """

    # -- what the shared proxy knows of the training set -----------------------------------------------------------

    @property
    def proxy_epochs(self) -> int:
        """Length of the protocol's proxy on this training set; known without training it."""
        return self.protocol.proxy_recipe().training.length(len(self.data)).epochs

    @property
    def clean_epochs(self) -> tuple[int, ...]:
        """The 1-based epochs after which the proxy observes un-augmented rows."""
        return tuple(sorted({as_epoch(value, self.proxy_epochs) for value in self.protocol.proxy_recipe().clean}))

    @abstractmethod
    def trace(self, repeat: int = 0) -> TraceTable:
        """The trace of the protocol's proxy (``repeat`` > 0: of an independent further run)."""

    @abstractmethod
    def predictions(self) -> Predictions:
        """Features float32 [N, D] and logits float32 [N, C] of the un-augmented training rows, memory-mapped."""

    def features(self) -> Tensor:
        """Penultimate features of the un-augmented training rows under the proxy: float32 [N, D], memory-mapped."""
        return self.predictions().features

    @abstractmethod
    def proxy_network(self) -> ProxyNetwork:
        """The trained proxy, frozen, with its view of the training rows: for methods that differentiate through it."""

    @abstractmethod
    def score(self, reference: Reference | str) -> Tensor:
        """Scores of the training rows: float32 [N], larger = "hard"; NaN for rows outside the score's pool.

        Raises:
            RequestError: the score is not one number per row of its pool.
        """

    # -- teachers, and sets that other compressors make ------------------------------------------------------------

    @abstractmethod
    def teacher(self, reference: Reference | str | None = None) -> Teacher:
        """A frozen teacher, with its accuracy on the test images; the record tells of it.

        Args:
            reference: which; None = the protocol's.

        Raises:
            RequestError: the protocol has none, the named one cannot be had or may have seen the split that is tuned
                on, or the method that asks declares no parameter that names a teacher.
        """

    @abstractmethod
    def untrained_teacher(self, reference: Reference | str | None = None) -> nn.Module | None:
        """The network that a teacher will be, before the training that :meth:`teacher` may take; None = it needs none.

        So that a method refuses a network that it cannot use at once.
        """

    @abstractmethod
    def compress(self, reference: Reference | str, data: Images, budget: Budget) -> CompressedSet:
        """The set that another compressor makes of ``data``, checked against the budget.

        Raises:
            RequestError: the method returned another number of canvases, another size, or wrong targets.
        """

    # -- the student -----------------------------------------------------------------------------------------------

    @abstractmethod
    def epoch_ended(self, epoch: int, loss: float) -> None:
        """Tells whoever follows the run that the student ended a 0-based epoch, with its mean loss."""
