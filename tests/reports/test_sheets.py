"""Pictures of sets on the page: each once, the best first, and never more than there is room for."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import rethinkdc as rdc
from rethinkdc.boards import rank_folder
from rethinkdc.reports.material import Material
from rethinkdc.reports.sheets import collect_sheets
from rethinkdc.runs.kept_files import keep_file
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records


def picture(shade: int) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (30, 20), (shade, 40, 90)).save(held, "WEBP")
    return held.getvalue()


@pytest.fixture
def records(make: Callable[..., Record], tmp_path: Path) -> Records:
    """Random under two labelers has one set; pca another; noise kept none."""
    folder = Records(tmp_path / "records")
    shades = {("random", "hard", "hard"): 1, ("random", "soft", "online"): 1, ("pca", "hard", "hard"): 200}
    for (name, labeler, track), shade in shades.items():
        for seed in range(2):
            record = make(name, labeler=labeler, track=track, seed=seed)
            content = picture(shade + 20 * seed)
            folder.add(record.model_copy(update={"sheet": keep_file(folder, record.key, content, ".webp", "a sheet")}))
    folder.add(make("noise"))
    return folder


def material(records: Records) -> Material:
    return Material(tuple(rank_folder(records).boards), records)


def test_one_set_under_two_labelers_is_one_picture(records: Records) -> None:
    sheets = collect_sheets(material(records))
    assert [(sheet.method, sheet.conditions) for sheet in sheets.shown] == [
        ("pca", "digits, ipc 10, seed 0"),
        ("random", "digits, ipc 10, seed 0"),
    ]
    assert sheets.shown[1].facets.tracks == ("hard", "online")
    assert base64.b64decode(sheets.shown[1].picture) == picture(1)
    assert (sheets.shown[0].width, sheets.shown[0].height) == (30, 20)
    assert (sheets.left_out, sheets.without) == (0, 1)


def test_without_room_the_best_are_shown_and_the_rest_is_counted(records: Records) -> None:
    sheets = collect_sheets(material(records), room=len(picture(200)) + 1)
    assert [sheet.method for sheet in sheets.shown] == ["pca"]
    assert sheets.left_out == 1


def test_a_damaged_picture_is_left_out_with_a_warning_that_stays_off_the_page(records: Records, tmp_path: Path) -> None:
    for file in records.folder.glob("*/*.webp"):
        file.write_bytes(b"no picture")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        done = rdc.report(records.folder, out=tmp_path / "report.html")
    assert any("A contact sheet is left out" in str(warning.message) for warning in told)
    text = done.path.read_text(encoding="utf-8")
    assert "No contact sheet lies beside a record" in text
    assert str(tmp_path) not in text


def test_a_picture_is_in_the_page_as_data_with_a_text_beside_it(records: Records, tmp_path: Path) -> None:
    text = rdc.report(records.folder, out=tmp_path / "report.html").path.read_text(encoding="utf-8")
    assert f"data:image/webp;base64,{base64.b64encode(picture(200)).decode()}" in text
    assert "Contact sheet of pca, digits, ipc 10, seed 0: a row for each class" in text


def test_what_is_kept_as_a_picture_and_is_none_is_left_out(make: Callable[..., Record], tmp_path: Path) -> None:
    folder = Records(tmp_path / "records")
    record = make("random", labeler="hard", track="hard", seed=0)
    kept = keep_file(folder, record.key, b"RIFF0000WEBPVP8 no picture", ".webp", "a sheet")
    folder.add(record.model_copy(update={"sheet": kept}))
    with pytest.warns(UserWarning, match="A contact sheet is left out: .* is no picture"):
        assert not collect_sheets(material(folder)).shown
