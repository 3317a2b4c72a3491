"""What an inspection is made in: this machine, and the dataset that a run would take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Splits
from rethinkdc.errors import RequestError
from rethinkdc.inspection.companions import tell_dataset
from rethinkdc.runs.calls import InspectCall
from rethinkdc.runs.ground import Ground, resolve_ground
from rethinkdc.runs.machine import make_runner
from rethinkdc.runs.options import part_of
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run
from rethinkdc.runs.runner import Runner
from rethinkdc.runs.serving import check_request


@dataclass(frozen=True)
class Surroundings:
    """The call, and what follows from it once it is asked for."""

    call: InspectCall

    def of_own_dataset(self) -> Surroundings:
        """The same with the registered dataset that a trace, rows or scores say they are of, unless one is named."""
        if self.call.dataset or self.call.protocol or not (named := tell_dataset(self.path)):
            return self
        try:
            self.runner.registry.find(Dataset.kind, named)
        except RequestError:
            # A folder of somebody's: whoever reads the file says that it is of other data.
            return self
        return Surroundings(replace(self.call, dataset=named))

    @property
    def path(self) -> Path:
        """What is inspected."""
        return Path(self.call.file).expanduser()

    @cached_property
    def runner(self) -> Runner:
        """What would run it."""
        return make_runner(self.call)

    @cached_property
    def ground(self) -> Ground:
        """The dataset and protocol that a run would take.

        Raises:
            RequestError: there is no such dataset or protocol, or they do not go together.
        """
        call = self.call
        ground = resolve_ground(
            self.runner.registry,
            self.runner.cache,
            dataset=call.dataset,
            protocol=call.protocol,
            seeds=call.seeds,
            backing=call.backing,
        )
        return replace(ground, protocol=ground.protocol.override(call.changes, self.runner.registry.view_ops.find))

    @cached_property
    def splits(self) -> Splits:
        """The dataset's images; nothing is decoded for keeps."""
        return self.ground.dataset.load(self.runner.cache.root, "encoded")

    def plan(self, compressor: str, splits: Splits, *, labeler: str = "hard", dataset: str | None = None) -> Plan:
        """Resolves and checks a run of what is inspected, as ``run`` does before it computes anything.

        Args:
            compressor: makes the set.
            splits: images of the dataset.
            labeler: labels it.
            dataset: in place of the call's.
        """
        given = {"dataset": dataset} if dataset else {}
        request = part_of(self.call, Request, compressor=compressor, labeler=labeler, **given)
        try:
            run = resolve_run(request, self.runner.registry, self.runner.cache)
        except RequestError as error:
            return Plan(None, str(error))
        try:
            check_request(run, splits)
        except RequestError as error:
            return Plan(run, str(error))
        return Plan(run)


class Plan(NamedTuple):
    """A run that was resolved, and why it would be refused; empty = it would not."""

    run: Run | None
    refused: str = ""
