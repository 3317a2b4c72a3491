"""Weights out of what trainers save around them."""

from __future__ import annotations

import argparse
import pickle
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rethinkdc.errors import RequestError
from rethinkdc.models import Weights, fill_network, read_weights

STATE = {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2), "2.weight": torch.full((2, 2), 2.0)}


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2, bias=False))


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def equal(tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return tensors.keys() == expected.keys() and all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("wrap", "told"),
    [
        (lambda state: state, ()),
        (lambda state: {"model_state": state, "epoch": 3}, ("entry 'model_state', left out: epoch",)),
        (
            lambda state: {"state_dict": {"net": state}, "optimizer": {"state": {0: {"exp_avg": torch.ones(1)}}}},
            ("entry 'state_dict', left out: optimizer", "entry 'net'"),
        ),
        (lambda state: {"my_network": state, "lr": 0.1}, ("entry 'my_network', left out: lr",)),
        (lambda state: {"mean": torch.ones(3), "model": state}, ("entry 'model', left out: mean",)),
        (lambda state: {**state, "epoch": 3}, ("left out, no tensors: epoch",)),
    ],
)
def test_the_state_dict_is_found_in_any_container_and_what_is_left_out_is_told(
    wrap: Any, told: tuple[str, ...], tmp_path: Path
) -> None:
    read = read_weights(saved(tmp_path / "a.pth", wrap(STATE)))
    assert equal(read.tensors, STATE)
    assert read.told == told


@pytest.mark.parametrize(
    "beside",
    [
        np.float64(93.1),
        np.float32(0.5),
        np.int64(3),
        np.bool_(True),
        argparse.Namespace(lr=0.1, nested=argparse.Namespace(x=[1])),
        types.SimpleNamespace(model="convnet"),
    ],
)
def test_numbers_and_namespaces_beside_weights_do_no_harm(beside: Any, tmp_path: Path) -> None:
    assert equal(read_weights(saved(tmp_path / "a.pth", {"net": STATE, "beside": beside})).tensors, STATE)


def test_entries_are_keys_numbers_and_beginnings_of_names(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", [{"student": STATE}, {f"teacher.{name}": STATE[name] for name in STATE}])
    for entry in ("0", "0.student", "1.teacher"):
        assert equal(read_weights(path, entry).tensors, STATE)
    with pytest.raises(RequestError, match=r"has no entry 1.student: at 'student' it holds a mapping of teacher.0"):
        read_weights(path, "1.student")


class Evil:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def cut(path: Path) -> None:
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[:500])


REFUSED: dict[str, tuple[Any, str]] = {
    "epochs": (lambda path: torch.save([STATE, STATE], path), "holds 2 state dicts: choose with entry=0 or entry=1"),
    "lists of tensors": (lambda path: torch.save(list(STATE.values()), path), "a list of 3, tensors without names"),
    "two networks": (
        lambda path: torch.save({"generator": STATE, "critic": STATE}, path),
        "several networks: choose one with entry=generator or entry=critic",
    ),
    "a number": (lambda path: torch.save(3, path), "no state dict: found int"),
    "a module": (lambda path: torch.save(network(), path), r"\(torch.nn.modules.\w+.\w+\); those are never loaded"),
    "code": (lambda path: torch.save({"net": STATE, "x": Evil()}, path), "never loaded, since they could run code"),
    "a text array": (lambda path: torch.save({"net": STATE, "x": np.array(["a"])}, path), "never loaded"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps({"a": [1]})), "is a pickle of Python"),
    "a program": (lambda path: torch.jit.script(network()).save(str(path)), "TorchScript archive"),
    "half a file": (cut, "is damaged, or no file of torch"),
    "nothing": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "a page": (lambda path: path.write_bytes(b"\n<!DOCTYPE html><title>404</title>"), "is a page of HTML"),
    "a pointer": (lambda path: path.write_bytes(b"version https://git-lfs.example/spec/v1\noid 1\n"), "git lfs pull"),
    "another format": (lambda path: save_file(STATE, path), "is a safetensors file: name it .safetensors"),
    "a replay buffer": (
        lambda path: torch.save([[list(STATE.values())] * 2], path),
        "found a list of 1, tensors without names",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_cannot_be_read_says_why_in_a_line_and_never_how_to_run_it(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write, message = REFUSED[case]
    write(tmp_path / "bad.pth")
    with pytest.raises(RequestError, match=message) as refused:
        read_weights(tmp_path / "bad.pth")
    told = str(refused.value)
    assert "bad.pth" in told
    assert "weights_only" not in told
    assert "safe_globals" not in told
    assert "\n" not in told
    assert not (tmp_path / "ran").exists()


def test_weights_in_the_wrong_format_name_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for content, message in (
        (b"<html>", "page of HTML"),
        (b"", "is empty"),
        (b"\1" * 99, "damaged, or no safetensors"),
    ):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=message):
            read_weights(path)
    torch.save(STATE, path)
    with pytest.raises(RequestError, match="no safetensors file but a zip archive"):
        read_weights(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: torch.full_like(tensor, torch.nan), "0.weight that are not finite"),
        (lambda tensor: tensor.to(torch.int64), "0.weight as int64"),
        (lambda tensor: tensor.to(torch.complex64), "0.weight as complex64"),
        (lambda tensor: tensor.to_sparse(), "0.weight as sparse"),
    ],
)
def test_values_that_no_network_computes_with_are_refused(change: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        fill_network(network(), Weights({**STATE, "0.weight": change(STATE["0.weight"])}), "a.pth", "m")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_used_and_told(dtype: torch.dtype) -> None:
    module = network()
    told = fill_network(module, Weights({name: STATE[name].to(dtype) for name in STATE}), "a.pth", "m")
    assert equal(dict(module.state_dict()), STATE)
    assert told == (f"stored as {str(dtype)[6:]}, used as float32",)


def test_a_last_layer_of_another_name_is_found_and_told() -> None:
    def named(head: str) -> nn.Module:
        return nn.Sequential(OrderedDict([("stem", nn.Linear(3, 2)), (head, nn.Linear(2, 2, bias=False))]))

    theirs, ours = named("linear"), named("fc")
    told = fill_network(ours, Weights(dict(theirs.state_dict())), "a.pth", "m")
    assert torch.equal(ours.state_dict()["fc.weight"], theirs.state_dict()["linear.weight"])
    assert "another name of its last layer" in told[-1]
    with pytest.raises(RequestError, match=r"fc\.weight is missing"):
        fill_network(ours, Weights({"stem.bias": torch.ones(2), "other.weight": torch.ones(2, 2)}), "a", "m")


@pytest.mark.parametrize(
    "place", [("_orig_mod.module.",), ("module._orig_mod.",), ("model.backbone.",), ("anything.",)]
)
def test_prefixes_in_any_order_are_stripped_and_told(place: tuple[str]) -> None:
    module = network()
    told = fill_network(module, Weights({place[0] + name: STATE[name] for name in STATE}), "a.pth", "m")
    assert equal(dict(module.state_dict()), STATE)
    assert any("stripped" in line for line in told)


def test_a_wrapper_inside_a_name_is_dropped() -> None:
    module = network()
    told = fill_network(
        module, Weights({name.replace(".", "._orig_mod.", 1): STATE[name] for name in STATE}), "a.pth", "m"
    )
    assert equal(dict(module.state_dict()), STATE)
    assert told == ("without _orig_mod.",)


def test_what_lies_outside_the_prefix_is_told() -> None:
    module = network()
    tensors = {**{f"model.{name}": STATE[name] for name in STATE}, "criterion.weight": torch.ones(3)}
    told = fill_network(module, Weights(tensors), "a.pth", "m")
    assert equal(dict(module.state_dict()), STATE)
    assert told == ("prefix 'model.' stripped, left out: criterion.weight",)


def test_two_networks_of_one_shape_are_never_chosen_between() -> None:
    both = {f"{who}.{name}": STATE[name] for who in ("student", "teacher") for name in STATE}
    with pytest.raises(RequestError, match="holds the model m 2 times: choose one with entry=student or entry=teacher"):
        fill_network(network(), Weights(both), "a.pth", "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {**state, "4.weight": torch.ones(1)}, "4.weight is not of this model"),
        (lambda state: {name: state[name] for name in list(state)[1:]}, "0.weight is missing"),
        (lambda state: {**state, "0.bias": torch.ones(5)}, r"0.bias is \[5\], not \[2\]"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_other_networks_are_refused_by_what_differs(change: Any, message: str, prefix: str) -> None:
    tensors = {prefix + name: tensor for name, tensor in change(STATE).items()}
    with pytest.raises(RequestError, match=message):
        fill_network(network(), Weights(tensors), "a.pth", "m")
