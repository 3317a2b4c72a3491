"""A run whose set is made in other numbers: another key, another set, another board; nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.boards.entry import Entry
from rethinkdc.context.cache import Cache
from rethinkdc.context.networks import network_key
from rethinkdc.context.run import RunContext
from rethinkdc.contracts.kinds import Compressor
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.records import Records
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import resolve_run
from rethinkdc.runs.runner import Runner
from rethinkdc.testing import context
from rethinkdc.types import Budget

SHORT: dict[str, Any] = {"training.steps": 2, "training.epochs": None, "curve": []}
NARROW = "network=[convnet:depth=1,width=4]"
FAMILY = (
    f"dm:iterations=2,{NARROW}",
    f"dc:iterations=1,outer=2,inner=1,{NARROW}",
    f"dsa:iterations=1,outer=2,inner=1,{NARROW}",
    "datadam:iterations=2,network=[convnet:depth=2,width=4]",
    f"idc:iterations=1,steps=4,images=8,batch=8,lr=50,{NARROW}",
    f"idm:iterations=3,images=8,batch=8,lr=5,{NARROW}",
    f"ncfm:iterations=3,batch=8,frequencies=16,networks=1,epochs=1,lr=0.05,{NARROW}",
    "sre2l:iterations=2",
    "cda:iterations=2",
    "dwa:iterations=2",
    "lpld:iterations=2",
    "gvbsm:iterations=2,teachers=[trained]",
    "edc:iterations=2,teachers=[trained]",
)
"""One of each that optimises images."""


def test_what_computes_in_the_usual_numbers_keeps_its_digests_and_keys() -> None:
    protocol = Registry().protocols.find("cifar10-small-hard")
    assert protocol.digest.startswith("2bec704d710b")
    same, coarse = protocol.override({"precision": "float32"}), protocol.override({"precision": "bf16"})
    assert same is protocol
    for name in ("digest", "making_digest", "teacher_digest"):
        assert getattr(coarse, name) != getattr(protocol, name)
    # Proxies are trained as students are.
    assert coarse.proxy_digest == protocol.proxy_digest
    recipe = protocol.teacher_recipe("standard")
    keys = [network_key(one, recipe, {}, "data", 0) for one in (protocol, coarse)]
    assert "precision" not in keys[0]
    assert keys[1] == {**keys[0], "precision": "bf16"}


def test_an_option_and_an_override_say_the_same() -> None:
    registry, cache = Registry(), Cache()
    asked = [
        Request("random", dataset="digits", precision="bf16"),
        Request("random", dataset="digits", overrides={"precision": "bf16"}),
    ]
    first, second = (resolve_run(one, registry, cache) for one in asked)
    assert first.key == second.key
    assert first.modified
    usual = resolve_run(Request("random", dataset="digits", precision="float32"), registry, cache)
    assert usual.key == resolve_run(Request("random", dataset="digits"), registry, cache).key
    assert not usual.modified
    with pytest.raises(RequestError, match="--set precision=tf32 and --precision bf16 differ"):
        Request("random", precision="bf16", overrides={"precision": "tf32"})
    with pytest.raises(RequestError, match="--precision fp16: choose float32, tf32, tf32-conv or bf16"):
        Request("random", precision="fp16")  # type: ignore[arg-type]


def test_a_set_made_in_bfloat16_is_another_run_on_a_board_of_its_own(tmp_path: Path) -> None:
    runner = Runner(cache=Cache(tmp_path / "cache"), records=Records(tmp_path / "records"))
    records = [
        runner.run(Request(FAMILY[0], dataset="digits", ipc=1, overrides=SHORT, precision=precision))[0]
        for precision in (None, "bf16")
    ]
    entries = [Entry.of(record) for record in records]
    assert records[0].key != records[1].key
    assert entries[0].place != entries[1].place
    assert records[1].modified
    assert records[1].told.overrides["precision"] == "bf16"


def test_numbers_that_the_device_lacks_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    runner = Runner(cache=Cache(tmp_path / "cache"), records=Records(tmp_path / "records"))
    asked = Request("random", dataset="digits", precision="tf32")
    for refused in (runner.run, runner.attempt, runner.compress):
        with pytest.raises(RequestError, match="precision = tf32"):
            refused(asked)
    assert not (tmp_path / "records").exists()


def _made(place: RunContext, reference: str) -> torch.Tensor:
    method = place.method(Compressor, reference)
    budget = Budget(ipc=2, classes=4, size=place.protocol.store.size)
    made = place.compress(place.methods.reference(method), place.data, budget)  # type: ignore[attr-defined]
    return made.canvases(torch.arange(len(made)), budget.size)


@pytest.mark.parametrize("reference", FAMILY)
def test_every_method_that_optimises_images_computes_in_the_protocols_numbers(reference: str, tmp_path: Path) -> None:
    protocol = Registry().protocols.find("digits-hard")
    exact, coarse = (
        _made(context(tmp_path, protocol=protocol.override({"precision": precision})), reference)
        for precision in ("float32", "bf16")
    )
    assert not torch.equal(exact, coarse)
    assert (exact.int() - coarse.int()).abs().float().mean() < 30
