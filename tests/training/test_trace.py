"""The trace: what the recorder writes and the table reads."""

from __future__ import annotations

import json
import math
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.seeds import generator
from rethinkdc.training import CLEAN_COLUMNS, COLUMNS, Prediction, Trace, TraceRecorder
from rethinkdc.training.columns import observe
from rethinkdc.types import TraceTable

ROWS, CLASSES, EPOCHS = 7, 4, 3
TARGETS = torch.arange(ROWS) % CLASSES
MODEL = nn.Identity()


def _logits(epoch: int) -> Tensor:
    return torch.randn(ROWS, CLASSES, generator=generator(epoch)) * 2


FEATURES = torch.randn(ROWS, 5, generator=generator(99))


def _recorder(folder: Path, clean_epochs: tuple[int, ...] = (2,)) -> TraceRecorder:
    def observe_clean(_: nn.Module) -> list[Prediction]:
        parts = torch.split(torch.arange(ROWS), 3)
        return [Prediction(part, _logits(50)[part], FEATURES[part]) for part in parts]

    return TraceRecorder(
        folder, rows=ROWS, epochs=EPOCHS, classes=CLASSES, clean_epochs=clean_epochs, observe_clean=observe_clean
    )


def _epoch(recorder: TraceRecorder, epoch: int) -> None:
    for rows in torch.split(torch.randperm(ROWS, generator=generator(epoch + 10)), 3):
        recorder.batch(epoch, rows, _logits(epoch)[rows], TARGETS[rows], FEATURES[rows])
    recorder.epoch_ended(epoch, MODEL)


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    recorder = _recorder(tmp_path / "work")
    for epoch in range(EPOCHS):
        _epoch(recorder, epoch)
    recorder.finish(tmp_path / "out")
    return Trace(tmp_path / "out")


def test_each_column_lies_at_its_row_and_epoch(trace: Trace) -> None:
    for epoch in range(EPOCHS):
        expected = observe(_logits(epoch), TARGETS, FEATURES)
        for name in CLEAN_COLUMNS:
            found = trace.column(f"train.{name}", epoch + 1, epoch + 1)
            assert found.dtype == torch.float32
            torch.testing.assert_close(found, expected[name].unsqueeze(0))


def test_clean_columns_are_observed_after_their_epoch_only(trace: Trace) -> None:
    expected = observe(_logits(50), TARGETS, FEATURES)
    for name in CLEAN_COLUMNS:
        torch.testing.assert_close(trace.column(f"clean.{name}", 2, 2), expected[name].unsqueeze(0))
    assert trace.clean_epochs == (2,)


def test_change_follows_the_probabilities_of_the_epoch_before(trace: Trace) -> None:
    found = trace.column("train.change", 1, EPOCHS)
    assert found[0].tolist() == [0.0] * ROWS
    for epoch in (1, 2):
        now, before = _logits(epoch).double().softmax(1), _logits(epoch - 1).double().softmax(1)
        expected = (now * (now / before).log()).abs().sum(1)
        torch.testing.assert_close(found[epoch].double(), expected, rtol=2e-3, atol=2e-3)


def test_change_over_three_hand_worked_epochs(tmp_path: Path) -> None:
    """One row of two classes: p of the first class is 1/2, then 3/4, then 1/4."""
    recorder = TraceRecorder(tmp_path / "work", rows=1, epochs=3, classes=2)
    for epoch, p in enumerate((0.5, 0.75, 0.25)):
        logits = torch.tensor([[math.log(p), math.log(1 - p)]])
        recorder.batch(epoch, torch.tensor([0]), logits, torch.tensor([0]), torch.zeros(1, 1))
        recorder.epoch_ended(epoch, MODEL)
    recorder.finish(tmp_path / "out")
    second = 0.75 * math.log(1.5) + 0.25 * math.log(2)
    third = 0.25 * math.log(3) + 0.75 * math.log(3)
    found = Trace(tmp_path / "out").column("train.change", 1, 3).flatten().tolist()
    assert found == pytest.approx([0, second, third], rel=1e-3)


def test_batches_played_again_after_a_kill_write_the_same_numbers(trace: Trace, tmp_path: Path) -> None:
    recorder = _recorder(tmp_path / "killed")
    _epoch(recorder, 0)
    state = recorder.state()
    # The second epoch ends, the run dies before its checkpoint, and a new process plays it again.
    _epoch(recorder, 1)
    recorder = _recorder(tmp_path / "killed")
    assert recorder.restore(state)
    _epoch(recorder, 1)
    _epoch(recorder, 2)
    recorder.finish(tmp_path / "resumed")
    for name in COLUMNS:
        assert torch.equal(
            Trace(tmp_path / "resumed").column(f"train.{name}", 1, 3), trace.column(f"train.{name}", 1, 3)
        )


@pytest.mark.parametrize("table", ["train.npy", "clean.npy", "before.npy", "targets.npy", "ended.npy"])
@pytest.mark.parametrize("damage", ["flipped", "gone", "a pipe"])
def test_tables_that_are_not_as_they_were_at_a_checkpoint_are_not_gone_on_with(
    table: str, damage: str, tmp_path: Path
) -> None:
    recorder = _recorder(tmp_path)
    _epoch(recorder, 0)
    _epoch(recorder, 1)
    state, path = recorder.state(), tmp_path / table
    del recorder
    if damage == "flipped":
        values = np.load(path, mmap_mode="r+")
        values.view(np.uint8).reshape(values.shape[0], -1)[0, 0] ^= 1
        values.flush()
    else:
        path.unlink()
    if damage == "a pipe":
        os.mkfifo(path)
    again = _recorder(tmp_path)
    # The log-probabilities of the first epoch are not needed any more.
    assert again.restore(state) == (table == "before.npy" and damage == "flipped")
    assert again.restore(None)
    for epoch in range(EPOCHS):
        _epoch(again, epoch)
    again.finish(tmp_path / "out")


def test_a_row_that_is_changed_while_a_proxy_trains_is_told(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path)
    for epoch in range(EPOCHS):
        _epoch(recorder, epoch)
    values = np.load(tmp_path / "train.npy", mmap_mode="r+")
    values[0, 0, 0] += 1
    values.flush()
    with pytest.raises(DamagedError, match="not as it was written"):
        recorder.finish(tmp_path / "out")


def test_the_accuracy_is_that_of_the_last_epoch(trace: Trace) -> None:
    assert trace.accuracy == pytest.approx(float((_logits(2).argmax(1) == TARGETS).float().mean()))
    assert (trace.epochs, trace.rows, trace.classes) == (EPOCHS, ROWS, CLASSES)


def test_a_trace_is_what_scores_are_given(trace: Trace) -> None:
    table: TraceTable = trace
    assert table.column("train.p", 1, 3).shape == (3, ROWS)


@pytest.mark.parametrize(
    ("name", "first", "last", "said"),
    [
        ("train.el2n", 1, 1, r"no column 'train.el2n'.*train\.p"),
        ("clean.change", 2, 2, r"no column 'clean.change'.*train\.change"),
        ("p", 1, 1, "no column 'p'"),
        ("train.p", 0, 1, "choose epochs from 1 to 3"),
        ("train.p", 2, 4, "choose epochs from 1 to 3"),
        ("train.p", 3, 2, "the first comes after the last"),
        ("clean.p", 1, 2, r"epochs only: 2\. .*'train\.p', or list 1 under"),
        ("clean.p", 4, 4, "epochs only: 2"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    trace: Trace, name: str, first: int, last: int, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        trace.column(name, first, last)


def test_a_trace_without_clean_epochs_says_so(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path / "work", clean_epochs=())
    for epoch in range(EPOCHS):
        _epoch(recorder, epoch)
    recorder.finish(tmp_path / "out")
    with pytest.raises(RequestError, match="epochs only: none"):
        Trace(tmp_path / "out").column("clean.p", 1, 1)


def test_writing_to_a_column_changes_nothing_on_disk(trace: Trace) -> None:
    trace.column("train.p", 1, 1).zero_()
    assert bool(trace.column("train.p", 1, 1).all())


@pytest.mark.parametrize("clean_epochs", [(0,), (4,)])
def test_clean_epochs_outside_the_run_are_refused(tmp_path: Path, clean_epochs: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match="not among the epochs 1 to 3"):
        _recorder(tmp_path, clean_epochs)


def test_clean_epochs_need_a_way_to_observe_them(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="without a way"):
        TraceRecorder(tmp_path, rows=2, epochs=2, classes=2, clean_epochs=(1,))


def test_a_trace_whose_files_were_removed_while_it_ran_is_not_finished(tmp_path: Path) -> None:
    _epoch(_recorder(tmp_path / "work"), 0)
    (tmp_path / "work" / "train.npy").unlink()
    recorder = _recorder(tmp_path / "work")
    _epoch(recorder, 1)
    _epoch(recorder, 2)
    with pytest.raises(DamagedError, match=r"lacks the epochs \[1\]"):
        recorder.finish(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_cut_off_while_being_made_are_made_again(trace: Trace, tmp_path: Path) -> None:
    work = tmp_path / "cut"
    _recorder(work)
    for name in ("train.npy", "before.npy"):
        content = (work / name).read_bytes()
        (work / name).write_bytes(content[: len(content) // 2])
    recorder = _recorder(work)
    for epoch in range(EPOCHS):
        _epoch(recorder, epoch)
    recorder.finish(tmp_path / "again")
    assert torch.equal(Trace(tmp_path / "again").column("train.error", 1, 3), trace.column("train.error", 1, 3))


def test_a_folder_without_a_trace_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"no readable trace\.json"):
        Trace(tmp_path)


def test_a_trace_of_another_schema_is_not_read(trace: Trace) -> None:
    about = json.loads((trace.folder / "trace.json").read_text())
    (trace.folder / "trace.json").write_text(json.dumps({**about, "schema": 99}))
    with pytest.raises(DamagedError, match="schema 99"):
        Trace(trace.folder)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"accuracy": 1.5}, {"columns": "p"}, {"clean_columns": ["p", "p"]}, {"more": 1}, {"rows": None}],
    ids=["no-epochs", "accuracy", "columns", "twice", "more", "rows"],
)
def test_what_no_recorder_writes_is_no_trace(trace: Trace, change: dict[str, object]) -> None:
    about = json.loads((trace.folder / "trace.json").read_text())
    (trace.folder / "trace.json").write_text(json.dumps({**about, **change}))
    with pytest.raises(DamagedError, match=rf"no readable trace\.json: {next(iter(change))}"):
        Trace(trace.folder)


def test_a_table_of_another_shape_is_told_when_it_is_read(trace: Trace) -> None:
    np.save(trace.folder / "train.npy", np.zeros((1, 2, 3), np.float32))
    with pytest.raises(DamagedError, match=r"train\.npy is float32 \[1, 2, 3\], and trace\.json beside it says"):
        trace.column("train.p", 1, 1)


def test_a_run_that_goes_on_holds_no_copy_of_the_last_epoch(tmp_path: Path) -> None:
    """At ImageNet's size the log-probabilities of one epoch are 2.6 GB."""
    rows, classes = 100_000, 20
    recorder = TraceRecorder(tmp_path, rows=rows, epochs=2, classes=classes)
    logits = torch.randn(1000, classes, generator=generator(0))
    for part in torch.arange(rows).split(1000)[:-1]:
        recorder.batch(0, part, logits, part % classes, FEATURES[:1].expand(1000, -1))
    state = recorder.state()
    tracemalloc.start()
    held = recorder.restore(state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held
    assert peak < rows * classes * 2 / 2
