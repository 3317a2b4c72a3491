"""One method that is checked, and the tries of it that several rules look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.method import Method
from rethinkdc.runs.device import deterministic
from rethinkdc.seeds import Axis, Seeds
from rethinkdc.testing.bench import Bench
from rethinkdc.testing.commands import Said, call_commands
from rethinkdc.testing.making import MAKERS, Asked, comparable
from rethinkdc.testing.traces import Arguments, Traces, stir, traced
from rethinkdc.testing.watched import Watch
from rethinkdc.training.precision import computing
from rethinkdc.types import Images


@dataclass(frozen=True)
class Try:
    """What came of asking a method once.

    Attributes:
        result: as the method returned it.
        fields: what of it must be the same again.
        traces: what it left behind.
        watch: what it asked its context for.
        folder: where its cache lies.
    """

    result: Any
    fields: dict[str, Any]
    traces: Traces
    watch: Watch
    folder: Path


class Case:
    """One method that is checked.

    Attributes:
        method: it.
        bench: where it is tried.
        varies_with: the seed axes that its result depends on; None = nobody said.
    """

    def __init__(self, method: Method, bench: Bench, varies_with: Sequence[Axis] | None = None) -> None:
        self.method, self.bench, self.varies_with = method, bench, varies_with

    @property
    def kind(self) -> str:
        """The method's."""
        return self.method.kind

    @cached_property
    def label(self) -> str:
        """The method with its parameters, as tables print it."""
        return self.bench.registry.label(self.method)

    @cached_property
    def first(self) -> Try:
        """The first try. It is not looked at for draws: libraries that are imported for the first time draw too."""
        return self.attempt()

    @cached_property
    def again(self) -> Try:
        """A second one with the same seeds, in surroundings of its own."""
        return self.attempt()

    def attempt(self, data: Images | None = None, seeds: Seeds | None = None, ipc: int | None = None) -> Try:
        """Asks the method in fresh surroundings.

        Args:
            data: the training set; None = the bench's.
            seeds: None = 0 on each axis.
            ipc: None = the bench's.

        Raises:
            BrokenError: it gives nothing of its kind.
        """
        folder = self.bench.new_folder()
        asked = self.ask(folder, self.bench.data if data is None else data, seeds or Seeds(), ipc)
        traces = Traces()
        stir()
        # What the framework itself settles when it first computes is no trace of a method.
        with computing(self.bench.torch_device, "float32"):
            pass
        with deterministic(self.bench.torch_device), traced(traces, asked.arguments, folder):
            result = MAKERS[self.kind](asked)
            fields = comparable(result, asked)
        traces.changed += asked.context.watch.marked()
        return Try(result, fields, traces, asked.context.watch, folder)

    def ask(self, folder: Path, data: Images, seeds: Seeds, ipc: int | None = None) -> Asked:
        """The question that a try puts, in surroundings that lie in ``folder``."""
        budgeted = getattr(self.method, "budgeted", True)
        context = self.bench.surround(folder, data, seeds, (ipc or self.bench.ipc) if budgeted else None)
        arguments = Arguments()
        arguments.give("the training data", data)
        return Asked(self.method, data, context, self.bench, arguments)

    @cached_property
    def commands(self) -> list[Said]:
        """What the command line said of it; see :func:`call_commands`."""
        return call_commands(self.method, self.label, self.bench.protocol, self.bench.new_folder())

    @property
    def data(self) -> DecodedImages:
        """A copy of the bench's training set."""
        return self.bench.data
