"""Networks of a method's own: keyed, seeded, resumed after a kill, their weights kept by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.context.run import RunContext
from rethinkdc.contracts import FullTraining, Recipe, Reference, RequestError, TrainedNetwork
from rethinkdc.seeds import Seeds
from rethinkdc.testing import context, images
from rethinkdc.training import loop
from rethinkdc.training.recipe import Optimizer

RECIPE = FullTraining(
    model=Reference(name="convnet", values={"depth": 1, "width": 4}),
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
    training=Recipe(epochs=3, batch=8, optimizer=Optimizer(name="sgd", lr=0.05)),
)


def here(folder: Path, **seeds: int) -> RunContext:
    return context(folder, data=images(classes=3, per_class=8), seeds=Seeds(**seeds))


def state(trained: TrainedNetwork) -> dict[str, torch.Tensor]:
    return dict(trained.network().state_dict())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def count_steps(monkeypatch: pytest.MonkeyPatch, ends_at: int | None = None) -> list[int]:
    """The steps that are trained from here on; training is interrupted at the call ``ends_at``."""
    steps, original = list[int](), loop._Training._train

    def counted(self: Any, step: Any, rendered: Any) -> Any:
        if len(steps) == ends_at:
            raise KeyboardInterrupt
        steps.append(self.step)
        return original(self, step, rendered)

    monkeypatch.setattr(loop._Training, "_train", counted)
    return steps


def test_a_network_is_trained_once_for_all_that_ask_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = count_steps(monkeypatch)
    first = here(tmp_path).train(RECIPE, "expert", 0)
    again = here(tmp_path).train(RECIPE, "expert", 0)
    assert len(steps) == 9
    assert same(state(first), state(again))


def test_names_and_seeds_make_other_networks_and_axes_that_are_not_named_do_not(tmp_path: Path) -> None:
    first = state(here(tmp_path).train(RECIPE, "expert", 0))
    assert not same(first, state(here(tmp_path).train(RECIPE, "expert", 1)))
    assert not same(first, state(here(tmp_path, set=1).train(RECIPE, "expert", 0)))
    assert same(first, state(here(tmp_path, proxy=1, teacher=1, labels=1, student=1).train(RECIPE, "expert", 0)))
    by_proxy = state(here(tmp_path).train(RECIPE, "expert", 0, axis="proxy"))
    assert not same(by_proxy, state(here(tmp_path, proxy=1).train(RECIPE, "expert", 0, axis="proxy")))


def test_weights_are_kept_at_the_epochs_that_are_named(tmp_path: Path) -> None:
    trained = here(tmp_path).train(RECIPE, "expert", keep_epochs=(3, 0, 1))
    assert trained.keep_epochs == (0, 1, 3)
    assert same(trained.weights(3), state(trained))
    initial, first = trained.weights(0), trained.weights(1)
    assert not same(initial, first)
    # One epoch of the same order, views and initial weights ends where the first of three does: the rate is constant
    # within an epoch, and the first epoch's factor is 1.
    shorter = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update={"epochs": 1})})
    assert same(here(tmp_path).train(shorter, "expert").network().state_dict(), first)
    with pytest.raises(RequestError, match=r"after epoch 2 were not kept; kept: 0, 1, 3"):
        trained.weights(2)


@pytest.mark.parametrize("wrong", [(-1,), (4,), (0, 9)])
def test_epochs_outside_the_training_are_refused_before_it(
    wrong: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = count_steps(monkeypatch)
    with pytest.raises(ValueError, match=r"keep_epochs must lie in 0\.\.3"):
        here(tmp_path).train(RECIPE, "expert", keep_epochs=wrong)
    assert steps == []


def test_a_killed_training_goes_on_to_the_same_weights_at_every_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = here(tmp_path / "whole").train(RECIPE, "expert", keep_epochs=(0, 1, 2, 3))
    # A checkpoint after every step, as if a minute had passed.
    monkeypatch.setattr("rethinkdc.training.checkpoint.Clock.due", lambda _: True)
    with monkeypatch.context() as killed:
        count_steps(killed, ends_at=5)
        with pytest.raises(KeyboardInterrupt):
            here(tmp_path / "killed").train(RECIPE, "expert", keep_epochs=(0, 1, 2, 3))
    steps = count_steps(monkeypatch)
    again = here(tmp_path / "killed").train(RECIPE, "expert", keep_epochs=(0, 1, 2, 3))
    assert steps == [5, 6, 7, 8]
    for epoch in range(4):
        assert same(whole.weights(epoch), again.weights(epoch))


def test_a_stage_of_ones_own_is_counted(tmp_path: Path) -> None:
    surroundings = here(tmp_path)
    surroundings.train(RECIPE, "expert", stage="experts")
    assert surroundings.books.by_stage()["experts"] > 0
    again = here(tmp_path)
    again.train(RECIPE, "expert", stage="experts")
    assert again.books.by_stage()["experts"] == surroundings.books.by_stage()["experts"]
