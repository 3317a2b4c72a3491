"""The training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore
from rethinkdc.errors import DivergedError, RequestError
from rethinkdc.models import build_seeded
from rethinkdc.plugins.models.convnet import ConvNet
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Optimizer, Recipe, Schedule, TrainingLog, train_network
from rethinkdc.training.checkpoint import FILE
from rethinkdc.types import Drawn, ViewBatch, ViewKey, ViewRule
from rethinkdc.views import CutMix, Flip, RandomResizedCrop, Views

ROWS, CLASSES, SIZE = 10, 3, 8
RECIPE = Recipe(optimizer=Optimizer(lr=0.01), epochs=2, batch=4)
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))
STORE = CanvasStore(IMAGES, SIZE)


def _network(*, dropout: float = 0.0) -> nn.Module:
    network = build_seeded(ConvNet(depth=1, width=4), CLASSES, SIZE, 0)
    return nn.Sequential(nn.Dropout(dropout), network) if dropout else network


def _views(mix: CutMix | None = None) -> Views:
    ops = (RandomResizedCrop(op="random-resized-crop"), Flip(op="flip"))
    return Views(ops, mix, size=SIZE, rule=ViewRule(), cell_boxes=None)


def _fit(
    model: nn.Module, recipe: Recipe = RECIPE, supervision: HardTargets | None = None, **options: Any
) -> TrainingLog:
    return train_network(
        model,
        STORE,
        IMAGES.targets,
        options.pop("views", None) or _views(),
        supervision or HardTargets(),
        recipe,
        recipe.length(ROWS),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        seeds=options.pop("seeds", LoopSeeds(1, 2, 3)),
        device=torch.device("cpu"),
        **options,
    )


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in model.state_dict().values()])


class Recorded(HardTargets):
    """Keeps what training shows to its supervision."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[ViewBatch] = []
        self.losses: list[Tensor] = []

    def targets(self, batch: ViewBatch) -> dict[str, Tensor]:
        self.batches.append(batch)
        return super().targets(batch)

    def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
        self.losses.append(super().loss(logits, targets))
        return self.losses[-1]


def test_the_curve_is_the_mean_loss_of_the_views_of_each_epoch() -> None:
    supervision = Recorded()
    fitted = _fit(_network(), supervision=supervision)
    by_epoch = [torch.cat(supervision.losses[:3]), torch.cat(supervision.losses[3:])]
    assert fitted.curve == pytest.approx([losses.mean().item() for losses in by_epoch], rel=1e-6)
    assert [len(losses) for losses in by_epoch] == [ROWS, ROWS]
    assert (fitted.steps, fitted.views, fitted.peak_memory) == (6, 20, 0)
    assert fitted.seconds > 0


def test_a_length_in_steps_ends_inside_an_epoch() -> None:
    supervision = Recorded()
    fitted = _fit(_network(), Recipe(steps=5, batch=4), supervision)
    assert [len(losses) for losses in supervision.losses] == [4, 4, 2, 4, 4]
    assert (len(fitted.curve), fitted.views) == (2, 18)
    assert fitted.curve[1] == pytest.approx(torch.cat(supervision.losses[3:]).mean().item(), rel=1e-6)


def test_training_lowers_the_loss() -> None:
    recipe = Recipe(optimizer=Optimizer(lr=0.01), schedule=Schedule(per="step"), epochs=40, batch=4)
    fitted = _fit(_network(), recipe, views=Views((), None, size=SIZE, rule=ViewRule(), cell_boxes=None))
    assert fitted.curve[-1] < 0.05 < 0.8 < fitted.curve[0]


def test_the_views_are_those_of_the_runs_seed_epoch_and_batch() -> None:
    supervision = Recorded()
    _fit(_network(), supervision=supervision)
    keys = [batch.key for batch in supervision.batches]
    assert keys == [ViewKey(2, epoch, batch) for epoch in (0, 1) for batch in (0, 1, 2)]
    for batch in supervision.batches:
        assert torch.equal(batch.pixels, _views().render(STORE, batch.rows, batch.hard, batch.key).pixels)
        assert torch.equal(batch.hard, IMAGES.targets[batch.rows])


def test_the_supervision_may_say_which_views_its_labels_belong_to() -> None:
    class Stored(Recorded):
        def drawn(self, step: int) -> Drawn | None:
            return Drawn(ViewKey(99, step, 0), torch.tensor([step, step + 1]))

    supervision = Stored()
    _fit(_network(), supervision=supervision, workers=2)
    assert [batch.key for batch in supervision.batches] == [ViewKey(99, step, 0) for step in range(6)]
    assert [batch.rows.tolist() for batch in supervision.batches] == [[step, step + 1] for step in range(6)]


def test_weights_of_one_change_nothing() -> None:
    plain, weighted = _network(), _network()
    _fit(plain)
    _fit(weighted, weights=torch.ones(ROWS))
    assert torch.equal(_weights(plain), _weights(weighted))


def test_images_of_weight_zero_teach_nothing() -> None:
    """With all weight on one row, each batch's gradient is that row's alone: the curve is its loss times the weight."""
    weights = torch.zeros(ROWS)
    weights[7] = ROWS
    supervision = Recorded()
    fitted = _fit(_network(), Recipe(epochs=1, batch=ROWS), supervision, weights=weights)
    position = supervision.batches[0].rows.tolist().index(7)
    assert fitted.curve[0] == pytest.approx(supervision.losses[0][position].item(), rel=1e-6)


@pytest.mark.parametrize("changed", ["order", "views", "noise"])
def test_each_seed_changes_the_run_and_the_same_seeds_repeat_it(changed: str) -> None:
    seeds = {"order": 1, "views": 2, "noise": 3}
    first, again, other = (_network(dropout=0.3) for _ in range(3))
    _fit(first, seeds=LoopSeeds(**seeds))
    _fit(again, seeds=LoopSeeds(**seeds))
    _fit(other, seeds=LoopSeeds(**{**seeds, changed: 4}))
    assert torch.equal(_weights(first), _weights(again))
    assert not torch.equal(_weights(first), _weights(other))


def test_the_global_generators_are_left_as_they_were_also_after_an_error() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index] # noqa: NPY002
    _fit(_network(dropout=0.3))
    with pytest.raises(DivergedError):
        _fit(_network(dropout=0.3), Recipe(optimizer=Optimizer(lr=1e30), epochs=9, batch=4))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # type: ignore[index] # noqa: NPY002


def test_each_steps_noise_is_its_own() -> None:
    class Noise(nn.Module):
        drawn: list[float]

        def forward(self, images: Tensor) -> Tensor:
            self.drawn.append(torch.rand(()).item())
            return images

    noise = Noise()
    noise.drawn = []
    _fit(nn.Sequential(noise, _network()))
    assert len(set(noise.drawn)) == 6


def test_a_loss_that_is_not_finite_ends_training_with_its_epoch_and_step(tmp_path: Path) -> None:
    class Broken(HardTargets):
        left = 5

        def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
            self.left -= 1
            return super().loss(logits, targets) * (float("nan") if self.left == 0 else 1.0)

    with pytest.raises(DivergedError, match="step 5 of 6, in epoch 2, is nan") as error:
        _fit(_network(), supervision=Broken(), folder=tmp_path, checkpoint_every=1e9)
    assert (error.value.epoch, error.value.step) == (1, 4)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_while_rendering_reaches_the_caller(workers: int) -> None:
    class BrokenViews(Views):
        def render(self, *given: Any) -> ViewBatch:
            raise OSError("row 3 is damaged")

    views = BrokenViews((), None, size=SIZE, rule=ViewRule(), cell_boxes=None)
    with pytest.raises(OSError, match="row 3 is damaged"):
        _fit(_network(), views=views, workers=workers)


def test_a_float64_model_is_trained_in_float64() -> None:
    class Typed(HardTargets):
        def loss(self, logits: Tensor, targets: dict[str, Tensor]) -> Tensor:
            assert logits.dtype == torch.float64
            return super().loss(logits, targets)

    double = _network().double()
    curve = _fit(double, supervision=Typed(), views=_views(CutMix(op="cutmix"))).curve
    assert _weights(double).dtype == torch.float64
    assert curve == pytest.approx(_fit(_network(), views=_views(CutMix(op="cutmix"))).curve, rel=1e-4)


def test_progress_and_epochs_are_reported() -> None:
    class Counting:
        total = done = 0

        @contextmanager
        def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
            assert description == "student"
            self.total = total
            yield self.advance

        def advance(self, done: int) -> None:
            self.done += done

    progress = Counting()
    epochs: list[tuple[int, float]] = []
    fitted = _fit(_network(), progress=progress, description="student", epoch_ended=lambda *ended: epochs.append(ended))
    assert progress.done == progress.total == 6
    assert epochs == list(enumerate(fitted.curve))


class Watching:
    """An observer that keeps what it sees."""

    wants_batches = True
    wants_features = True
    wants_epoch_checkpoints = True

    def __init__(self) -> None:
        self.seen: list[tuple[int, Tensor, Tensor, Tensor, Tensor]] = []
        self.ended: list[int] = []

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        assert features is not None
        assert not logits.requires_grad
        self.seen.append((epoch, rows, logits, targets, features))

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        assert len(self.seen) == 3 * (epoch + 1)
        self.ended.append(epoch)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        return True


def test_observers_see_every_row_of_every_epoch_with_its_logits_and_features(tmp_path: Path) -> None:
    watching, supervision = Watching(), Recorded()
    _fit(_network(), supervision=supervision, observers=[watching], folder=tmp_path)
    for epoch in (0, 1):
        rows = torch.cat([seen[1] for seen in watching.seen if seen[0] == epoch])
        assert sorted(rows.tolist()) == list(range(ROWS))
    assert watching.ended == [0, 1]
    for (_, rows, logits, targets, features), losses in zip(watching.seen, supervision.losses, strict=True):
        assert torch.equal(targets, IMAGES.targets[rows])
        assert features.shape == (len(rows), 4 * 16)
        torch.testing.assert_close(nn.functional.cross_entropy(logits, targets, reduction="none"), losses.detach())


def test_what_is_observed_row_by_row_must_end_with_a_whole_epoch() -> None:
    with pytest.raises(RequestError, match="5 steps are not a multiple of the 3 batches"):
        _fit(_network(), Recipe(steps=5, batch=4), observers=[Watching()])


@pytest.mark.gpu
def test_a_gpu_repeats_itself_bit_for_bit_and_stays_near_the_cpu() -> None:
    def trained(device: str) -> Tensor:
        model = _network(dropout=0.1) if device == "cuda" else _network()
        train_network(
            model, STORE, IMAGES.targets, _views(), HardTargets(), RECIPE, RECIPE.length(ROWS), mean=(0.5,) * 3,
            std=(0.25,) * 3, seeds=LoopSeeds(1, 2, 3), device=torch.device(device),
        )  # fmt: skip
        return _weights(model).cpu()

    assert torch.equal(trained("cuda"), trained("cuda"))
    torch.testing.assert_close(trained("cuda"), trained("cpu"), rtol=0, atol=0.1)
