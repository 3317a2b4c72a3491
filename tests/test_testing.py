"""The checks for plugin authors: each thing that a method can do wrong is caught, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor, nn

from rethinkdc.compressed import CompressedSet
from rethinkdc.contracts.context import Context
from rethinkdc.contracts.hooks import hookimpl
from rethinkdc.contracts.kinds import Compressor, Labeler, Score
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.method import Method
from rethinkdc.models import Model
from rethinkdc.testing import check_method, context, encoded, images, registry_with, shortened
from rethinkdc.training.targets import HardTargets
from rethinkdc.types import Budget, Images, Supervision, Track

Fault = Literal[
    "nothing",
    "too few",
    "unbalanced",
    "writes pixels",
    "writes targets",
    "global torch",
    "global numpy",
    "restored torch",
    "undeclared seed",
    "counts calls",
    "needs decoded",
    "source boxes",
]


class Faulty(Compressor):
    """The first images of each class, with a fault on demand."""

    name: ClassVar[str] = "faulty"

    fault: Fault = Field(default="nothing", description="What to do wrong.")

    def compress(self, data: Images, budget: Budget, context: Context) -> CompressedSet:
        rows = first_rows(data.targets, budget)
        if self.fault == "source boxes":
            canvases = data.canvases(rows, budget.size)
            boxes = torch.tensor([0, 0, 99, 4], dtype=torch.int32).expand(len(rows), 1, 4)
            part = {
                "canvases": canvases,
                "targets": data.targets[rows],
                "sources": rows[:, None],
                "source_boxes": boxes,
            }
            return CompressedSet.of_canvases([part], data.class_names)
        return CompressedSet.of_rows(data, _FAULTS.get(self.fault, lambda rows, *_: rows)(rows, data, context))


def first_rows(targets: Tensor, budget: Budget) -> Tensor:
    return torch.cat([(targets == index).nonzero().flatten()[: budget.ipc] for index in range(budget.classes)])


def wrote_pixels(rows: Tensor, data: Images, _: Context) -> Tensor:
    if isinstance(data, DecodedImages):
        data.pixels[0] += 1
    return rows


def wrote_targets(rows: Tensor, data: Images, _: Context) -> Tensor:
    data.targets[-1] = 0
    return rows


def drew(rows: Tensor, number: float) -> Tensor:
    """Another last row for another number; always one of the last class."""
    return torch.cat([rows[:-1], rows[-1:] + 1 + int(number * 15)])


def drew_in_secret(rows: Tensor, data: Images, _: Context) -> Tensor:
    state = torch.get_rng_state()
    # Of every class, so that two draws are never the same by chance.
    shuffled = torch.randperm(len(data))
    torch.set_rng_state(state)
    classes, count = len(data.class_names), len(rows) // len(data.class_names)
    return torch.cat([shuffled[data.targets[shuffled] == index][:count] for index in range(classes)])


def counted(rows: Tensor, *_: Any) -> Tensor:
    _CALLS.append(1)
    return drew(rows, len(_CALLS) / 16 % 1)


_CALLS: list[int] = []
_FAULTS: dict[str, Any] = {
    "too few": lambda rows, *_: rows[1:],
    "unbalanced": lambda rows, *_: torch.cat([rows[1:], rows[-1:] + 1]),
    "writes pixels": wrote_pixels,
    "writes targets": wrote_targets,
    "global torch": lambda rows, *_: (torch.rand(1), rows)[1],
    "global numpy": lambda rows, *_: (np.random.random(), rows)[1],  # noqa: NPY002 - the fault
    "restored torch": drew_in_secret,
    "undeclared seed": lambda rows, _, context: drew(rows, context.seeds.labels / 2),
    "counts calls": counted,
    "needs decoded": lambda rows, data, _: drew(rows, isinstance(data, DecodedImages) / 2),
}


class Constant(Score):
    """The same number for each row."""

    name: ClassVar[str] = "constant"

    value: float = Field(default=0.0, description="The number.")
    rows: int = Field(default=0, description="Rows to leave out.")

    def score(self, data: Images, context: Context) -> Tensor:
        return torch.full((len(data) - self.rows,), self.value) * torch.tensor(float("nan") if self.value else 1.0)


class Averaged(Labeler):
    """Hard labels whose loss is reduced too early."""

    name: ClassVar[str] = "averaged"
    track: ClassVar[Track] = "hard"

    def prepare(self, compressed: CompressedSet, context: Context) -> Supervision:
        class Reduced(HardTargets):
            def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
                return super().loss(logits, targets).mean()

        return Reduced()


class Unseeded(Model):
    """A linear model with the same weights every time."""

    name: ClassVar[str] = "unseeded"

    def build(self, classes: int, size: int) -> nn.Module:
        made = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, classes))
        for tensor in made.parameters():
            nn.init.zeros_(tensor)
        return made


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """These classes as the plugin that an author has on the path but has not installed."""
    module = ModuleType("plugin_under_test")
    classes: list[type[Method]] = [Faulty, Constant, Averaged, Unseeded]
    module.register_methods = hookimpl(lambda: classes)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plugin_under_test", module)
    for known in classes:
        monkeypatch.setattr(known, "__module__", "plugin_under_test")


def test_a_faultless_method_passes(tmp_path: Path) -> None:
    check_method(Faulty(), tmp_path)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("writes pixels", "changed the training data"),
        ("writes targets", "changed the training data"),
        ("global torch", "global random state of torch"),
        ("global numpy", "global random state of numpy"),
        ("restored torch", "another result under the same seeds"),
        ("counts calls", "another result under the same seeds"),
        ("undeclared seed", "depends on a seed axis that it does not declare"),
        ("needs decoded", "from encoded than from decoded"),
        ("source boxes", "source boxes outside"),
    ],
)
def test_a_fault_is_caught_and_named(fault: Fault, said: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=said):
        check_method(Faulty(fault=fault), tmp_path)


@pytest.mark.parametrize("fault", ["too few", "unbalanced"])
def test_a_missed_budget_is_refused(fault: Fault, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="budget: faulty"):
        check_method(Faulty(fault=fault), tmp_path)


def test_a_declared_seed_must_make_a_difference(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="same result under another set seed"):
        check_method(Faulty(), tmp_path, varies_with=("set",))
    check_method(Faulty(fault="undeclared seed"), tmp_path / "other", varies_with=("labels",))


@pytest.mark.parametrize(
    ("given", "said"), [({"value": 1.0}, "must score 80 of 80 rows"), ({"rows": 1}, "must give float32")]
)
def test_scores_must_be_one_number_for_each_row(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=said):
        check_method(Constant(**given), tmp_path)


def test_a_loss_must_be_unreduced(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unreduced"):
        check_method(Averaged(), tmp_path)


def test_weights_must_follow_the_seed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="same weights under another seed"):
        check_method(Unseeded(), tmp_path)


def test_a_module_that_is_not_installed_is_found_beside_the_installed_ones() -> None:
    registry = registry_with("plugin_under_test")
    assert registry.find("compressor", "faulty") is Faulty
    assert registry.find("compressor", "random").name == "random"


def test_the_images_are_sorted_by_class_and_the_same_each_time() -> None:
    made = images(classes=3, per_class=2, size=(5, 7))
    assert made.targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert made.pixels.shape == (6, 3, 5, 7)
    assert made.fingerprint == images(classes=3, per_class=2, size=(5, 7)).fingerprint
    assert made.fingerprint != images(classes=3, per_class=2, size=(5, 7), seed=1).fingerprint


def test_encoded_images_hold_the_same_pixels() -> None:
    made = images(classes=2, per_class=3)
    streamed = encoded(made)
    rows = torch.arange(6)
    assert all(torch.equal(*pair) for pair in zip(made.native(rows), streamed.native(rows), strict=True))
    assert streamed.fingerprint == made.fingerprint


def test_a_context_trains_the_shared_proxy_of_a_shortened_protocol(tmp_path: Path) -> None:
    surroundings = context(tmp_path)
    assert surroundings.protocol.modified
    assert surroundings.trace().epochs == 3
    assert surroundings.score("el2n").shape == (80,)
    assert surroundings.features().shape[0] == 80
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}


def test_a_context_may_keep_the_protocol_as_it_is(tmp_path: Path) -> None:
    whole = context(tmp_path, short=False).protocol
    assert not whole.modified
    assert shortened(whole, steps=3).training.steps == 3
