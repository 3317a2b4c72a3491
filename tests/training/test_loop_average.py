"""The moving average of the weights, against one computed from the weights after each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rethinkdc.data.decoded import DecodedImages
from rethinkdc.data.store import CanvasStore
from rethinkdc.seeds import generator
from rethinkdc.training import HardTargets, LoopSeeds, Observer, Optimizer, Recipe, TrainingLog, train_network
from rethinkdc.training.checkpoint import FILE, load_checkpoint
from rethinkdc.types import ViewRule
from rethinkdc.views import Flip, Views

ROWS, CLASSES, SIZE, DECAY = 10, 3, 8, 0.6
PIXELS = torch.randint(0, 256, (ROWS, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator(0))
IMAGES = DecodedImages(PIXELS, torch.arange(ROWS) % CLASSES, ("a", "b", "c"))
PLAIN = Recipe(optimizer=Optimizer(lr=0.05), epochs=3, batch=4)
AVERAGED = PLAIN.model_copy(update={"ema": DECAY})


def _network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, CLASSES))
    made.get_submodule("0").get_parameter("bias").requires_grad_(False)
    return made


def _fit(
    model: nn.Module, recipe: Recipe, observers: Sequence[Observer] = (), folder: Path | None = None
) -> TrainingLog:
    return train_network(
        model,
        CanvasStore(IMAGES, SIZE),
        IMAGES.targets,
        Views([Flip(op="flip")], None, size=SIZE, rule=ViewRule(), cell_boxes=None),
        HardTargets(),
        recipe,
        recipe.length(ROWS),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        seeds=LoopSeeds(1, 2, 3),
        device=torch.device("cpu"),
        folder=folder,
        checkpoint_every=0.0,
        observers=observers,
    )


def _parameters(model: nn.Module) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in model.parameters() if tensor.requires_grad])


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


class Recording:
    """Keeps the parameters after every step and the model's state at each epoch's end; may break off a run."""

    wants_batches = True
    wants_features = False
    wants_epoch_checkpoints = False

    def __init__(self, model: nn.Module, stop_at: int | None = None) -> None:
        self.model, self.stop_at = model, stop_at
        self.steps: list[Tensor] = []
        self.epochs: list[dict[str, Tensor]] = []
        self.averages: list[Tensor] = []

    def batch(self, epoch: int, rows: Tensor, logits: Tensor, targets: Tensor, features: Tensor | None) -> None:
        self.steps.append(_parameters(self.model))
        if len(self.steps) == self.stop_at:
            raise KeyboardInterrupt

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        self.epochs.append(_state(model))
        self.averages.append(_parameters(model))

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        return True


def _averages(initial: Tensor, steps: Sequence[Tensor]) -> list[Tensor]:
    average, found = initial.double(), []
    for weights in steps:
        average = DECAY * average + (1 - DECAY) * weights.double()
        found.append(average)
    return found


def test_the_run_ends_with_the_average_of_the_weights_after_each_step_and_the_initial_ones() -> None:
    model = _network()
    initial, recording = _parameters(model), Recording(model)
    _fit(model, AVERAGED, [recording])
    assert len(recording.steps) == 9
    torch.testing.assert_close(_parameters(model).double(), _averages(initial, recording.steps)[-1], rtol=0, atol=1e-6)
    assert (_parameters(model) - recording.steps[-1]).abs().max() > 1e-2


def test_observers_of_an_epochs_end_see_the_average_so_far() -> None:
    model = _network()
    initial, recording = _parameters(model), Recording(model)
    _fit(model, AVERAGED, [recording])
    expected = _averages(initial, recording.steps)[2::3]
    torch.testing.assert_close(torch.stack(recording.averages).double(), torch.stack(expected), rtol=0, atol=1e-6)
    assert _same(recording.epochs[-1], _state(model))


def test_averaging_does_not_change_the_training_nor_the_batch_norm_statistics() -> None:
    plain, averaged = _network(), _network()
    one, other = Recording(plain), Recording(averaged)
    assert _fit(plain, PLAIN, [one]).curve == _fit(averaged, AVERAGED, [other]).curve
    assert torch.equal(torch.stack(one.steps), torch.stack(other.steps))
    for name in ("0.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(plain.state_dict()[name], averaged.state_dict()[name])


@pytest.mark.parametrize("stop_at", [2, 5, 7])
def test_a_run_that_was_broken_off_ends_with_the_same_average(tmp_path: Path, stop_at: int) -> None:
    whole, broken, resumed = _network(), _network(), _network()
    reference, rest = Recording(whole), Recording(resumed)
    fitted = _fit(whole, AVERAGED, [reference])
    with pytest.raises(KeyboardInterrupt):
        _fit(broken, AVERAGED, [Recording(broken, stop_at)], tmp_path)
    assert _fit(resumed, AVERAGED, [rest], tmp_path).curve == fitted.curve
    assert len(rest.steps) == 9 - (stop_at - 1)
    assert _same(_state(whole), _state(resumed))
    assert all(map(_same, rest.epochs, reference.epochs[-len(rest.epochs) :]))


def test_a_finished_run_comes_back_with_its_average(tmp_path: Path) -> None:
    first, again = _network(), _network()
    _fit(first, AVERAGED, folder=tmp_path)
    seen = Recording(again)
    _fit(again, AVERAGED, [seen], tmp_path)
    assert seen.steps == []
    assert _same(_state(first), _state(again))


def test_without_averaging_a_checkpoint_holds_no_average(tmp_path: Path) -> None:
    _fit(_network(), PLAIN, folder=tmp_path)
    with pytest.warns(UserWarning, match="other work"):
        assert load_checkpoint(tmp_path, "", ()) is None
    with pytest.warns(UserWarning, match="other work"):
        _fit(_network(), AVERAGED, folder=tmp_path)
    assert (tmp_path / FILE).exists()
