"""What SRe2L, CDA, DWA and LPLD have in common: budgets, parts, resuming, hooks, and the teachers that they refuse."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rethinkdc.distillation import inverting
from rethinkdc.errors import DivergedError, UnsupportedError
from rethinkdc.types import Budget

# Batches that divide neither the classes nor ipc.
METHODS = (
    "sre2l:iterations=2,batch=3",
    "cda:iterations=2,batch=3",
    "dwa:iterations=2,batch=3",
    "lpld:iterations=2,batch=2",
)


def hooks_on(module: nn.Module) -> int:
    """Beside the one by which a teacher counts the images that it sees."""
    return -1 + sum(len(layer._forward_pre_hooks) + len(layer._forward_hooks) for layer in module.modules())


@pytest.mark.parametrize("method", METHODS)
def test_a_killed_run_goes_on_to_the_same_set_of_exactly_ipc_per_class(
    method: str, inversions: Any, tmp_path: Path
) -> None:
    whole = inversions.watch()
    expected = inversions.made(inversions.here(tmp_path / "one"), method, ipc=3)
    assert expected.histogram() == [3, 3, 3, 3]
    assert [len(call["labels"]) for call in whole.calls] == ([2, 1] * 4 if "lpld" in method else [3, 1] * 3)
    killed = inversions.watch(dies_at=2)
    with pytest.raises(KeyboardInterrupt):
        inversions.made(inversions.here(tmp_path / "two"), method, ipc=3)
    # Neither a run that ended nor one that was killed leaves a hook on a network.
    for call in [*whole.calls, *killed.calls]:
        assert [hooks_on(module) for module in call["modules"]] == [0]
    rest = inversions.watch()
    found = inversions.made(inversions.here(tmp_path / "two"), method, ipc=3)
    assert len(rest.calls) == len(whole.calls) - 2
    assert torch.equal(inversions.canvases(found), inversions.canvases(expected))
    assert found.targets.tolist() == expected.targets.tolist()
    assert found.card.clamp_error == expected.card.clamp_error < 1e-6
    assert 0 < found.card.rounding_error == expected.card.rounding_error <= 0.5 / 255 + 1e-9


def test_images_that_diverge_name_the_batch_and_leave_finished_ones(
    inversions: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, original = "sre2l:iterations=2,batch=2", inverting.Inverting.start

    def start(self: Any, inversion: Any, batch: Any, index: int) -> torch.Tensor:
        begun = original(self, inversion, batch, index)
        return begun * math.nan if index == 2 else begun

    with monkeypatch.context() as patched:
        patched.setattr(inverting.Inverting, "start", start)
        watched = inversions.watch()
        with pytest.raises(DivergedError, match=r"batch 3 of 4 is nan in iteration 1 of 2.*finished are kept"):
            inversions.made(inversions.here(tmp_path), method)
    assert hooks_on(watched.calls[2]["modules"][0]) == 0
    rest = inversions.watch()
    assert len(inversions.made(inversions.here(tmp_path), method)) == 8
    assert len(rest.calls) == 2


def test_methods_that_begin_with_noise_begin_with_the_same(inversions: Any, tmp_path: Path) -> None:
    """Their sets then differ by what the methods do, not by luck."""
    surroundings, starts = inversions.here(tmp_path), []
    for method in ("sre2l:iterations=1", "cda:iterations=1"):
        watched = inversions.watch()
        inversions.made(surroundings, method)
        starts.append([call["start"] for call in watched.calls])
    assert all(torch.equal(one, other) for one, other in zip(*starts, strict=True))
    assert not torch.equal(starts[0][0], starts[0][1])


def test_a_larger_set_begins_with_the_batches_of_a_smaller_one(inversions: Any, tmp_path: Path) -> None:
    surroundings, method = inversions.here(tmp_path), "sre2l:iterations=2,batch=3"
    few, many = (inversions.canvases(inversions.made(surroundings, method, ipc)) for ipc in (1, 2))
    assert torch.equal(few, many[:4])


def test_one_draw_for_a_batch_is_not_one_for_each_image(inversions: Any, tmp_path: Path) -> None:
    surroundings = inversions.here(tmp_path)
    shared, apart = (
        inversions.canvases(inversions.made(surroundings, f"sre2l:iterations=2,crop=true,views={views}"))
        for views in ("shared", "per-image")
    )
    assert not torch.equal(shared, apart)


@pytest.mark.parametrize("name", ["sre2l", "cda", "dwa", "lpld"])
def test_a_teacher_that_cannot_be_matched_or_shown_the_canvases_is_refused(
    name: str, inversions: Any, tmp_path: Path
) -> None:
    surroundings = inversions.here(tmp_path)
    with pytest.raises(UnsupportedError, match=rf"{name} matches .*BatchNorm.*trained:recipe=weak has none"):
        inversions.made(surroundings, f"{name}:teacher=[trained:recipe=weak]")
    assert not (tmp_path / "cache" / "teachers").exists()  # before it was trained
    with pytest.raises(UnsupportedError, match=r"canvases of 16 px.*takes 8 px"):
        surroundings.compress(name, surroundings.data, Budget(ipc=1, classes=4, size=16))


def test_the_record_is_told_the_values_that_were_used(inversions: Any, tmp_path: Path) -> None:
    card = inversions.made(inversions.here(tmp_path), "sre2l:iterations=1").card
    told = card.notes["sre2l_settings"]
    assert (told["iterations"], told["lr"], told["crop"], list(told["roll"])) == (1, 0.25, False, [0, 1])
    assert card.notes["teachers"]["trained:recipe=standard"]["for"] == ["set"]
