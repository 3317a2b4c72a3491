"""One walk down: what may be evaluated, what is kept, what an override means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import rethinkdc as rdc
from rethinkdc.errors import RequestError, StorageError, UnsupportedError
from rethinkdc.runs.records import Records

PROTOCOLS = Path(__file__).resolve().parents[2] / "protocols"
SHORT = {"training.steps": 4}


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, Any]:
    return {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu", "dataset": "digits"}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    return {"cache_dir": tmp_path / "cache", "device": "cpu", "dataset": "digits"}


def test_a_set_of_other_training_images_is_refused(
    tmp_path: Path, machine: dict[str, Any], place: dict[str, Any]
) -> None:
    """Another fold's training images hold this fold's test images."""
    rdc.compress("random", tmp_path / "set", ipc=2, **{**place, "dataset": "digits:fold=1"})
    with pytest.raises(RequestError, match="made of other data"):
        rdc.evaluate(tmp_path / "set", **machine)
    assert rdc.evaluate(tmp_path / "set", **{**machine, "dataset": "digits:fold=1"}).status == "ok"


def test_the_full_set_evaluates_from_its_folder_as_it_ran(
    tmp_path: Path, machine: dict[str, Any], place: dict[str, Any]
) -> None:
    shipped, short = (PROTOCOLS / "digits-hard.toml").read_text(), tmp_path / "short.toml"
    assert shipped.count("[reference]\nepochs = 40") == 1
    short.write_text(shipped.replace("[reference]\nepochs = 40", "[reference]\nepochs = 3"))
    record = rdc.run("full", protocol=str(short), **machine)
    rdc.compress("full", tmp_path / "set", protocol=str(short), **place)
    found = rdc.evaluate(tmp_path / "set", protocol=str(short), **machine)
    assert found.names.ipc == record.names.ipc == "full"
    assert found.result_digest == record.result_digest


def test_a_finished_set_brings_the_cost_of_its_making(
    tmp_path: Path, machine: dict[str, Any], place: dict[str, Any]
) -> None:
    record = rdc.run("el2n:direction=easy", **machine)
    rdc.compress("el2n:direction=easy", tmp_path / "set", **place)
    found = rdc.evaluate(tmp_path / "set", **machine)
    assert record.cost is not None
    assert found.cost is not None
    assert found.cost.seconds["proxy"] == record.cost.seconds["proxy"] > 0


def test_an_override_that_changes_nothing_marks_nothing(machine: dict[str, Any]) -> None:
    same = rdc.run("random", overrides={"training.batch": 64}, **machine)
    plain = rdc.run("random", **machine)
    other = rdc.run("random", overrides=SHORT, **machine)
    assert (same.key, same.modified) == (plain.key, False)
    assert other.key != plain.key
    assert other.modified


@pytest.mark.parametrize("key", ["summary", "default_ipc", "id", "data.classes"])
def test_what_describes_a_protocol_cannot_be_overridden(machine: dict[str, Any], key: str) -> None:
    with pytest.raises(RequestError, match=f"'{key}' of a protocol cannot be overridden"):
        rdc.run("random", overrides={key: 3}, **machine)


def test_a_trained_student_outlives_a_record_that_cannot_be_written(
    machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise StorageError("Cannot write the record: no space left.")

    with monkeypatch.context() as patch:
        patch.setattr(Records, "add", full_disk)
        with pytest.raises(StorageError, match="no space left"):
            rdc.run("random", overrides=SHORT, **machine)
    kept = list((machine["cache_dir"] / "work").glob("runs-*/student/*"))
    assert kept
    assert rdc.run("random", overrides=SHORT, **machine).status == "ok"
    assert not [path for path in kept if path.exists()]


@pytest.mark.parametrize("select", ["pca:score=random", "full"])
def test_only_balanced_single_rows_are_combined(machine: dict[str, Any], select: str) -> None:
    with pytest.raises(UnsupportedError, match="combines single rows"):
        rdc.run(f"combine:select=[{select}]", overrides=SHORT, **machine)


def test_a_folder_with_more_splits_gives_its_train_split_only(tmp_path: Path, machine: dict[str, Any]) -> None:
    _parquet(tmp_path / "set", train=10, test=20)
    found = rdc.evaluate(tmp_path / "set", protocol="digits-hard", **machine)
    assert found.histogram == [1] * 10


def test_canvases_of_different_sizes_are_refused_by_name(tmp_path: Path, machine: dict[str, Any]) -> None:
    _parquet(tmp_path / "set", train=10, odd=True)
    with pytest.raises(RequestError, match=r"squares of one size, but row 9 .* is 9 x 9"):
        rdc.evaluate(tmp_path / "set", protocol="digits-hard", **machine)


def test_a_damaged_card_is_a_clear_error(tmp_path: Path, machine: dict[str, Any], place: dict[str, Any]) -> None:
    rdc.compress("random", tmp_path / "set", ipc=1, **place)
    (tmp_path / "set" / "card.json").write_text("{")
    with pytest.raises(RequestError, match="damaged or not readable"):
        rdc.evaluate(tmp_path / "set", **machine)


def _parquet(folder: Path, train: int, test: int = 0, odd: bool = False) -> None:
    """Images with ``class_id`` as others publish them: no card."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    def encoded(index: int, count: int) -> dict[str, bytes | None]:
        side = 9 if odd and index == count - 1 else 8
        pixels = torch.full((side, side, 3), 20 * index % 256, dtype=torch.uint8).numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    (folder / "data").mkdir(parents=True)
    for split, count in (("train", train), ("test", test)):
        if count:
            images = [encoded(index, count) for index in range(count)]
            table = pa.table({"image": images, "class_id": [index % 10 for index in range(count)]})
            pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")


def test_hard_labels_under_a_soft_protocol_change_the_labels_alone(machine: dict[str, Any]) -> None:
    """Under track "any" both are trained by one recipe, its mix included; such records are modified."""
    both = {**SHORT, "track": "any"}
    hard = rdc.run("random", "hard", protocol="digits-soft", ipc=2, overrides=both, **machine)
    soft = rdc.run("random", "soft", protocol="digits-soft", ipc=2, overrides=both, **machine)
    assert hard.protocol_digest == soft.protocol_digest
    assert hard.modified
    assert soft.modified
    assert (hard.track, soft.track) == ("hard", "online")
    assert hard.result_digest != soft.result_digest
    unmixed = rdc.run("random", "hard:mix=none", protocol="digits-soft", ipc=2, overrides=both, **machine)
    assert hard.result_digest != unmixed.result_digest, "the protocol's mix goes with hard labels too"
    with pytest.raises(RequestError, match="takes soft labels; the labeler hard gives hard ones"):
        rdc.run("random", "hard", protocol="digits-soft", ipc=2, overrides=SHORT, **machine)


def test_fixed_views_give_another_student_under_stored_labels_too(machine: dict[str, Any]) -> None:
    fixed = {**SHORT, "training.fixed_views": True}
    for labeler in ("soft", "soft-stored"):
        new = rdc.run("random", labeler, protocol="digits-soft", ipc=2, overrides=SHORT, **machine)
        one = rdc.run("random", labeler, protocol="digits-soft", ipc=2, overrides=fixed, **machine)
        assert one.result_digest != new.result_digest
        assert one.cost is not None
        assert new.cost is not None
        assert one.cost.seconds.get("teacher") == new.cost.seconds.get("teacher"), "one teacher serves both"
