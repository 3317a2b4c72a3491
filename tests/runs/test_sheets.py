"""Contact sheets beside records: small, the same each time, refused when they are not those of the record."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, features

import rethinkdc as rdc
from rethinkdc.compressed import Card, CompressedSet
from rethinkdc.errors import DamagedError, RequestError
from rethinkdc.protocol.protocol import StoreSpec
from rethinkdc.runs.records import Records
from rethinkdc.runs.sheets import SHEET_BYTES, draw_small, keep_sheet
from rethinkdc.seeds import generator


@pytest.fixture
def short(tmp_path: Path) -> dict[str, Any]:
    given = {"records": tmp_path / "records", "cache_dir": tmp_path / "cache", "device": "cpu"}
    return {**given, "dataset": "digits", "ipc": 1, "overrides": {"training.steps": 4}}


def made(size: int, classes: int, per_class: int, names: tuple[str, ...] | None = None) -> CompressedSet:
    """Noise, which no compression makes small."""
    count = classes * per_class
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=generator(0), dtype=torch.uint8)
    part = {"canvases": pixels, "targets": torch.arange(classes).repeat_interleave(per_class)}
    return CompressedSet.of_canvases([part], names or tuple(f"class {index}" for index in range(classes)))


def opened(payload: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(payload))
    picture.load()
    return picture


@pytest.mark.parametrize(
    ("size", "classes", "per_class"), [(8, 10, 50), (32, 10, 10), (64, 200, 1), (224, 10, 2), (16, 2, 1)]
)
def test_they_are_small_whatever_they_show_and_the_same_each_time(size: int, classes: int, per_class: int) -> None:
    compressed, store = made(size, classes, per_class), StoreSpec(size=size)
    payload = draw_small(compressed, store)
    assert len(payload) <= SHEET_BYTES
    assert payload == draw_small(compressed, store)
    # Rows of ten classes, or of as many as there are: none was left out for its bytes.
    picture = opened(payload)
    assert picture.format == "WEBP"
    assert picture.height >= min(classes, 10) * (48 if size == 16 else 64)


def test_as_many_images_are_shown_as_fit() -> None:
    store = StoreSpec(size=32)
    dark = made(32, 10, 10)
    plain = CompressedSet.of_canvases(
        [{"canvases": torch.full((100, 3, 32, 32), 90, dtype=torch.uint8), "targets": dark.targets}], dark.class_names
    )
    noisy, smooth = opened(draw_small(dark, store)), opened(draw_small(plain, store))
    assert smooth.width >= 10 * 64 > noisy.width
    assert noisy.height == pytest.approx(smooth.height, abs=30), "only the title may take a line more"


def test_names_of_any_length_end_in_a_picture() -> None:
    names = ("x" * 5000, "\u732b" * 300, "")
    assert opened(draw_small(made(8, 3, 1, names), StoreSpec(size=8))).width < 16_000


def test_one_set_has_one_picture_under_all_protocols_that_use_it() -> None:
    canvases = {"canvases": torch.full((2, 3, 8, 8), 90, dtype=torch.uint8), "targets": torch.arange(2)}
    hard, soft, other = (
        CompressedSet.of_canvases([canvases], ("a", "b"), card=Card(method="dm", protocol=name, seeds={"set": seed}))
        for name, seed in [("digits-hard", 0), ("digits-soft", 0), ("digits-soft", 1)]
    )
    drawn = [draw_small(one, StoreSpec(size=8)) for one in (hard, soft, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_record_has_one_and_gives_it_back(short: dict[str, Any]) -> None:
    first = rdc.run("random", **short)
    second = rdc.run("random", **short, force=True)
    assert first.sheet is not None
    assert (first.sheet, first.sheet.bytes) == (second.sheet, len(rdc.read_sheet(first, short["records"])))
    (file,) = (short["records"] / first.key).glob("*.webp")
    assert (file.name, file.read_bytes()) == (first.sheet.file, rdc.read_sheet(second, short["records"]))
    assert opened(file.read_bytes()).height > 10 * 64
    # Another set has another one.
    other = rdc.run("random", **short, seed=1)
    assert other.sheet is not None
    assert other.sheet.sha256 != first.sheet.sha256


def test_none_is_kept_when_told_so(short: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Nor is WebP needed.
    monkeypatch.setattr(features, "check", lambda _: False)
    with pytest.raises(RequestError, match=r"keep none with --no-sheet"):
        rdc.run("random", **short)
    record = rdc.run("random", **short, no_sheet=True)
    assert record.sheet is None
    assert record.predictions is not None
    assert not list(short["records"].rglob("*.webp"))
    with pytest.raises(RequestError, match="has no contact sheet: --no-sheet"):
        rdc.read_sheet(record, short["records"])


def test_a_record_of_the_third_schema_says_that_it_has_none(tmp_path: Path) -> None:
    content = json.loads(Path(__file__).with_name("third_schema_record.json").read_text())
    with pytest.raises(RequestError, match="written under schema 3, which kept none; --force runs it again"):
        rdc.read_sheet(rdc.Record.model_validate(content), tmp_path)


@pytest.mark.parametrize("change", ["gone", "cut", "another's"])
def test_one_that_is_not_the_records_is_refused_and_made_again(
    tmp_path: Path, short: dict[str, Any], change: str
) -> None:
    record = rdc.run("random", **short)
    assert record.sheet is not None
    path = short["records"] / record.key / record.sheet.file
    whole = path.read_bytes()
    if change == "gone":
        path.unlink()
    elif change == "cut":
        path.write_bytes(whole[:-1])
    else:
        other = keep_sheet(Records(tmp_path / "others"), "key", made(8, 2, 1), StoreSpec(size=8))
        path.write_bytes((tmp_path / "others" / "key" / other.file).read_bytes())
    with pytest.raises(DamagedError, match=r"\.webp.*Copy it from its origin"):
        rdc.read_sheet(record, short["records"])
    again = rdc.run("random", **short, force=True)
    assert rdc.read_sheet(again, short["records"]) == rdc.read_sheet(record, short["records"]) == whole
