"""The labelers that ask teachers: what is online, what is stored, and that both teach the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from rethinkdc.compressed import CompressedSet, grid_boxes
from rethinkdc.contracts import Labeler
from rethinkdc.contracts.context import Context
from rethinkdc.errors import RequestError, UnsupportedError
from rethinkdc.labels import (
    LABEL_SEMANTICS,
    OnlineTargets,
    StaticTargets,
    StoredTargets,
    distillation,
)
from rethinkdc.models import weights_digest
from rethinkdc.protocol.student import student_training
from rethinkdc.testing import context
from rethinkdc.types import Drawn, ViewKey, ViewRule
from tests.plugins.labelling import IPC, Bench, bench, protocol

ONLINE_AND_OFF = ("soft", "soft-mse-gt", "gift", "soft-stored", "soft-static")


class Redirected:
    """An online supervision that is asked on the views of a stored one."""

    def __init__(self, online: Any, stored: StoredTargets) -> None:
        self.online, self.stored, self.mix, self.cost = online, stored, online.mix, online.cost
        self.targets, self.loss = online.targets, online.loss

    def drawn(self, step: int) -> Drawn | None:
        return self.stored.drawn(step)


@pytest.mark.parametrize(
    "options", ["", "mix=mixup", "mix=none", "teacher_bn=batch", "teachers=[trained:recipe=weak,trained]"]
)
def test_labels_stored_in_float32_give_the_online_teachers_student_bit_for_bit(options: str, tmp_path: Path) -> None:
    tried = bench(tmp_path / "one")
    stored = tried.prepared(f"soft-stored:dtype=float32{',' if options else ''}{options}")
    assert isinstance(stored, StoredTargets)
    online = Redirected(tried.prepared(f"soft:{options}" if options else "soft"), stored)
    first = tried.evaluated(stored)
    second = bench(tmp_path / "two").evaluated(online)
    assert first.result_digest == second.result_digest
    assert first.views == second.views


def test_labels_stored_in_float16_teach_almost_the_same(tmp_path: Path) -> None:
    """Off by at most 2**-11 of a logit, so the divergence at T = 4 changes by well under a thousandth of a nat."""
    tried = bench(tmp_path)
    half, whole = tried.prepared("soft-stored"), tried.prepared("soft-stored:dtype=float32")
    assert isinstance(half, StoredTargets)
    assert half.cost.label_bytes < 0.6 * whole.cost.label_bytes
    training = student_training(tried.made, half.mix, tried.here.protocol, ipc=tried.here.ipc)
    for step in range(9):
        drawn = half.drawn(step)
        assert drawn is not None
        batch = training.render(drawn)
        rough, exact = half.targets(batch)["soft"], whole.targets(batch)["soft"]
        assert bool(((rough - exact).abs() <= exact.abs() * 2**-11 + 2**-24).all())
        logits = torch.zeros_like(exact)
        assert torch.allclose(distillation(logits, rough, 4.0), distillation(logits, exact, 4.0), atol=1e-3)


def test_stored_labels_belong_to_the_labels_seed_and_serve_every_student(tmp_path: Path) -> None:
    first = bench(tmp_path).prepared("soft-stored")
    kept = sorted((tmp_path / "cache" / "labels").iterdir())
    other_student = bench(tmp_path, student=1).prepared("soft-stored")
    assert sorted((tmp_path / "cache" / "labels").iterdir()) == kept
    other_labels = bench(tmp_path, labels=1).prepared("soft-stored")
    assert first.drawn(3) is not None
    assert first.drawn(3).key == other_student.drawn(3).key  # type: ignore[union-attr]
    assert first.drawn(3).key != other_labels.drawn(3).key  # type: ignore[union-attr]


def test_pruned_labels_are_fewer_and_only_stored_batches_are_drawn(tmp_path: Path) -> None:
    tried = bench(tmp_path, protocol(steps=120))
    whole, pruned = tried.prepared("soft-stored"), tried.prepared("soft-pruned:ratio=10")
    assert isinstance(pruned, StoredTargets)
    assert pruned.schedule.count == 12
    assert {pruned.schedule.batch(pruned.drawn(step).key) for step in range(120)} <= set(range(12))  # type: ignore[union-attr]
    header = 100
    assert pruned.cost.label_bytes - header < (whole.cost.label_bytes) / 10
    assert tried.evaluated(pruned).views == 40 * 12
    quantised = tried.prepared("soft-pruned:ratio=10,dtype=uint8")
    assert quantised.cost.label_bytes > 0


def test_a_damaged_shard_is_named_and_made_again(tmp_path: Path) -> None:
    before = bench(tmp_path).prepared("soft-stored")
    assert isinstance(before, StoredTargets)
    expected = before.reader.logits(4)
    shard = next((tmp_path / "cache" / "labels").glob("*/labels-00000.safetensors"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.warns(UserWarning, match=r"labels-00000\.safetensors is damaged.*It is rebuilt"):
        after = bench(tmp_path).prepared("soft-stored")
    assert isinstance(after, StoredTargets)
    assert torch.equal(after.reader.logits(4), expected)


@pytest.mark.parametrize("labeler", [*ONLINE_AND_OFF, "soft:teacher_bn=batch"])
def test_the_teacher_is_the_same_after_a_student_was_taught(
    labeler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and buffers of the one network that is asked, not of a copy from the cache."""
    tried = bench(tmp_path)
    teacher, asked = tried.here.teacher(), list[int]()
    monkeypatch.setattr(type(tried.here), "teacher", lambda *_: teacher)
    teacher.module.register_forward_hook(lambda *_: asked.append(1))
    before = weights_digest(teacher.module)
    tried.evaluated(tried.prepared(labeler))
    assert weights_digest(teacher.module) == before
    # With batch statistics a copy is asked in its place, hook and all.
    assert asked


def test_only_the_online_track_costs_a_teacher(tmp_path: Path) -> None:
    tried = bench(tmp_path)
    teacher = tried.here.teacher()
    costs = {name: tried.prepared(name).cost for name in ONLINE_AND_OFF}
    assert [name for name, cost in costs.items() if cost.teacher_at_training] == ["soft", "soft-mse-gt", "gift"]
    assert [cost.teacher_bytes for cost in costs.values()] == [teacher.bytes] * 3 + [0, 0]
    assert [costs[name].label_bytes for name in ("soft", "soft-mse-gt", "gift")] == [0, 12, 12]


def test_a_static_label_is_the_teachers_of_the_whole_image_mixed_by_the_pasted_area(tmp_path: Path) -> None:
    tried = bench(tmp_path)
    static = tried.prepared("soft-static:temperature=2.0")
    assert isinstance(static, StaticTargets)
    made = tried.made
    whole = tried.here.teacher().logits(made.canvases(torch.arange(12), 8)).half().float()
    assert torch.equal(static.labels.float(), whole)
    training = student_training(made, static.mix, tried.here.protocol, ipc=tried.here.ipc)
    batch = training.render(Drawn(ViewKey(3, 0, 0), torch.arange(5)))
    found = static.targets(batch)["probabilities"]
    assert batch.partner_rows is not None
    assert batch.area is not None
    for row in range(5):
        own = torch.softmax(whole[row] / 2, dim=0)
        other = torch.softmax(whole[batch.partner_rows[row]] / 2, dim=0)
        share = float(batch.area[row])
        assert torch.allclose(found[row], (1 - share) * own + share * other, atol=1e-6)
    assert torch.allclose(found.sum(1), torch.ones(5))


def tiled(here: Context, *, scope: Any = "cell", grid: int = 2) -> CompressedSet:
    """One canvas of each class at 8 px, with cells that differ."""
    canvases = here.data.canvases(torch.arange(0, 80, 20), 8)
    part = {"canvases": canvases, "targets": torch.arange(4)}
    rule = ViewRule(scope=scope)
    return CompressedSet.of_canvases([part], here.data.class_names, cell_boxes=grid_boxes(8, grid), view_rule=rule)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_static_label_of_cells_is_the_mean_of_those_of_the_cells_as_a_student_sees_them(
    temperature: float, tmp_path: Path
) -> None:
    here = bench(tmp_path).here
    made = tiled(here)
    static = here.method(Labeler, f"soft-static:temperature={temperature},mix=none").prepare(made, here)
    assert isinstance(static, StaticTargets)
    canvases, teacher = made.canvases(torch.arange(4), 8), here.teacher()
    expected = torch.zeros(4, 4, dtype=torch.float64)
    for y, x in ((0, 0), (0, 4), (4, 0), (4, 4)):
        cell = F.interpolate(canvases[:, :, y : y + 4, x : x + 4], size=(8, 8), mode="bilinear", antialias=True)
        expected += torch.softmax(teacher.logits(cell).double() / temperature, dim=1) / 4
    # Stored in half precision, and else exactly.
    stored = (temperature * expected.log()).float().half()
    assert torch.equal(static.labels, stored)
    batch = student_training(made, None, here.protocol, ipc=1).render(Drawn(ViewKey(0, 0, 0), torch.arange(4)))
    assert torch.allclose(static.targets(batch)["probabilities"].double(), expected, atol=2e-3)
    assert static.cost.label_bytes < 200 + 4 * 4 * 2


@pytest.mark.parametrize(("scope", "grid"), [("canvas", 2), ("cell", 1)])
def test_a_canvas_that_is_seen_whole_has_the_label_that_it_always_had(scope: str, grid: int, tmp_path: Path) -> None:
    """To the bit, and under the key: cells that no view is confined to change neither."""
    here = bench(tmp_path).here
    made, teacher = tiled(here, scope=scope, grid=grid), here.teacher()
    static = here.method(Labeler, "soft-static").prepare(made, here)
    assert isinstance(static, StaticTargets)
    assert torch.equal(static.labels, teacher.logits(made.canvases(torch.arange(4), 8)).half())
    key = {
        "semantics": LABEL_SEMANTICS,
        "set": made.fingerprint,
        "store": here.protocol.store.model_dump(mode="json"),
        "teachers": [[teacher.digest], "mean"],
    }
    kept = here.artefact("static-labels", key, "labels", lambda *_: pytest.fail("another key"), files=[])
    assert list(kept.glob("*.safetensors"))


def test_cells_have_other_labels_at_another_temperature(tmp_path: Path) -> None:
    here = bench(tmp_path).here
    made = tiled(here)
    for temperature in (1.0, 2.0, 1.0):
        here.method(Labeler, f"soft-static:temperature={temperature}").prepare(made, here)
    assert len(list((tmp_path / "cache" / "static-labels").iterdir())) == 2


def test_labels_of_views_see_the_cells(tmp_path: Path) -> None:
    """What is stored of a batch is what the teacher says of those views, which lie in cells."""
    here = bench(tmp_path).here
    made = tiled(here)
    stored = here.method(Labeler, "soft-stored:dtype=float32,mix=none").prepare(made, here)
    online = here.method(Labeler, "soft:mix=none").prepare(made, here)
    drawn = stored.drawn(0)
    assert drawn is not None
    batch = student_training(made, None, here.protocol, ipc=1).render(drawn)
    whole = student_training(replace(made, view_rule=ViewRule()), None, here.protocol, ipc=1).render(drawn)
    assert not torch.equal(batch.pixels, whole.pixels)
    said = here.teacher().logits(batch.pixels)
    assert torch.allclose(stored.targets(batch)["soft"], said, atol=1e-6)
    assert torch.equal(online.targets(batch)["soft"], said)


def test_learned_labels_are_the_sets_own_or_refused(tmp_path: Path) -> None:
    tried = bench(tmp_path)
    labeler = tried.here.method(Labeler, "soft-static:source=learned")
    with pytest.raises(UnsupportedError, match="brings no learned soft labels"):
        labeler.prepare(tried.made, tried.here)
    learned = torch.eye(4)[tried.made.targets].half()
    static = labeler.prepare(replace(tried.made, soft_targets=learned), tried.here)
    assert isinstance(static, StaticTargets)
    assert torch.equal(static.labels, learned)
    assert static.cost.label_bytes == 12 * 4 * 2


def test_several_teachers_are_averaged_and_may_be_brought_to_one_norm(tmp_path: Path) -> None:
    tried = bench(tmp_path)
    names = ("trained:recipe=weak", "trained")
    pixels = tried.made.canvases(torch.arange(6), 8)
    one, two = (tried.here.teacher(name).logits(pixels) for name in names)
    mean = tried.prepared(f"soft:teachers=[{','.join(names)}]")
    normed = tried.prepared(f"soft:teachers=[{','.join(names)}],averaging=normed")
    assert isinstance(mean, OnlineTargets)
    assert isinstance(normed, OnlineTargets)
    assert torch.allclose(mean.ensemble.logits(pixels), (one + two) / 2)
    scale = (one.norm() + two.norm()) / 2
    assert torch.allclose(normed.ensemble.logits(pixels), (one / one.norm() + two / two.norm()) / 2 * scale, atol=1e-6)


def test_a_protocol_without_a_temperature_asks_for_one(tmp_path: Path) -> None:
    here = context(tmp_path, protocol="digits-hard", ipc=IPC)
    with pytest.raises(RequestError, match=r"digits-hard has no temperature: give soft:temperature="):
        Bench(here).prepared("soft")
    logits, target = torch.zeros((1, 4)), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    losses = {}
    for squared in ("none", "true"):
        found = Bench(here).prepared(f"soft:temperature=3.0,t_squared={squared}")
        losses[squared] = found.loss(logits, {"soft": target, "hard": torch.tensor([0])})
    assert torch.equal(losses["none"], distillation(logits, target, 3.0))
    assert torch.equal(losses["true"], 9 * losses["none"])
