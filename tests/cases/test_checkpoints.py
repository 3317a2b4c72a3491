"""Weights as trainers save them: all of one network, or refused with what would be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rethinkdc.errors import RequestError
from rethinkdc.models import build_seeded, fill_network, read_weights
from rethinkdc.registry.registry import Registry

READ = {
    "plain.pth": "",
    "numpy_acc.pth": "left out: best_acc1",
    "namespace.pth": "left out: args",
    "lightning.ckpt": "prefix 'model.' stripped",
    "ddp_compile.pth": "without _orig_mod.",
    "kuangliu.pth": "left out: acc, epoch",
    "with_opt.pth": "left out: optimizer",
}
REFUSED = {
    "whole_module.pth": "holds objects that are no tensors .* save its tensors",
    "mtt_buffer_like.pt": "It holds 3 state dicts: choose with entry=0",
    "replay_buffer_0.pt": "a list of 1, tensors without names",
}


def test_every_input_has_an_answer(names_in: Callable[[str], set[str]]) -> None:
    assert names_in("ckpt") == {*READ, *REFUSED}


@pytest.mark.parametrize("name", READ)
def test_weights(name: str, cases: Path) -> None:
    module = build_seeded(Registry().build("model", "convnet"), 10, 8, 0)  # type: ignore[arg-type]
    path = cases / "ckpt" / name
    told = fill_network(module, read_weights(path), str(path), "convnet")
    assert READ[name] in "; ".join(told)
    plain = read_weights(cases / "ckpt" / "plain.pth").tensors
    # They differ by their wrapping alone.
    state = module.state_dict()
    assert state.keys() == plain.keys()
    assert all(torch.equal(state[key], plain[key]) for key in plain)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_one_network_is_refused_without_advice_to_run_it(name: str, cases: Path) -> None:
    with pytest.raises(RequestError, match=REFUSED[name]) as refused:
        read_weights(cases / "ckpt" / name)
    assert "weights_only" not in str(refused.value)
