"""Rules of datasets, models, trackers, engines and protocols: each is broken by something that breaks nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.contracts.engines import Crew, Engine
from rethinkdc.contracts.kinds import Tracker
from rethinkdc.data.backing import Backing
from rethinkdc.data.dataset import Dataset
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.splits import Schema, Splits
from rethinkdc.errors import DataError, RequestError
from rethinkdc.method import Method
from rethinkdc.models import Model
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import encoded, images, outside_rules
from rethinkdc.testing.outside_rules import ENGINE
from rethinkdc.testing.protocol_rules import PROTOCOL, ProtocolCase
from rethinkdc.testing.rule import Rule
from rethinkdc.testing.rule import judge as judge_by
from tests.testing.conftest import Judge


class Tiny(Dataset):
    """Random images, with a fault on demand."""

    name: ClassVar[str] = "tiny"
    fault: Literal["nothing", "fingerprint", "classes", "backings", "numpy", "absent"] = Field(
        default="nothing", description="What to do wrong."
    )

    def load(self, cache_folder: Path | None = None, backing: Backing = "auto") -> Splits:
        if self.fault == "absent":
            raise DataError("There is no tiny dataset here.")
        if self.fault == "numpy":
            np.random.random()  # noqa: NPY002 - the fault
        streamed = backing == "encoded"
        held = images(classes=3, per_class=4, seed=2 if self.fault == "backings" and streamed else 0)
        known = str(streamed) if self.fault == "fingerprint" else "tiny"
        rows = held.targets < (2 if self.fault == "classes" else 3)
        train = DecodedImages(held.pixels[rows], held.targets[rows], held.class_names, known)
        test = images(classes=3, per_class=2, seed=1)
        return Splits(encoded(train) if streamed else train, encoded(test) if streamed else test)


class Lying(Tiny):
    """Declares another number of classes than it has."""

    name: ClassVar[str] = "lying"
    schema: ClassVar[Schema | None] = Schema(classes=7)  # type: ignore[assignment]


class Twice(nn.Module):
    """Gives its last layer each image twice."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(inputs, classes)

    def forward(self, batch: Tensor) -> Tensor:
        flat = batch.flatten(1)
        out: Tensor = self.last(torch.cat([flat, flat]))[: len(flat)]
        return out


class Network(Model):
    """A linear model, with a fault on demand."""

    name: ClassVar[str] = "network"
    fault: Literal["nothing", "features", "threads", "raises"] = Field(
        default="nothing", description="What to do wrong."
    )

    def build(self, classes: int, size: int) -> nn.Module:
        if self.fault == "raises":
            raise ValueError("not today")
        if self.fault == "threads":
            torch.set_num_threads(torch.get_num_threads() + 1)
        inputs = 3 * size * size
        flat = nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes))
        return Twice(inputs, classes) if self.fault == "features" else flat


class Hearing(Tracker):
    """Hears what is told, with a fault on demand."""

    name: ClassVar[str] = "hearing"
    fault: Literal["nothing", "numbers", "writes", "absent"] = Field(default="nothing", description="What to do wrong.")

    def check(self) -> None:
        if self.fault == "absent":
            raise RequestError("The package of this tracker is missing.")

    def epoch_ended(self, epoch: int, loss: float) -> None:
        if self.fault == "numbers":
            math.floor(loss)

    def run_finished(self, record: dict[str, Any]) -> None:
        if self.fault == "writes":
            record["status"] = "mine"


class Done(Crew):
    """Processes that did their work at once, or go on for ever."""

    def __init__(self, left: int) -> None:
        self.left = left

    def running(self) -> int:
        return self.left

    def stop(self) -> None:
        pass


class AtOnce(Engine):
    """Does what the kit's command would, in no process at all, with a fault on demand."""

    name: ClassVar[str] = "at-once"
    fault: Literal["nothing", "slots", "fewer", "deaf"] = Field(default="nothing", description="What to do wrong.")

    def slots(self, jobs: int) -> int:
        return 0 if self.fault == "slots" else jobs

    def start(self, command: Sequence[str], count: int, folder: Path) -> Crew:
        marks = Path(command[-1])
        if not marks.is_dir():
            return Done(1 if self.fault == "deaf" else 0)
        for number in range(count - (self.fault == "fewer")):
            (marks / str(number)).touch()
        return Done(0)


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nobody waits for what never ends, and threads are as many as before."""
    monkeypatch.setattr(outside_rules, "_PATIENCE", 0.0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("method", "rule", "differs", "said"),
    [
        (Tiny(fault="fingerprint"), "fingerprint", "fingerprint", "another fingerprint for each backing"),
        (Tiny(fault="classes"), "classes", "train", "no image of the classes [2] in train"),
        (Tiny(fault="backings"), "backings", "pixels of train", "other pixels for each backing"),
        (Tiny(fault="numpy"), "process", "global random state of numpy", "left behind another"),
        (Lying(), "schema", "classes", "declares classes = 7 and has 3"),
        (Network(fault="features"), "features", "features", "gives features of [8, "),
        (Network(fault="threads"), "process", "torch's number of threads", "number of threads"),
        (Network(fault="raises"), "works", "ValueError", "not today"),
        (Hearing(fault="numbers"), "events", "ValueError", "raises ValueError"),
        (Hearing(fault="writes"), "events", "arguments", "changes what it is told"),
        (AtOnce(fault="slots"), "slots", "slots", "slots(3) = 0"),
        (AtOnce(fault="fewer"), "starts", "processes", "started 2 processes, of which 1 did their work"),
        (AtOnce(fault="deaf"), "stops", "stop", "a process goes on that was stopped"),
    ],
    ids=lambda value: f"{type(value).__name__}-{value}" if isinstance(value, Method) else None,
)
def test_a_fault_breaks_its_rule_alone(method: Method, rule: str, differs: str, said: str, judge: Judge) -> None:
    report = judge(method, quick=not isinstance(method, Engine))
    assert [verdict.rule for verdict in report.broken] == [rule], report.sentences()
    assert report.broken[0].differs == differs
    assert said in report.broken[0].told


@pytest.mark.parametrize("method", [Tiny(), Network(), Hearing(), AtOnce()], ids=lambda value: value.name)
def test_what_is_sound_keeps_every_rule(method: Method, judge: Judge) -> None:
    report = judge(method, quick=not isinstance(method, Engine))
    assert report.kept, report.sentences()


@pytest.mark.parametrize(("method", "said"), [(Tiny(fault="absent"), "not here"), (Hearing(fault="absent"), "says so")])
def test_what_is_missing_here_is_no_fault_and_no_proof(method: Method, said: str, judge: Judge) -> None:
    report = judge(method)
    assert not report.broken
    assert not report.tried
    assert any(said in verdict.told for verdict in report.verdicts)


def test_a_protocol_that_reads_back_as_another_is_found_out(tmp_path: Path) -> None:
    registry = Registry()
    found, other = registry.protocols.find("digits-hard"), registry.protocols.find("digits-soft")

    class Mistaken(ProtocolCase):
        """Is written as another."""

        @cached_property
        def file(self) -> Path:
            place = tmp_path / "other.toml"
            place.write_text(write_toml(other))
            return place

    verdicts = list(judge_by(Mistaken(found, registry, tmp_path), PROTOCOL[:2]))
    assert [(one.rule, one.outcome, one.differs) for one in verdicts] == [
        ("works", "broken", "digest"),
        ("described", "does not apply", ""),
    ]


def test_what_would_take_minutes_is_not_trained(tmp_path: Path) -> None:
    registry = Registry()
    large = registry.protocols.find("imagenet1k-hard")
    (trains,) = (one for one in judge_by(ProtocolCase(large, registry, tmp_path), PROTOCOL) if one.rule == "trains")
    assert trains.outcome == "does not apply"
    assert "px: a few steps would take minutes on a CPU" in trains.told


def test_an_engine_that_makes_runs_here_starts_nothing() -> None:
    here: Any = SimpleNamespace(method=SimpleNamespace(here=True))
    verdicts = list(judge_by(here, [Rule(one.name, one.demands, one.check) for one in ENGINE if one.name == "starts"]))
    assert [one.told for one in verdicts] == ["its runs are made by the sweep's own processes"]
