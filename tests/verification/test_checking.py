"""Records held to themselves and to the files beside them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rethinkdc as rdc
from rethinkdc.errors import RequestError

Change = Callable[..., None]


def files_of(records: Path) -> list[Path]:
    return sorted(records.glob("*/0001.json"))


def fault_of(records: Path) -> Any:
    """The only fault of a folder, and the others without any."""
    found = rdc.verify(records)
    assert not found.holds
    (faulty,) = [one for one in found.checked if one.faults]
    (fault,) = faulty.faults
    assert faulty.status == "faulty"
    return fault


def repack(file: Path, change: Change, how: Callable[[dict[str, np.ndarray]], None]) -> None:
    """Changes predictions, and the record that names them, as somebody would who knows of seals and checksums."""
    (kept,) = file.parent.glob("*.npz")
    arrays = {name: array.copy() for name, array in np.load(kept).items()}
    how(arrays)
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)
    sha = hashlib.sha256(held.getvalue()).hexdigest()
    kept.unlink()
    kept.with_name(f"{sha[:24]}.npz").write_bytes(held.getvalue())
    about = {"file": f"{sha[:24]}.npz", "sha256": sha, "bytes": len(held.getvalue())}
    change(file, lambda content: content["predictions"].update(about))


def test_what_a_run_wrote_is_verified_and_computed_again(records: Path) -> None:
    found = rdc.verify(records)
    assert found.holds
    assert found.summary == "2 records: 2 verified"
    for one, file in zip(found.checked, files_of(records), strict=True):
        measured = json.loads(file.read_text())["evaluation"]["metrics"]
        assert one.file == f"{file.parent.name}/0001.json"
        assert one.recomputed is not None
        assert {name: one.recomputed[name] for name in measured} == pytest.approx(measured, rel=1e-6)
        assert 0 <= one.recomputed["ece"] <= 1


def test_calibration_is_that_of_bins_counted_by_hand(records: Path) -> None:
    (kept,) = files_of(records)[0].parent.glob("*.npz")
    arrays, apart = np.load(kept), 0.0
    for number in range(15):
        share = arrays["probability"].astype(float)
        chosen = (share >= number / 15) & (share < (number + 1) / 15 if number < 14 else share <= 1)
        if chosen.any():
            apart += chosen.mean() * abs((arrays["rank"][chosen] == 0).mean() - share[chosen].mean())
    told = rdc.verify(files_of(records)[0]).checked[0].recomputed
    assert told is not None
    assert told["ece"] == pytest.approx(apart, rel=1e-9)


def test_a_place_is_a_file_a_folder_a_tree_or_the_beginning_of_a_key(records: Path, tmp_path: Path) -> None:
    first, second = files_of(records)
    shutil.copytree(records, tmp_path / "tree" / "deep" / "records")
    for place, count in ((first, 1), (first.parent, 1), (records, 2), (tmp_path / "tree", 2), (tmp_path, 4)):
        assert rdc.verify(place).summary == f"{count} record{'s' * (count > 1)}: {count} verified"
    (found,) = rdc.verify(second.parent.name[:6], records=records).checked
    assert found.key == second.parent.name


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "is no file, no folder"),
        ("0000", "No run in .* has a key that begins with 0000"),
        ("", "There is no record in"),
    ],
)
def test_what_is_no_place_of_records_is_refused(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "records").mkdir()
    with pytest.raises(RequestError, match=said):
        rdc.verify(place or tmp_path / "records", records=tmp_path / "records")


def test_a_beginning_of_several_keys_names_them(records: Path) -> None:
    for name in ("abcd" + "0" * 20, "abcd" + "1" * 20):
        (records / name).mkdir()
    with pytest.raises(RequestError, match=r"2 runs .* begin with abcd: abcd0000"):
        rdc.verify("abcd", records=records)


@pytest.mark.parametrize(
    ("how", "seal", "said"),
    [
        (lambda content: content["evaluation"]["metrics"].update(top1=0.5), False, "its seal is .*, and that of its"),
        (lambda content: content.update(seal="no"), False, "its seal is no, and that of its content"),
        (lambda content: content["definition"].update(ipc=3), True, "its key is .*, and that of its definition"),
        (lambda content: content.update(attempt=2), True, "is the record of attempt 2, under another number"),
        (lambda content: content.update(notes={"teachers": 3}), True, "notes: .*teachers"),
        (lambda content: content.update(surprise=1), True, "surprise: Extra inputs"),
        (lambda content: content.pop("names"), True, "names: Field required"),
    ],
)
def test_a_record_that_no_run_wrote_is_faulty(
    records: Path, change: Change, how: Callable[[dict[str, Any]], Any], seal: bool, said: str
) -> None:
    change(files_of(records)[0], how, seal=seal)
    fault = fault_of(records)
    assert fault.what == "record"
    assert re.search(said, fault.said)
    assert "Copy the record from its origin" in str(fault)


def test_a_record_in_another_runs_folder_is_faulty(records: Path) -> None:
    first, second = files_of(records)
    shutil.copy(first, second.with_name("0002.json"))
    assert "in another's folder" in fault_of(records).said


@pytest.mark.parametrize(("metric", "value"), [("top1", 0.9), ("top5", 0.001), ("loss", 1.0)])
def test_a_metric_that_predictions_do_not_give_is_faulty(
    records: Path, change: Change, metric: str, value: float
) -> None:
    change(files_of(records)[0], lambda content: content["evaluation"]["metrics"].update({metric: value}))
    fault = fault_of(records)
    assert (fault.what, fault.found) == (metric, f"{value:.9g}")
    assert float(fault.expected) != value
    assert "--replay" in fault.advice


def test_one_image_more_is_seen_among_many(records: Path, change: Change) -> None:
    """One of the test images is one part of their number; a loss may be rounded by far less."""
    file = files_of(records)[0]
    images = json.loads(file.read_text())["predictions"]["images"]
    measured = json.loads(file.read_text())["evaluation"]["metrics"]
    for metric, apart in (("top1", 1e-3 / images), ("loss", 3e-6 * measured["loss"])):
        change(file, lambda content: content["evaluation"]["metrics"].update({metric: measured[metric] + apart}))  # noqa: B023
        assert fault_of(records).what == metric
        change(file, lambda content: content["evaluation"]["metrics"].update(measured))
    assert rdc.verify(records).holds


def test_how_often_classes_are_named_is_counted_again(records: Path, change: Change) -> None:
    def swap(content: dict[str, Any]) -> None:
        named = content["evaluation"]["predicted"]
        named[0], named[1] = named[1] + 1, named[0] - 1

    change(files_of(records)[0], swap)
    assert fault_of(records).what == "predicted"


def test_predictions_that_contradict_themselves_are_faulty(records: Path, change: Change) -> None:
    def doubt(arrays: dict[str, np.ndarray]) -> None:
        right = np.flatnonzero(arrays["rank"] == 0)
        arrays["probability"][right] = 0.999

    repack(files_of(records)[0], change, doubt)
    fault = fault_of(records)
    assert fault.what == "predictions"
    assert "contradict themselves" in fault.said


def test_predictions_of_classes_that_there_are_not_are_faulty(records: Path, change: Change) -> None:
    repack(files_of(records)[0], change, lambda arrays: arrays["predicted"].fill(200))
    fault = fault_of(records)
    assert fault.what == "predicted"


@pytest.mark.parametrize(("ending", "what"), [("npz", "predictions"), ("webp", "contact sheet")])
def test_a_file_that_was_changed_is_named_with_both_checksums(records: Path, ending: str, what: str) -> None:
    (kept,) = files_of(records)[0].parent.glob(f"*.{ending}")
    content = bytearray(kept.read_bytes())
    content[-30] ^= 1
    kept.write_bytes(content)
    fault = fault_of(records)
    assert fault.what == what
    assert fault.found == f"SHA-256 {hashlib.sha256(content).hexdigest()[:12]}"
    assert kept.name.startswith(fault.expected)


def test_what_was_handed_on_without_files_is_counted_and_told(records: Path) -> None:
    first, _ = files_of(records)
    for ending in ("npz", "webp"):
        (kept,) = first.parent.glob(f"*.{ending}")
        kept.unlink()
    found = rdc.verify(records)
    assert found.holds
    assert found.summary == "2 records: 1 verified, 1 without predictions"
    assert len(found.checked[0].missing) == 2
    assert found.checked[0].recomputed is None


def test_a_set_of_another_size_and_a_second_digest_are_faulty(records: Path, change: Change) -> None:
    first, second = files_of(records)
    change(first, lambda content: content["histogram"].__setitem__(0, 7))
    change(second, lambda content: content.update(result_digest="0" * 64))
    found = rdc.verify(records)
    assert {fault.what for one in found.checked for fault in one.faults} == {"histogram", "result digest"}
    assert found.count("faulty") == 2


def test_an_attempt_that_is_not_there_is_told(records: Path, change: Change) -> None:
    first, _ = files_of(records)
    later = first.rename(first.with_name("0002.json"))
    change(later, lambda content: content.update(attempt=2))
    found = rdc.verify(records)
    assert found.holds
    assert len(found.gaps) == 1
    assert f"{first.parent.name}: attempt 1 is not here" in found.gaps[0]


def test_a_copy_under_another_name_in_a_runs_folder_is_faulty(records: Path) -> None:
    first, _ = files_of(records)
    shutil.copy(first, first.with_name("0001 (copy).json"))
    assert "under another number" in fault_of(records).said


@pytest.mark.parametrize("harm", ["pipe", "folder"])
def test_something_else_in_the_place_of_predictions_is_faulty(records: Path, harm: str) -> None:
    (kept,) = files_of(records)[0].parent.glob("*.npz")
    kept.unlink()
    os.mkfifo(kept) if harm == "pipe" else kept.mkdir()
    fault = fault_of(records)
    assert (fault.what, "cannot be read" in fault.said) == ("predictions", True)


def test_a_folder_that_cannot_be_read_is_not_passed_over(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = os.walk

    def closed(top: Path, *, onerror: Callable[[OSError], None]) -> Any:
        onerror(PermissionError(13, "Permission denied", str(top / "closed")))
        return walk(top)

    monkeypatch.setattr(os, "walk", closed)
    found = rdc.verify(records)
    assert found.summary == "3 records: 2 verified, 1 faulty"
    assert found.checked[0].lines() == [
        "closed: cannot be read: Permission denied. Ask its owner for permission to read it."
    ]


def test_records_are_verified_without_torch(records: Path) -> None:
    script = (
        "import sys; from rethinkdc.cli.main import app\n"
        "app(['verify', sys.argv[1]], standalone_mode=False)\n"
        "assert not {'torch', 'torchvision', 'timm', 'datasets', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(records)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 records: 2 verified.\n"
