"""Recipes: rates, weight decay and lengths."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from rethinkdc.errors import RequestError
from rethinkdc.training import Length, Optimizer, Recipe, Schedule, order

FOUR_EPOCHS_OF_THREE = Length(rows=10, batch=4, steps=12, epochs=4)


def _factors(schedule: Schedule, length: Length) -> list[float]:
    return [schedule.factor(step, length) for step in range(length.steps)]


def test_cosine_per_epoch_holds_over_an_epoch_and_ends_above_zero() -> None:
    half = math.sqrt(0.5) / 2
    by_epoch = [1.0, 0.5 + half, 0.5, 0.5 - half]
    expected = [factor for factor in by_epoch for _ in range(3)]
    assert _factors(Schedule(), FOUR_EPOCHS_OF_THREE) == pytest.approx(expected, abs=1e-15)


def test_the_last_of_300_epochs_has_the_papers_rate() -> None:
    length = Length(rows=128, batch=128, steps=300, epochs=300)
    assert Schedule().factor(299, length) == 0.5 * (1 + math.cos(math.pi * 299 / 300)) > 0


def test_cosine_per_step_changes_after_each_step() -> None:
    length = Length(rows=4, batch=4, steps=3, epochs=3)
    assert _factors(Schedule(per="step"), length) == pytest.approx([1.0, 0.75, 0.25])


def test_warm_up_climbs_in_equal_steps_to_one_and_the_cosine_follows() -> None:
    length = Length(rows=4, batch=2, steps=6, epochs=3)
    # The cosine runs over the 4 steps left: 0.5 (1 + cos(pi k / 4)).
    half = math.sqrt(0.5) / 2
    expected = [0.5, 1.0, 1.0, 0.5 + half, 0.5, 0.5 - half]
    assert _factors(Schedule(per="step", warmup=1 / 3), length) == pytest.approx(expected)


def test_a_stretched_cosine_is_cut_off_where_the_training_ends() -> None:
    length = Length(rows=4, batch=4, steps=6, epochs=6)
    factors = _factors(Schedule(stretch=2), length)
    assert factors == pytest.approx([0.5 * (1 + math.cos(math.pi * epoch / 12)) for epoch in range(6)])
    # cos 0, cos 45 degrees, and one epoch before cos 90 degrees.
    assert factors[0] == 1.0
    assert factors[3] == pytest.approx(0.5 + math.sqrt(0.5) / 2)
    assert 0.5 < factors[5] < 0.65


def test_a_stretched_cosine_follows_the_warm_up() -> None:
    length = Length(rows=4, batch=2, steps=6, epochs=3)
    expected = [0.5, 1.0, *[0.5 * (1 + math.cos(math.pi * step / 12)) for step in range(4)]]
    assert _factors(Schedule(per="step", warmup=1 / 3, stretch=3), length) == pytest.approx(expected)


def test_a_stretched_line_is_edcs_schedule() -> None:
    # The lambda that the LambdaLR of shaoshitong/EDC at 80116a7 (train_FKD_parallel.py) steps by with --ls-type cos and
    # --st 2, at epochs 0, 1, 150 and 299 of 300: 1 - e / 600, whatever the option is called.
    length = Length(rows=1, batch=1, steps=300, epochs=300)
    schedule = Schedule(name="linear", stretch=2)
    assert [schedule.factor(epoch, length) for epoch in (0, 1, 150, 299)] == pytest.approx(
        [1.0, 0.9983333333333333, 0.75, 0.5016666666666667], abs=1e-15
    )


def test_a_line_follows_the_warm_up_and_would_end_at_zero() -> None:
    length = Length(rows=4, batch=2, steps=6, epochs=3)
    expected = [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert _factors(Schedule(name="linear", per="step", warmup=1 / 3), length) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["constant", "step"])
def test_only_a_curve_can_be_stretched(name: str) -> None:
    Schedule.model_validate({"name": name, "stretch": 1})
    with pytest.raises(ValidationError, match=f"stretch is for .* linear schedules; found 2.0 with name '{name}'"):
        Schedule.model_validate({"name": name, "stretch": 2})


def test_a_cosine_is_not_compressed() -> None:
    with pytest.raises(ValidationError, match="stretch"):
        Schedule(stretch=0.5)


@pytest.mark.parametrize("ema", [0.0, 1.0, -0.1])
def test_the_decay_of_the_average_lies_between_0_and_1(ema: float) -> None:
    with pytest.raises(ValidationError, match="ema"):
        Recipe(epochs=1, ema=ema)


@pytest.mark.parametrize("mode", ["json", "python"])
def test_fields_that_came_later_are_dumped_only_where_they_are_used(mode: str) -> None:
    plain = Recipe(epochs=1).model_dump(mode=mode)
    assert "ema" not in plain
    assert "stretch" not in plain["schedule"]
    explicit = Recipe(epochs=1, ema=None, schedule=Schedule(stretch=1))
    assert explicit.model_dump(mode=mode) == plain
    used = Recipe(epochs=1, ema=0.99, schedule=Schedule(stretch=2))
    dumped = used.model_dump(mode=mode)
    assert (dumped["ema"], dumped["schedule"]["stretch"]) == (0.99, 2.0)
    assert dumped == {**plain, "schedule": {**plain["schedule"], "stretch": 2.0}, "ema": 0.99}
    assert Recipe.model_validate(dumped) == used
    assert Recipe.model_validate_json(used.model_dump_json()) == used


def test_what_a_dump_leaves_out_by_request_stays_out() -> None:
    used = Recipe(epochs=1, ema=0.99, schedule=Schedule(stretch=2))
    dumped = used.model_dump(exclude={"ema": True, "schedule": {"stretch"}})
    assert "ema" not in dumped
    assert "stretch" not in dumped["schedule"]


def test_a_step_schedule_drops_at_its_milestones() -> None:
    length = Length(rows=8, batch=8, steps=8, epochs=8)
    schedule = Schedule(name="step", milestones=(0.5, 0.75))
    assert _factors(schedule, length) == pytest.approx([1.0] * 4 + [0.1] * 2 + [0.01] * 2)


def test_a_warmup_with_a_start_is_that_of_torch() -> None:
    """As ``LinearLR(start_factor=0.01, total_iters=5)``, then ``CosineAnnealingLR(T_max=15)``."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=5)
    factors = []
    for _ in range(5):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        rise.step()
    fall = [0.5 * (1 + math.cos(math.pi * epoch / 15)) for epoch in range(15)]
    length = Length(rows=8, batch=8, steps=20, epochs=20)
    assert _factors(Schedule(warmup=0.25, start=0.01), length) == pytest.approx([*factors, *fall])


def test_a_cosine_with_a_tail_is_that_of_edc() -> None:
    """The schedule ``cos2`` of ``train/direct_train.py`` of shaoshitong/EDC (80116a7), with st 2 and 12 epochs."""
    made = _factors(Schedule(stretch=2.0, tail=0.8334), Length(rows=8, batch=8, steps=12, epochs=12))
    assert made == pytest.approx(
        [1.0, 0.995722, 0.982963, 0.96194, 0.933013, 0.896677, 0.853553, 0.804381, 0.75, 0.691342, 0.62941, 0.052451],
        abs=1e-4,
    )


@pytest.mark.parametrize("wrong", [{"tail": 0.5, "name": "step"}, {"tail": 0.5, "warmup": 0.1}, {"start": 0.1}])
def test_a_tail_and_a_start_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is for"):
        Schedule.model_validate(wrong)


def test_a_constant_schedule_is_constant() -> None:
    assert set(_factors(Schedule(name="constant"), FOUR_EPOCHS_OF_THREE)) == {1.0}


def _network() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    network.register_parameter("scale", nn.Parameter(torch.ones(2, 2)))
    network.get_submodule("0").get_parameter("bias").requires_grad_(False)
    return network


def test_weight_decay_spares_norms_biases_and_tensors_not_named_weight() -> None:
    network = _network()
    made = Optimizer(weight_decay=0.5).make(network)
    names = {id(tensor): name for name, tensor in network.named_parameters()}
    decay = {names[id(p)]: group["weight_decay"] for group in made.param_groups for p in group["params"]}
    assert decay == {"0.weight": 0.5, "3.weight": 0.5, "1.weight": 0, "1.bias": 0, "3.bias": 0, "scale": 0}


def test_weight_decay_on_all_pulls_on_every_trainable_tensor() -> None:
    made = Optimizer(name="sgd", lr=0.1, weight_decay=1e-4, decay="all").make(_network())
    assert [group["weight_decay"] for group in made.param_groups] == [1e-4]
    assert len(made.param_groups[0]["params"]) == 6
    assert made.defaults["momentum"] == 0.9


def test_epochs_keep_the_last_partial_batch() -> None:
    length = Recipe(epochs=3, batch=4).length(10)
    assert length == Length(rows=10, batch=4, steps=9, epochs=3)
    assert (length.batches, length.whole, length.views) == (3, True, 30)


def test_the_batch_is_never_larger_than_the_set() -> None:
    assert Recipe(epochs=2, batch=128).length(10) == Length(rows=10, batch=10, steps=2, epochs=2)


def test_steps_may_end_inside_an_epoch() -> None:
    length = Recipe(steps=7, batch=4).length(10)
    assert length == Length(rows=10, batch=4, steps=7, epochs=3)
    assert (length.whole, length.views) == (False, 24)
    assert [len(step.rows) for step in length.walk(0)] == [4, 4, 2, 4, 4, 2, 4]


@pytest.mark.parametrize(
    ("ipc", "steps"),
    # Between 10 and 90 the middle in log ipc is 30, and the middle of 600 and 1,350 in log steps is 900.
    [(10, 600), (90, 1350), (30, 900), (1, 600), (500, 1350)],
)
def test_the_table_of_steps_is_exact_then_log_log_then_its_nearest_entry(ipc: int, steps: int) -> None:
    recipe = Recipe.model_validate_json('{"steps": {"90": 1350, "10": 600}, "batch": 64}')
    assert recipe.length(10 * ipc, ipc).steps == steps
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_a_table_of_steps_needs_an_ipc() -> None:
    with pytest.raises(RequestError, match="table by ipc"):
        Recipe(steps={10: 600}).length(100)


@pytest.mark.parametrize(("ipc", "batch"), [(1, 10), (9, 10), (10, 50), (49, 50), (50, 100), (200, 100)])
def test_of_a_table_of_batches_the_largest_ipc_up_to_the_sets_counts(ipc: int, batch: int) -> None:
    recipe = Recipe.model_validate_json('{"epochs": 3, "batch": {"50": 100, "1": 10, "10": 50}}')
    assert recipe.length(1000, ipc).batch == batch
    assert recipe.length(5, ipc).batch == 5
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    with pytest.raises(RequestError, match=r"batches are a table by ipc .* Give the recipe one number of batches\."):
        recipe.length(100)


@pytest.mark.parametrize(
    "length",
    [{}, {"epochs": 1, "batch": {}}, {"epochs": 1, "steps": 1}, {"steps": {}}, {"epochs": 0}, {"steps": {10: 0}}],
)
def test_exactly_one_length_is_given(length: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(length)


def test_an_empty_set_cannot_be_trained_on() -> None:
    with pytest.raises(RequestError, match="no images"):
        Recipe(epochs=1).length(0)


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="lerning"):
        Recipe.model_validate({"epochs": 1, "optimizer": {"lerning_rate": 1}})


def test_every_epoch_visits_every_row_once_in_an_order_of_its_own() -> None:
    length = Length(rows=10, batch=4, steps=6, epochs=2)
    epochs: dict[int, list[int]] = {0: [], 1: []}
    for step in length.walk(seed=3):
        assert step.batch == len(epochs[step.epoch]) // 4
        epochs[step.epoch] += step.rows.tolist()
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1]
    assert epochs[1] == order(3, 1, 10).tolist() != order(4, 1, 10).tolist()


@pytest.mark.parametrize("first", range(8))
def test_a_walk_from_the_middle_is_the_rest_of_the_whole_walk(first: int) -> None:
    length = Length(rows=10, batch=4, steps=7, epochs=3)
    rest = [(step.epoch, step.batch, step.rows.tolist()) for step in length.walk(1, first)]
    assert rest == [(step.epoch, step.batch, step.rows.tolist()) for step in length.walk(1)][first:]
