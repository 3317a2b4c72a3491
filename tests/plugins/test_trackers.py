"""Trackers of dashboards: what they write is read back, without a network and without an account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.contracts import final_figures, run_title
from rethinkdc.errors import PluginError, RequestError
from rethinkdc.plugins.trackers.tensorboard import TensorBoard
from rethinkdc.plugins.trackers.wandb import WeightsAndBiases
from rethinkdc.registry import Registry

DEFINITION = {
    "seeds": {"set": 1, "proxy": 1, "student": 4},
    "protocol": "aa" * 32,
    "dataset": "bb" * 32,
    "compressor": {"name": "pca", "parameters": {"grid": 3}},
}
NAMES = {"compressor": "pca:grid=3", "labeler": "hard", "dataset": "digits", "ipc": "1", "student": "convnet"}
RECORD: dict[str, Any] = {
    "status": "ok",
    "reason": "",
    "evaluation": {"metrics": {"top1": 0.75, "loss": 1.5}, "curve": []},
    "cost": {
        "seconds": {"proxy": 2.5},
        "image_bytes": {"stored": 100, "recipe": None},
        "label_bytes": 10,
        "teacher_at_training": False,
    },
}
FAILED: dict[str, Any] = {"status": "failed", "reason": "it diverged", "evaluation": None, "cost": None}


def follow(tracker: Any, key: str, record: dict[str, Any] | None, losses: tuple[float, ...] = (2.0, 1.0)) -> None:
    tracker.run_started(definition=DEFINITION, names=NAMES, key=key)
    for epoch, loss in enumerate(losses):
        tracker.epoch_ended(epoch=epoch, loss=loss)
    if record:
        tracker.run_finished(record=record)


def test_a_run_has_a_title_and_flat_figures() -> None:
    assert run_title(DEFINITION, NAMES) == "pca:grid=3 + hard, digits, ipc 1, seed 1, student=4"
    assert final_figures(RECORD) == {
        "metrics/top1": 0.75,
        "metrics/loss": 1.5,
        "cost/seconds/proxy": 2.5,
        "cost/image_bytes/stored": 100.0,
        "cost/label_bytes": 10.0,
        "cost/teacher_at_training": 0.0,
    }
    assert final_figures(FAILED) == {}


def test_tensorboard_reads_curve_figures_and_settings(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    tracker = TensorBoard(folder=str(tmp_path))
    # One that was left without an end, one that failed, and one that went well: three folders.
    follow(tracker, "11" * 12, None)
    follow(tracker, "22" * 12, FAILED, losses=(3.0,))
    follow(tracker, "33" * 12, RECORD)
    stem = "pca_grid=3_+_hard_digits_ipc_1_seed_1_student=4"
    assert {path.name for path in tmp_path.iterdir()} == {f"{stem}-{digit * 8}" for digit in "123"}

    def read(digit: str) -> EventAccumulator:
        events = EventAccumulator(str(tmp_path / f"{stem}-{digit * 8}"))
        events.Reload()
        return events

    events = read("3")
    assert [(each.step, each.value) for each in events.Scalars("training/loss")] == [(0, 2.0), (1, 1.0)]
    assert [each.value for each in events.Scalars("metrics/top1")][-1] == 0.75
    assert [each.value for each in events.Scalars("cost/seconds/proxy")] == [2.5]
    (text,) = events.Tensors("definition/text_summary")
    assert '"grid": 3' in text.tensor_proto.string_val[0].decode()
    told = HParamsPluginData.FromString(events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content)
    settings = told.session_start_info.hparams
    assert settings["compressor"].string_value == "pca:grid=3"
    assert (settings["seed_student"].number_value, settings["key"].string_value) == (4, "33" * 12)
    assert read("2").Tensors("reason/text_summary")
    assert "metrics/top1" not in read("1").Tags()["scalars"]


def wandb_records(path: Path) -> Iterator[Any]:
    """What an offline file holds: records in blocks of 32 KiB, each with checksum, length and kind before it."""
    from wandb.proto import wandb_internal_pb2

    content, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(parts)
            parts = b""
            yield record


def test_wandb_writes_a_run_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    for name in ("CONFIG", "CACHE", "DATA", "ARTIFACT"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "home"))
    # A busy machine takes long to start the process that writes.
    monkeypatch.setenv("WANDB__SERVICE_WAIT", "600")
    tracker = WeightsAndBiases(project="mine", mode="offline", folder=str(tmp_path))
    tracker.check()
    follow(tracker, "33" * 12, RECORD)
    # The process that writes has written all when it has ended.
    wandb.teardown()
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    config: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    losses, codes = [], []
    for record in wandb_records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            assert (record.run.project, record.run.display_name) == ("mine", run_title(DEFINITION, NAMES))
            config |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "history":
            told = {".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            losses.append((told["_step"], told["training/loss"]))
        elif kind == "summary":
            figures |= {item.key: json.loads(item.value_json) for item in record.summary.update if item.key}
        elif kind == "exit":
            codes.append(record.exit.exit_code)
    assert (config["compressor"], config["key"], config["definition"]) == ("pca:grid=3", "33" * 12, DEFINITION)
    assert losses == [(0, 2.0), (1, 1.0)]
    assert (figures["metrics/top1"], figures["cost/seconds/proxy"], figures["status"]) == (0.75, 2.5, "ok")
    assert codes == [0]


def test_wandb_asks_for_a_login_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    asked: list[dict[str, bool]] = []

    def login(**how: bool) -> bool:
        asked.append(how)
        return False

    monkeypatch.setattr(wandb, "login", login)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(RequestError, match=r"nobody is logged in: run `wandb login` first, or use wandb:mode=offline"):
        Registry().trackers.add("wandb:project=mine")
    # Neither a prompt nor the network.
    assert asked == [{"prompt": False, "verify": False}]
    monkeypatch.setenv("WANDB_MODE", "offline")
    Registry().trackers.add("wandb:project=mine")
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_package_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"rethinkdc.plugins.trackers.{name}.find_spec", lambda package: None)
    with pytest.raises(RequestError, match=rf"needs the package {name}, .*: pip install 'rethinkdc\[{name}\]'"):
        Registry().trackers.add(name)


def test_parameters_of_trackers_are_checked() -> None:
    trackers = Registry().trackers
    with pytest.raises(RequestError, match=r"wandb has no parameter 'projet'. Did you mean 'project'"):
        trackers.add("wandb:projet=mine")
    with pytest.raises(PluginError, match="The tracker 'jsonl' has no parameters; found path"):
        trackers.add("jsonl:path=FILE")
    trackers.add("tensorboard:folder=a")
    trackers.add("tensorboard:folder=b")
    trackers.add("rethinkdc/tensorboard:folder=a")
    assert trackers.added == ["tensorboard:folder=a", "tensorboard:folder=b"]
