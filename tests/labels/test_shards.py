"""Stored labels: what is on disk, read back, resumed and rebuilt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rethinkdc.context.run import RunContext
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.labels import Dense, LabelReader, LabelSchedule, Shards, shards, write_labels
from rethinkdc.testing import context
from rethinkdc.training.length import Length
from rethinkdc.types import ViewBatch, ViewKey

CLASSES = 3


class Counting:
    """Teachers whose logits name the batch and the row, and who count how often they are asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def logits(self, pixels: Tensor) -> Tensor:
        self.asked.append(int(pixels[0, 0, 0, 0]))
        return pixels[:, 0, 0].float() + torch.tensor([0.0, 0.25, 0.5])


def rendered(schedule: LabelSchedule, batch: int) -> ViewBatch:
    rows = schedule.rows(batch)
    pixels = torch.full((len(rows), 3, 1, CLASSES), batch, dtype=torch.float32) + rows[:, None, None, None] / 1000
    return ViewBatch(pixels=pixels, rows=rows, hard=torch.zeros(len(rows)).long(), key=schedule.key(batch))


def made(monkeypatch: pytest.MonkeyPatch, per_shard: int = 4) -> Shards:
    schedule = LabelSchedule(Length(10, 4, 21, 7), 21, order=1, views=2)
    coding = Dense("float32")
    monkeypatch.setattr(shards, "SHARD_BYTES", per_shard * 4 * coding.bytes_per_view(CLASSES))
    return Shards(schedule, coding, CLASSES)


def written(
    found: Shards,
    folder: Path,
    teachers: Counting | None = None,
    workers: int = 0,
    here: RunContext | None = None,
) -> LabelReader:
    out = folder / "out"
    out.mkdir(parents=True, exist_ok=True)
    write_labels(
        found,
        teachers or Counting(),  # type: ignore[arg-type]
        lambda batch: rendered(found.schedule, batch),
        replace(here or context(folder), workers=workers),
        out,
    )
    return LabelReader(out, found)


@pytest.mark.parametrize(("per_shard", "workers"), [(1, 0), (4, 2), (100, 0)])
def test_every_batch_reads_back_what_the_teachers_said(
    per_shard: int, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(monkeypatch, per_shard)
    reader = written(found, tmp_path, workers=workers)
    assert found.count == -(-21 // per_shard)
    for batch in (20, 0, 7, 8, 3):
        expected = Counting().logits(rendered(found.schedule, batch).pixels)
        assert torch.equal(reader.logits(batch), expected)


def test_the_bytes_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch)
    reader = written(found, tmp_path)
    on_disk = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert reader.bytes == on_disk
    assert on_disk - found.schedule.start(21) * CLASSES * 4 < 200 * found.count


def test_shards_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch)

    class Killed(Counting):
        def logits(self, pixels: Tensor) -> Tensor:
            if len(self.asked) == 10:
                raise KeyboardInterrupt
            return super().logits(pixels)

    with pytest.raises(KeyboardInterrupt):
        written(found, tmp_path, Killed())
    again = Counting()
    reader = written(found, tmp_path, again)
    # Two shards, and of the third the two batches that were done when the kill came.
    assert again.asked == list(range(10, 21))
    whole = written(found, tmp_path / "whole")
    assert all(torch.equal(reader.logits(batch), whole.logits(batch)) for batch in range(21))


def test_a_shard_that_was_cut_short_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch)
    here = context(tmp_path)
    (here.folder / "labels-00000.safetensors").write_bytes(b"half a shard")
    assert torch.isfinite(written(found, tmp_path, here=here).logits(0)).all()


def test_a_logit_that_is_not_finite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Counting):
        def logits(self, pixels: Tensor) -> Tensor:
            found = super().logits(pixels)
            return found / 0 if len(self.asked) == 6 else found

    with pytest.raises(RequestError, match="not finite, first in batch 5 of the views"):
        written(made(monkeypatch), tmp_path, Broken())


def test_a_logit_that_its_coding_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Huge(Counting):
        def logits(self, pixels: Tensor) -> Tensor:
            return super().logits(pixels) + (1e5 if len(self.asked) == 6 else 0)

    found = made(monkeypatch)
    half = Shards(found.schedule, Dense("float16"), CLASSES)
    with pytest.raises(RequestError, match=r"batch 5 of the views are too large for their coding.*dtype=float32"):
        written(half, tmp_path, Huge())


def test_what_an_earlier_try_spent_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch)
    here = context(tmp_path)
    written(found, tmp_path / "first", here=here)
    for seal in here.folder.glob("*.sealed"):
        seal.write_text(f"{seal.read_text().split()[0]} 2.5 30")
    again = Counting()
    there = context(tmp_path)
    written(found, tmp_path / "again", again, here=there)
    assert again.asked == []
    assert there.work.images == 30 * found.count
    assert there.books.earlier == 2.5 * found.count


def test_a_shard_of_many_views_is_made_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a kill, and a rank, need not do all of it: the files are those of one piece."""
    found = made(monkeypatch, 9)
    whole = written(found, tmp_path / "whole")
    monkeypatch.setattr(shards, "PIECE_VIEWS", 8)
    assert [(piece.shard, list(piece.batches)) for piece in found.pieces[:4]] == [
        (0, [0, 1]),
        (0, [2, 3]),
        (0, [4, 5]),
        (0, [6, 7, 8]),
    ]
    assert sorted(batch for piece in found.pieces for batch in piece.batches) == list(range(21))
    cut = written(found, tmp_path / "cut")
    for name in found.files:
        assert (cut.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_batch_lies_in_one_shard_wherever_the_cut_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four batches to a shard: 4 + 4 + 2 + 4 views in the first, then 4 + 2 + 4 + 4."""
    found = made(monkeypatch)
    assert [found.place(batch) for batch in (0, 2, 3, 4, 5)] == [
        (0, slice(0, 4)),
        (0, slice(8, 10)),
        (0, slice(10, 14)),
        (1, slice(0, 4)),
        (1, slice(4, 6)),
    ]
    assert found.schedule.key(5) == ViewKey(2, 1, 2)


def test_logits_of_other_classes_are_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(monkeypatch)
    reader = written(found, tmp_path)
    shard = tmp_path / "out" / found.files[0]
    save_file({name: tensor.repeat(1, 2) for name, tensor in load_file(shard).items()}, shard)
    with pytest.raises(DamagedError, match="it holds other labels"):
        reader.logits(0)
