"""A killed run goes on where its checkpoint was, bit for bit."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rethinkdc.training import Trace, TrainingLog
from rethinkdc.training.checkpoint import FILE, load_checkpoint, save_checkpoint

SCRIPT = Path(__file__).with_name("traced_run.py")


@pytest.fixture(scope="module")
def traced() -> ModuleType:
    spec = importlib.util.spec_from_file_location("traced_run", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _same_training(first: tuple[torch.nn.Module, TrainingLog], second: tuple[torch.nn.Module, TrainingLog]) -> None:
    weights, others = first[0].state_dict(), second[0].state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert first[1].curve == second[1].curve
    assert (first[1].steps, first[1].views) == (second[1].steps, second[1].views) == (12, 88)


def _same_trace(first: Path, second: Path) -> None:
    for name in ("train.npy", "clean.npy", "trace.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize(
    ("every", "event", "count"),
    # 3 batches an epoch: killed in epoch 3, checkpoint at its begin or one step before; then at an epoch's very end.
    [("1e9", "batch", 8), ("0", "batch", 8), ("1e9", "epoch", 2)],
    ids=["replayed from the epoch's begin", "replayed from the last step", "before the epoch's checkpoint"],
)
def test_a_run_killed_inside_training_ends_like_an_uninterrupted_one(
    traced: ModuleType, tmp_path: Path, every: str, event: str, count: int
) -> None:
    work = tmp_path / "work"
    killed = subprocess.run([sys.executable, str(SCRIPT), str(work), every, event, str(count)], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert (work / FILE).exists()
    *resumed, recorder = traced.train(work, work)
    recorder.finish(tmp_path / "resumed")
    *whole, reference = traced.train(None, tmp_path / "reference")
    reference.finish(tmp_path / "whole")
    _same_training(tuple(resumed), tuple(whole))
    _same_trace(tmp_path / "resumed", tmp_path / "whole")
    change = Trace(tmp_path / "whole").column("train.change", 2, 4)
    assert bool((change > 0).all()), "a row that found its own probabilities would show no change"


def test_a_finished_run_is_not_trained_again(traced: ModuleType, tmp_path: Path) -> None:
    *first, _ = traced.train(tmp_path, tmp_path)
    seen = traced.Kill("nothing", 1)
    steps: list[int] = []
    seen.batch = lambda *_: steps.append(1)
    *again, _ = traced.train(tmp_path, tmp_path, observers=[seen])
    _same_training(tuple(first), tuple(again))
    assert steps == []


def test_a_damaged_checkpoint_is_reported_and_training_starts_again(traced: ModuleType, tmp_path: Path) -> None:
    *first, _ = traced.train(tmp_path, tmp_path)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.warns(UserWarning, match=r"damaged.*starts again"):
        *again, _ = traced.train(tmp_path, tmp_path)
    _same_training(tuple(first), tuple(again))


def test_the_checkpoint_of_another_training_is_not_used(
    traced: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *first, _ = traced.train(tmp_path, tmp_path)
    recipe = traced.RECIPE.model_copy(update={"batch": 11})
    monkeypatch.setattr(traced, "RECIPE", recipe)
    with pytest.warns(UserWarning, match="other work"):
        _, fitted, _ = traced.train(tmp_path, tmp_path)
    assert fitted.steps == 8
    assert fitted.curve != first[1].curve


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_no_bit(traced: ModuleType, tmp_path: Path, workers: int) -> None:
    *alone, first = traced.train(None, tmp_path / "alone")
    *helped, second = traced.train(None, tmp_path / "helped", workers=workers)
    _same_training(tuple(alone), tuple(helped))
    first.finish(tmp_path / "a")
    second.finish(tmp_path / "b")
    _same_trace(tmp_path / "a", tmp_path / "b")


def test_observing_a_run_does_not_change_it(
    traced: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *observed, _ = traced.train(None, tmp_path)
    original = traced.train_network
    monkeypatch.setattr(traced, "train_network", lambda *given, **named: original(*given, **{**named, "observers": ()}))
    *alone, _ = traced.train(None, tmp_path / "unused")
    _same_training(tuple(observed), tuple(alone))


def test_a_state_that_lacks_something_counts_as_none(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"definition": "a", "step": 1})
    with pytest.warns(UserWarning, match="it holds no state of a work"):
        assert load_checkpoint(tmp_path, "a", ("step", "model")) is None
