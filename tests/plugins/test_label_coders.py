"""Labelers that store less than all logits: what is on disk, what it costs, and that a kill changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from rethinkdc.contracts.context import Context
from rethinkdc.labels import CoolingTargets, Ensemble, Learner, StoredLabeler, StoredTargets, load_tensors
from rethinkdc.training import train_network
from tests.plugins.labelling import Bench, bench, protocol


def test_quantised_labels_are_the_largest_logits_of_a_share_of_the_batches(tmp_path: Path) -> None:
    tried = bench(tmp_path, protocol(steps=120))
    whole, few = tried.prepared("soft-stored:dtype=float32"), tried.prepared("soft-quantized:k=2,ratio=10")
    assert isinstance(few, CoolingTargets)
    assert isinstance(whole, StoredTargets)
    assert few.cooling.every == round(0.1 * few.schedule.length.epochs)
    assert few.schedule.count == 12
    views = few.schedule.start(12)
    # A class index and a half for each of two logits, and a header.
    assert 6 * views < few.cost.label_bytes < 6 * views + 200
    exact, kept = whole.reader.logits(7), few.reader.logits(7)
    assert torch.equal(kept.isfinite().sum(dim=1), torch.full((5,), 2)[: len(kept)])
    assert torch.equal(kept.topk(2, dim=1).indices, exact.topk(2, dim=1).indices)
    assert torch.equal(kept.topk(2, dim=1).values, exact.topk(2, dim=1).values.half().float())
    assert tried.prepared("soft-quantized").cost.label_bytes == tried.prepared("soft-pruned").cost.label_bytes


def test_a_student_of_quantised_labels_goes_on_after_a_kill_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own temperature is part of the checkpoint: the kill comes in the middle of an epoch."""
    labeler = "soft-quantized:k=2,ratio=3"
    expected = bench(tmp_path / "whole").evaluated(bench(tmp_path / "whole").prepared(labeler))
    monkeypatch.setitem(train_network.__kwdefaults__ or {}, "checkpoint_every", 0.0)
    tried = bench(tmp_path / "killed")
    found = tried.prepared(labeler)
    assert isinstance(found, CoolingTargets)
    asked, targets = list[int](), found.targets

    def killed(batch: Any) -> Any:
        asked.append(1)
        if len(asked) == 6:
            raise KeyboardInterrupt
        return targets(batch)

    monkeypatch.setattr(found, "targets", killed)
    with pytest.raises(KeyboardInterrupt):
        tried.evaluated(found)
    again = Bench(tried.here)
    after = again.prepared(labeler)
    assert isinstance(after, CoolingTargets)
    went_on = list[int]()

    def counted(epoch: int, *given: Any) -> None:
        went_on.append(epoch)
        CoolingTargets.batch(after, epoch, *given)

    monkeypatch.setattr(after, "batch", counted)
    assert again.evaluated(after).result_digest == expected.result_digest
    assert len(went_on) == 9 - 5
    assert after.temperatures[1] != 1.0


def test_codes_count_the_bytes_of_what_decodes_them(tmp_path: Path) -> None:
    tried = bench(tmp_path, protocol(steps=120))
    found = tried.prepared("soft-lowrank:rank=2,books=3,codes=8,views=100")
    assert isinstance(found, StoredTargets)
    decoder = found.reader.decoder
    assert decoder is not None
    kept = load_tensors(decoder)
    assert {name: list(tensor.shape) for name, tensor in kept.items()} == {
        "mean": [4],
        "basis": [2, 4],
        "books": [3, 8, 2],
    }
    labels = sum(path.stat().st_size for path in (tmp_path / "cache" / "labels").glob("*/labels-*.safetensors"))
    assert found.cost.label_bytes == labels + decoder.stat().st_size
    assert 3 * found.schedule.start(120) < labels < 3 * found.schedule.start(120) + 200
    exact = tried.prepared("soft-stored:dtype=float32")
    assert isinstance(exact, StoredTargets)
    close = tried.prepared("soft-lowrank:rank=9,books=8")
    assert isinstance(close, StoredTargets)
    for batch in (0, 61, 119):
        expected = torch.softmax(exact.reader.logits(batch) / 4, dim=1)
        assert torch.allclose(torch.softmax(close.reader.logits(batch) / 4, dim=1), expected, atol=5e-3)


def test_codes_of_a_killed_labelling_are_those_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it learns, and again while it codes: nobody is asked twice for what was kept."""
    monkeypatch.setattr("rethinkdc.context.chunks.HELD_BYTES", 0)
    labeler = "soft-lowrank:rank=2,books=2,codes=8,views=20"
    whole = bench(tmp_path / "whole").prepared(labeler)
    assert isinstance(whole, StoredTargets)
    tried, asked, logits = bench(tmp_path / "killed"), list[int](), Ensemble.logits

    def counting(self: Ensemble, pixels: torch.Tensor) -> torch.Tensor:
        asked.append(1)
        if len(asked) in (3, 10):
            raise KeyboardInterrupt
        return logits(self, pixels)

    monkeypatch.setattr(Ensemble, "logits", counting)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tried.prepared(labeler)
    found = tried.prepared(labeler)
    assert isinstance(found, StoredTargets)
    # Four batches to learn from, nine to code, and two that were killed.
    assert len(asked) == 4 + 9 + 2
    assert all(torch.equal(found.reader.logits(batch), whole.reader.logits(batch)) for batch in range(9))
    assert found.cost == whole.cost


class Signs(StoredLabeler):
    """Another distribution's coder: a bit for each class, and a scale that it learns."""

    name: ClassVar[str] = "soft-signs"

    def coding(self, classes: int, context: Context) -> Learner:
        return LearnedScale()


class LearnedScale:
    views = 10

    def learn(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scale": logits.abs().mean()[None]}

    def coding(self, learned: dict[str, torch.Tensor]) -> SignBits:
        return SignBits(float(learned["scale"]))

    def definition(self) -> dict[str, Any]:
        return {"coding": "signs"}


@dataclass(frozen=True)
class SignBits:
    scale: float

    def encode(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"positive": logits > 0}

    def decode(self, stored: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.scale * (2 * stored["positive"].float() - 1)

    def bytes_per_view(self, classes: int) -> int:
        return classes

    def definition(self) -> dict[str, Any]:
        return {"coding": "signs"}


def test_a_coder_of_another_distribution_is_stored_and_counted_like_ours(tmp_path: Path) -> None:
    tried = bench(tmp_path)
    found = Signs(mix=None).prepare(tried.made, tried.here)
    exact = tried.prepared("soft-stored:mix=none,dtype=float32")
    assert isinstance(found, StoredTargets)
    assert isinstance(exact, StoredTargets)
    scale = float(load_tensors(found.reader.decoder)["scale"])  # type: ignore[arg-type]
    expected = torch.where(exact.reader.logits(3) > 0, scale, -scale)
    assert torch.equal(found.reader.logits(3), expected)
    assert found.cost.label_bytes > found.schedule.start(9) * 4


def test_a_damaged_decoder_is_learned_again(tmp_path: Path) -> None:
    before = bench(tmp_path).prepared("soft-lowrank:rank=2")
    assert isinstance(before, StoredTargets)
    expected, decoder = before.reader.logits(4), before.reader.decoder
    assert decoder is not None
    content = bytearray(decoder.read_bytes())
    content[-1] ^= 1
    decoder.write_bytes(content)
    with pytest.warns(UserWarning, match=r"decoder\.safetensors is damaged.*It is rebuilt"):
        after = bench(tmp_path).prepared("soft-lowrank:rank=2")
    assert isinstance(after, StoredTargets)
    assert torch.equal(after.reader.logits(4), expected)
