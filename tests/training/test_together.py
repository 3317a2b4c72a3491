"""Ranks train one model: the same batches and views, and the weights of one process but for rounding."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc import interruption, ranks
from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore, Store
from rethinkdc.errors import DivergedError, RequestError
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Recipe, TestView, TraceRecorder, predict_batches, train_network
from rethinkdc.training.checkpoint import FILE
from rethinkdc.training.recipe import Optimizer
from rethinkdc.training.share import Share, share_of
from rethinkdc.training.trace_recorder import TraceAssistant
from rethinkdc.types import ViewBatch, ViewKey, ViewRule
from rethinkdc.views import CutMix, Flip, RandomResizedCrop, Views
from tests.ranks.launching import Ended, launch, values

ROWS, CLASSES, SIZE = 19, 3, 8
"""Batches of 8, 8 and 3: four ranks cannot share the last one."""
MEAN = STD = (0.5, 0.5, 0.5)
RECIPE = Recipe(
    optimizer=Optimizer(lr=3e-3),
    epochs=17,
    batch=8,
    views=(RandomResizedCrop(op="random-resized-crop"), Flip(op="flip")),
    ema=0.8,
)
CLOSE = 2e-4
"""How far losses, and weights, of 51 steps may be apart: rounding, which AdamW and BatchNorm make larger."""


class RecordedViews(Views):
    """Keeps what each batch was rendered as."""

    def __init__(self) -> None:
        super().__init__(RECIPE.views, CutMix(op="cutmix"), size=SIZE, rule=ViewRule(), cell_boxes=None)
        self.given: list[ViewBatch] = []

    def render(
        self, store: Store, rows: Tensor, targets: Tensor, key: ViewKey, places: Tensor | None = None
    ) -> ViewBatch:
        batch = super().render(store, rows, targets, key, places)
        self.given.append(batch)
        return batch


class Ends:
    """Ends the process, or what it is at, after so many batches."""

    wants_batches = True
    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(self, after: int, how: str) -> None:
        self.left, self.how = after, how

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        self.left -= 1
        if not self.left:
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RequestError("enough")

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        return True


def images() -> DecodedImages:
    pixels = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(1))
    return DecodedImages(pixels, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))


def network(norm: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        normed = nn.BatchNorm2d(6) if norm == "batch" else nn.GroupNorm(2, 6)
        # No bias before BatchNorm: it has no gradient but rounding, which AdamW makes as large as any.
        layers = [nn.Conv2d(3, 6, 3, bias=False), normed, nn.ReLU(), nn.Conv2d(6, 6, 3, bias=False)]
        return nn.Sequential(
            *layers,
            nn.BatchNorm2d(6) if norm == "batch" else nn.GroupNorm(3, 6),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6 * 16, CLASSES),
        )


def train(
    folder: Path,
    *,
    norm: str = "batch",
    recipe: Recipe = RECIPE,
    ends: tuple[int, str] | None = None,
    weighted: bool = True,
    broken: bool = False,
) -> dict[str, Any]:
    """What a training with a trace gives: all that may differ between numbers of ranks."""
    data, views = images(), RecordedViews()
    model = network(norm)
    weights = torch.linspace(0.5, 1.5, ROWS) if weighted else None
    seen = partial(
        predict_batches,
        images=data,
        view=TestView(resize=SIZE, size=SIZE),
        mean=MEAN,
        std=STD,
        device=torch.device("cpu"),
        batch=4,
        features=True,
    )
    recorder: Any = TraceAssistant(clean_epochs=(1, 17), observe_clean=seen)
    if ranks.writes():
        recorder = TraceRecorder(
            folder / "work",
            rows=ROWS,
            epochs=recipe.epochs or 0,
            classes=CLASSES,
            clean_epochs=(1, 17),
            observe_clean=seen,
        )
    if broken:
        next(model.parameters()).data[0] = float("nan")
    log = train_network(
        model,
        CanvasStore(data, SIZE),
        data.targets,
        views,
        HardTargets(label_smoothing=0.1),
        recipe,
        recipe.length(ROWS),
        mean=MEAN,
        std=STD,
        seeds=LoopSeeds(order=1, views=2, noise=3),
        device=torch.device("cpu"),
        weights=weights,
        folder=folder / "work",
        checkpoint_every=0 if ends else 1e9,
        observers=[recorder, *([Ends(*ends)] if ends else [])],
    )
    if ranks.writes():
        recorder.finish(folder / "trace")
    return {
        "curve": log.curve,
        "steps": [log.steps, log.views],
        "weights": dict(model.state_dict()),
        "places": [torch.arange(len(batch.rows)) if batch.places is None else batch.places for batch in views.given],
        "rows": [batch.rows for batch in views.given],
        "pixels": [batch.pixels for batch in views.given],
        "partners": [batch.partner_rows for batch in views.given],
        "areas": [batch.area for batch in views.given],
    }


def trace_of(folder: Path) -> Tensor:
    from rethinkdc.training import Trace

    trace = Trace(folder / "trace")
    clean = [trace.column("clean.p", epoch, epoch).expand(17, -1) for epoch in (1, 17)]
    return torch.stack([*(trace.column(f"train.{name}", 1, 17) for name in ("p", "entropy", "grad")), *clean])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("alone")
    return train(folder), folder


def same_training(first: Mapping[str, Any], second: Mapping[str, Any], within: float = CLOSE) -> None:
    torch.testing.assert_close(torch.tensor(first["curve"]), torch.tensor(second["curve"]), rtol=0, atol=within)
    for name, tensor in first["weights"].items():
        torch.testing.assert_close(tensor, second["weights"][name], rtol=0, atol=within)


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_render_the_batches_of_one_process_and_learn_what_it_learns(
    world: int, alone: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    whole, folder = alone
    given = values(launch(world, partial(train, tmp_path), tmp_path))
    for step in range(51):
        batch = {name: whole[name][step] for name in ("rows", "pixels", "partners", "areas")}
        shares = [one["places"][step] for one in given]
        # Each position once, but for ranks for which there is none.
        counted = torch.cat(shares[: len(batch["rows"])])
        assert counted.tolist() == list(range(len(batch["rows"])))
        for one, places in zip(given, shares, strict=True):
            for name, values_of_all in batch.items():
                assert torch.equal(one[name][step], values_of_all[places]), (step, name)
    for one in given:
        assert one["steps"] == whole["steps"]
        same_training(one, whole)
        assert all(torch.equal(tensor, given[0]["weights"][name]) for name, tensor in one["weights"].items())
    torch.testing.assert_close(trace_of(tmp_path), trace_of(folder), rtol=0, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3, 4])
def test_without_batchnorm_ranks_are_one_process_to_a_millionth(world: int, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"optimizer": Optimizer(name="sgd", lr=0.05)})
    whole = train(tmp_path / "alone", norm="group", recipe=recipe)
    for one in values(launch(world, partial(train, tmp_path, norm="group", recipe=recipe), tmp_path)):
        same_training(one, whole, 1e-6)


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_groups_of_a_batch_do_not_depend_on_the_ranks(
    world: int, alone: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"norm_groups": 4})
    whole = train(tmp_path / "alone", recipe=recipe)
    assert (whole["weights"]["1.running_var"] - alone[0]["weights"]["1.running_var"]).abs().max() > 1e-3
    for one in values(launch(world, partial(train, tmp_path, recipe=recipe), tmp_path)):
        same_training(one, whole)


def stopped(ended: list[Ended], world: int) -> None:
    """The first rank ended in the middle of the training, and all others with it."""
    assert len(ended) == world
    assert "RequestError: enough" in ended[0].error
    assert all("RankError" in one.error for one in ended[1:])


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_ranks(alone: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    stopped(launch(2, partial(train, tmp_path, ends=(14, "raise")), tmp_path), 2)
    stopped(launch(1, partial(train, tmp_path, ends=(13, "raise")), tmp_path), 1)
    for one in values(launch(4, partial(train, tmp_path), tmp_path)):
        # Of the 51 steps 13 and 12 were done before.
        assert len(one["rows"]) == 26
        same_training(one, alone[0])
    torch.testing.assert_close(trace_of(tmp_path), trace_of(alone[1]), rtol=0, atol=2e-3)


def killed_second(folder: Path) -> dict[str, Any]:
    """The second rank is killed when it has rendered ten batches."""
    if ranks.rank() == 1:
        render = RecordedViews.render

        def dies(self: RecordedViews, *given: Any, **named: Any) -> ViewBatch:
            if len(self.given) == 10:
                os.kill(os.getpid(), signal.SIGKILL)
            return render(self, *given, **named)

        RecordedViews.render = dies  # type: ignore[method-assign]
    return train(folder, ends=(1000, "raise"))


def test_a_killed_rank_ends_the_others_and_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    first, second = launch(2, partial(killed_second, tmp_path), tmp_path)
    assert second.code == -signal.SIGKILL
    assert first.error.startswith("RankError: Rank 1 of 2 has not been there")
    assert (tmp_path / "work" / FILE).exists()
    gone_on = train(tmp_path)
    assert len(gone_on["rows"]) == 51 - 10


def asked_to_end(folder: Path, which: int, when: str) -> dict[str, Any]:
    """A rank is sent a signal in its tenth step, of which no checkpoint is due."""
    if ranks.rank() == which:
        ask_once = count_to(10, lambda: os.kill(os.getpid(), signal.SIGTERM))
        if when == "rendered":
            render = RecordedViews.render

            def asked(self: RecordedViews, *given: Any, **named: Any) -> ViewBatch:
                ask_once()
                return render(self, *given, **named)

            RecordedViews.render = asked  # type: ignore[method-assign]
        else:
            backward: Any = Tensor.backward

            def heard(self: Tensor, *given: Any, **named: Any) -> None:
                backward(self, *given, **named)
                ask_once()

            Tensor.backward = heard  # type: ignore[method-assign]
    with interruption.listening():
        try:
            train(folder)
        except interruption.Interrupted as end:
            return {"signal": end.number, "told": interruption.told()}
    return {"signal": 0, "told": ""}


def count_to(number: int, call: Callable[[], None]) -> Callable[[], None]:
    """Calls when it is called that often."""
    calls = count(1)
    return lambda: call() if next(calls) == number else None


@pytest.mark.parametrize("when", ["rendered", "learned"])
@pytest.mark.parametrize(("world", "which"), [(1, 0), (2, 0), (2, 1)])
def test_a_signal_to_any_rank_ends_all_after_the_same_step_which_is_kept(
    world: int, which: int, when: str, tmp_path: Path
) -> None:
    for told in values(launch(world, partial(asked_to_end, tmp_path, which, when), tmp_path)):
        assert told["signal"] == signal.SIGTERM
        assert "step 10" in told["told"]
    assert len(train(tmp_path)["rows"]) == 51 - 10


def test_all_ranks_diverge_alike(tmp_path: Path) -> None:
    ended = launch(2, partial(train, tmp_path, broken=True), tmp_path)
    assert len({one.error for one in ended}) == 1
    assert ended[0].error.startswith(f"{DivergedError.__name__}: The loss of step 1 of 51")


# -- shares ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [1, 3, 4, 7, 8, 130])
@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("groups", [1, 4, 8])
def test_every_position_is_one_ranks(images: int, world: int, groups: int) -> None:
    shares = [Share(rank, world, groups) for rank in range(world)]
    assert [place for share in shares for place in share.own(images)] == list(range(images))
    for share in shares:
        assert len(share.places(images)) == max(1, len(share.own(images)))
        assert groups == 1 or sum(share.own_sizes(images)) == len(share.own(images))


def test_groups_are_those_of_replicas() -> None:
    """``torch.nn.DataParallel`` scatters by ``chunk``."""
    assert Share(groups=4).sizes(130) == [33, 33, 33, 31]
    assert Share(groups=4).sizes(5) == [2, 2, 1, 0]


@pytest.mark.parametrize(
    ("world", "batch", "groups", "said"),
    [
        (5, 4, 1, r"5 ranks cannot share a batch of 4 images.*Start 4 ranks or fewer"),
        (3, 128, 4, r"4 groups, which 3 ranks cannot share equally.*as divide them: 1, 2, 4"),
        (1, 4, 8, r"in 8 groups, and a batch has 4 images"),
    ],
)
def test_shares_that_cannot_be_are_refused(
    world: int, batch: int, groups: int, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", str(world))
    monkeypatch.setattr(ranks.walk._walk, "home", tmp_path)
    with pytest.raises(RequestError, match=said):
        share_of(batch, groups)
