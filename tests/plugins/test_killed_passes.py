"""Long row-wise work that is killed goes on to the same bits and does nothing twice; two ranks share it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook

from rethinkdc.context.run import RunContext
from rethinkdc.contracts import Resumable
from rethinkdc.distillation import BATCHNORM, Moments, MovingMoments, class_statistics
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry
from rethinkdc.testing import context, images
from rethinkdc.testing.surroundings import shortened
from rethinkdc.training.checkpoint import Clock
from rethinkdc.types import Budget
from tests.ranks.launching import free_port

ROOT = Path(__file__).resolve().parents[2]
CLASSES, PER_CLASS, IPC, SIZE = 4, 12, 2, 8
DATA = images(classes=CLASSES, per_class=PER_CLASS)
TEST = images(classes=CLASSES, per_class=6, seed=1)


class Kind(NamedTuple):
    """Work that passes over many rows; ``shared``: ranks make a share each, else the first alone."""

    work: Callable[[RunContext], list[Tensor]]
    shared: bool = True


def made(reference: str) -> Kind:
    """A set."""

    def work(here: RunContext) -> list[Tensor]:
        compressed = here.compress(reference, DATA, Budget(ipc=IPC, classes=CLASSES, size=SIZE))
        found = (compressed.sources, compressed.source_boxes, compressed.weights)
        return [tensor for tensor in found if tensor is not None]

    return Kind(work)


def statistics(moments: type[Moments]) -> Kind:
    def work(here: RunContext) -> list[Tensor]:
        found = class_statistics(here, here.teacher(), DATA, [BATCHNORM], [], moments=moments)
        return [tensor for layer in found["batchnorm"].values() for tensor in layer.tensors().values()]

    return Kind(work, shared=False)


def labelled(reference: str) -> Kind:
    def work(here: RunContext) -> list[Tensor]:
        compressed = here.compress("random", DATA, Budget(ipc=IPC, classes=CLASSES, size=SIZE))
        labeler: Any = here.methods.build("labeler", reference)
        supervision = labeler.prepare(compressed, here)
        if hasattr(supervision, "labels"):
            return [supervision.labels]
        return [supervision.reader.logits(batch) for batch in range(supervision.schedule.count)]

    return Kind(work)


def top1(here: RunContext) -> list[Tensor]:
    return [torch.tensor(replace(here, test=TEST).teacher().top1)]


def student(here: RunContext) -> list[Tensor]:
    """A student that is asked about test images; its training goes on from its last step."""
    evaluator: Any = here.methods.build("evaluator", "standard")
    hard: Any = here.methods.build("labeler", "hard")
    compressed = here.compress("random", DATA, Budget(ipc=IPC, classes=CLASSES, size=SIZE))
    measured = evaluator.evaluate(compressed, hard.prepare(compressed, here), TEST, here)
    return [torch.tensor(list(measured.metrics.values())), measured.predictions.predicted]


KINDS = {
    "student": Kind(student, shared=False),
    "predictions": Kind(lambda here: list(here.predictions())),
    "deepfool": Kind(lambda here: [here.score("deepfool:iterations=3")]),
    "grand-full": Kind(lambda here: [here.score("grand-full")]),
    "vog": Kind(lambda here: [here.score("vog")]),
    "teacher": Kind(top1),
    "rded": made("rded:pool=12"),
    "statistics": statistics(Moments),
    "moving statistics": statistics(MovingMoments),
    "static labels": labelled("soft-static"),
    "stored labels": labelled("soft-stored"),
}
"""What asks networks."""

SELECTORS = (
    "contextual-diversity",
    "craig",
    "d2:k_nn=3",
    "facility-location",
    "glister:rounds=5",
    "gradmatch",
    "graph-cut",
    "herding",
    "k-center:robust=0.1",
    "weighted-facility-location",
)


def protocol() -> Protocol:
    small = {"name": "convnet", "values": {"depth": 1, "width": 4, "norm": "batch"}}
    models = {"teacher.recipes.standard.model": small, "proxy.model": small}
    short = shortened(Registry().protocols.find("digits-soft"))
    return short.override({"training.steps": 8, "training.batch": 4, **models})


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the proxy and the teacher, which other tests begin with."""
    folder = tmp_path_factory.mktemp("known")
    here = surroundings(folder)
    here.teacher()
    here.trace()
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few rows are several chunks."""
    monkeypatch.setattr("rethinkdc.protocol.proxy.BATCH", 16)
    monkeypatch.setattr("rethinkdc.protocol.teachers.BATCH", 8)
    monkeypatch.setattr("rethinkdc.evaluation.student_evaluator.BATCH", 8)
    monkeypatch.setattr("rethinkdc.plugins.pruning.deepfool._BATCH_NUMBERS", 16 * 3 * SIZE * SIZE)
    monkeypatch.setattr("rethinkdc.plugins.pruning.grand_full._BATCH", 16)
    monkeypatch.setattr("rethinkdc.distillation.crops.CHUNK", 4)
    monkeypatch.setattr("rethinkdc.plugins.pruning.vog._BATCH", 16)
    monkeypatch.setattr("rethinkdc.distillation.gathering.BATCH", 16)
    monkeypatch.setattr("rethinkdc.plugins.labels.soft_static._BATCH", 3)
    monkeypatch.setattr("rethinkdc.labels.shards.SHARD_BYTES", 5 * 4 * CLASSES * 2)
    monkeypatch.setattr("rethinkdc.pruning.facility_location._TILE", 16)
    monkeypatch.setattr("rethinkdc.pruning.facility_location._LISTED", 800)
    monkeypatch.setattr("rethinkdc.pruning.farthest._BLOCK", 2)
    monkeypatch.setattr("rethinkdc.pruning.neighbours._CHUNK_NUMBERS", 16 * CLASSES * PER_CLASS)


def surroundings(folder: Path, known: Path | None = None) -> RunContext:
    if known is not None and not folder.exists():
        shutil.copytree(known, folder)
    return context(folder, data=DATA, protocol=protocol(), short=False, ipc=IPC)


@contextmanager
def counted() -> Iterator[list[int]]:
    """How often modules are called inside: forward passes, and no seconds."""
    calls = [0]

    def count(*_: Any) -> None:
        calls[0] += 1

    hook = register_module_forward_pre_hook(count)
    try:
        yield calls
    finally:
        hook.remove()


def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Whatever is done is written at once, and after so many times this ends as by a kill."""
    monkeypatch.setattr(Clock, "due", lambda _: True)
    written = [0]

    def ends(original: Callable[..., Any]) -> Callable[..., Any]:
        def write(*given: Any, **named: Any) -> Any:
            found = original(*given, **named)
            written[0] += 1
            if written[0] == at:
                raise KeyboardInterrupt
            return found

        return write

    from rethinkdc.context import chunks
    from rethinkdc.training import checkpoint

    for module, name in ((chunks, "keep_part"), (checkpoint, "save_checkpoint")):
        monkeypatch.setattr(module, name, ends(getattr(module, name)))


def equal(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return len(ours) == len(theirs) and all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_that_is_killed_in_its_middle_asks_no_network_twice(
    kind: str, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = KINDS[kind].work
    with counted() as whole:
        expected = work(surroundings(tmp_path / "whole", known))
    with monkeypatch.context() as killed, counted() as first:
        dying(killed, 2)
        with pytest.raises(KeyboardInterrupt):
            work(surroundings(tmp_path / "killed", known))
    with counted() as second:
        again = surroundings(tmp_path / "killed")
        assert equal(work(again), expected)
    assert 0 < first[0] < whole[0]
    assert first[0] + second[0] == whole[0]


@pytest.mark.parametrize("reference", SELECTORS)
@pytest.mark.parametrize("balance", ["none", pytest.param("class", marks=pytest.mark.slow)])
def test_a_greedy_choice_that_is_killed_makes_no_step_twice(
    reference: str, balance: str, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, values = reference.partition(":")
    work = made(f"{name}:" + ",".join(filter(None, [values, f"balance={balance}"]))).work
    steps, original = [0], Resumable.keep

    def keep(self: Resumable, *given: Any, **named: Any) -> bool:
        steps[0] += 1
        return original(self, *given, **named)

    monkeypatch.setattr(Resumable, "keep", keep)
    here = surroundings(tmp_path / "whole", known)
    # What it reads is made before.
    here.predictions()
    here.score("forgetting")
    here.score("el2n")
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    expected = work(here)
    whole, steps[0] = steps[0], 0
    assert whole > 3
    with monkeypatch.context() as killed:
        dying(killed, 3)
        with pytest.raises(KeyboardInterrupt):
            work(surroundings(tmp_path / "killed"))
    assert 0 < steps[0] < whole
    assert equal(work(surroundings(tmp_path / "killed")), expected)
    assert steps[0] == whole


@pytest.mark.slow
def test_two_ranks_share_the_passes_and_have_the_bits_of_one(known: Path, tmp_path: Path) -> None:
    alone = surroundings(tmp_path / "alone", known)
    expected, counts = {}, {}
    for name, kind in KINDS.items():
        with counted() as calls:
            expected[name] = kind.work(alone)
        counts[name] = calls[0]
    chosen = {reference: made(reference).work(alone) for reference in SELECTORS}
    surroundings(tmp_path / "together", known)
    # Of their own, and no forks: this process has computed, and threads do not survive a fork.
    launch = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-c", f"from {__name__} import take_part; take_part({str(tmp_path)!r})"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env={**launch, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in (0, 1)
    ]
    assert [process.wait(timeout=900) for process in both] == [0, 0]
    said: list[dict[str, Any]] = [torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, kind in KINDS.items():
        asked = [rank["counts"][name] for rank in said]
        assert sum(asked) == counts[name], name
        assert bool(asked[1]) == kind.shared, name
    for rank in said:
        for name, tensors in {**expected, **chosen}.items():
            assert equal(rank["found"][name], tensors), name


def take_part(folder: str) -> None:
    """What each rank does, and what it says of it."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        make_small(patched)
        here, found, counts = surroundings(Path(folder) / "together"), {}, {}
        for name, kind in KINDS.items():
            with counted() as calls:
                found[name] = [tensor.clone() for tensor in kind.work(here)]
            counts[name] = calls[0]
        for reference in SELECTORS:
            found[reference] = made(reference).work(here)
    torch.save({"found": found, "counts": counts}, Path(folder) / f"rank-{os.environ['RANK']}.pt")
