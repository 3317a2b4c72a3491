"""Contact sheets: what stands where, and in which size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import rethinkdc as rdc
from rethinkdc.compressed import Card, CompressedSet, preview
from rethinkdc.compressed.preview import check_preview, contact_sheet, write_preview
from rethinkdc.errors import RequestError
from rethinkdc.testing import images


def coloured(
    size: int = 8, classes: int = 3, per_class: int = 2, names: tuple[str, ...] | None = None
) -> CompressedSet:
    """Canvas m has the colour (m, 200, 7) in each of its pixels, which no writing has; class 0 first."""
    count = classes * per_class
    canvases = torch.empty((count, 3, size, size), dtype=torch.uint8)
    canvases[:, 0] = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1)
    canvases[:, 1], canvases[:, 2] = 200, 7
    targets = torch.arange(classes).repeat_interleave(per_class)
    card = Card(method="dm", ipc=per_class, protocol="digits-hard", seeds={"set": 4})
    return CompressedSet.of_canvases(
        [{"canvases": canvases, "targets": targets}], names or tuple("abcdefghijklmnopqrstuvwxyz"[:classes]), card=card
    )


def squares(sheet: Image.Image) -> dict[int, tuple[int, int, int, int]]:
    """Where each canvas of :func:`coloured` is drawn: left, top, width, height."""
    pixels = torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8).view(sheet.height, sheet.width, 3)
    found = {}
    for value in range(40):
        places = (pixels == torch.tensor([value, 200, 7], dtype=torch.uint8)).all(dim=2).nonzero()
        if len(places):
            (top, left), (bottom, right) = places.min(dim=0).values.tolist(), places.max(dim=0).values.tolist()
            found[value] = (left, top, right - left + 1, bottom - top + 1)
            assert len(places) == found[value][2] * found[value][3]
    return found


@pytest.mark.parametrize(("size", "drawn"), [(8, 64), (9, 63), (32, 64), (48, 48), (64, 64), (100, 100), (224, 128)])
def test_small_canvases_are_enlarged_by_a_whole_number_and_large_ones_shrunk(size: int, drawn: int) -> None:
    found = squares(contact_sheet(coloured(size)))
    assert {box[2:] for box in found.values()} == {(drawn, drawn)}
    assert sorted(found) == [0, 1, 2, 3, 4, 5]


def test_each_class_is_a_row_and_its_canvases_stand_side_by_side() -> None:
    found = squares(contact_sheet(coloured()))
    assert found[2][1] == found[3][1] < found[4][1] == found[5][1]
    assert found[2][0] == found[4][0] < found[3][0] == found[5][0]
    assert found[3][0] - found[2][0] > 64


def test_every_stored_pixel_is_a_square_of_its_own_colour() -> None:
    canvas = torch.randint(1, 255, (1, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    made = CompressedSet.of_canvases([{"canvases": canvas, "targets": torch.tensor([0])}], ("a",))
    sheet = contact_sheet(made, caption="x")
    drawn = sheet.crop((sheet.width - 68, sheet.height - 68, sheet.width - 4, sheet.height - 4))
    back = torch.frombuffer(bytearray(drawn.tobytes()), dtype=torch.uint8).view(64, 64, 3).permute(2, 0, 1)
    assert torch.equal(back, canvas[0].repeat_interleave(8, 1).repeat_interleave(8, 2))


def test_no_more_classes_and_canvases_are_drawn_than_are_asked_for() -> None:
    found = squares(contact_sheet(coloured(classes=4, per_class=3), classes=2, per_class=2))
    assert sorted(found) == [0, 1, 3, 4]


def test_what_is_left_out_and_the_caption_take_a_line_each() -> None:
    whole, cut = contact_sheet(coloured(classes=4)), contact_sheet(coloured(classes=4), classes=4, per_class=1)
    assert squares(cut)[2][1] > squares(whole)[2][1]
    assert whole.height < contact_sheet(coloured(classes=5)).height


def test_a_learned_rate_stands_above_the_pictures() -> None:
    plain = coloured(classes=3)
    rated = replace(plain, student_lr=0.037)
    named = contact_sheet(plain, caption="dm, ipc 2, seed 4, student lr 0.037")
    assert contact_sheet(rated).tobytes() == named.tobytes() != contact_sheet(plain).tobytes()


def test_a_class_without_canvases_has_no_row() -> None:
    made = replace(coloured(classes=3), class_names=("a", "b", "c", "never"))
    assert contact_sheet(made).height == contact_sheet(coloured(classes=3)).height


def test_long_names_and_names_in_any_script_are_drawn() -> None:
    names = ("a very long name of a class that would push every picture out of sight", "ü", "猫")
    sheet = contact_sheet(coloured(names=names))
    assert sheet.width < 160 + 3 * 72 + 20


def test_a_name_of_any_length_is_cut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def width(text: str, font: object) -> int:
        measured.append(text)
        return len(text) * 6

    monkeypatch.setattr(preview, "_measure_width", width)
    contact_sheet(coloured(names=("x" * 20_000, "b", "c")))
    assert max(map(len, measured)) < 200


@pytest.mark.parametrize("size", [None, 8])
def test_rows_of_a_dataset_are_drawn_at_the_size_that_is_asked_for(size: int | None) -> None:
    made = CompressedSet.of_rows(images(), torch.tensor([0, 25, 50]))
    sheet = contact_sheet(made, size=size)
    assert sheet.height >= 3 * 64
    assert sheet.mode == "RGB"


def test_the_same_set_gives_the_same_picture() -> None:
    assert contact_sheet(coloured()).tobytes() == contact_sheet(coloured()).tobytes()


@pytest.mark.parametrize(("classes", "per_class"), [(0, 1), (1, 0)])
def test_a_sheet_of_nothing_is_refused(classes: int, per_class: int) -> None:
    with pytest.raises(RequestError, match="at least one canvas"):
        contact_sheet(coloured(), classes=classes, per_class=per_class)


@pytest.mark.parametrize("name", ["grid.png", "grid.JPG", "deep/er/grid.webp"])
def test_the_picture_is_written_in_the_format_of_its_name(tmp_path: Path, name: str) -> None:
    write_preview(coloured(), tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        assert picture.size == contact_sheet(coloured()).size


def test_an_older_picture_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "grid.png").write_text("old")
    write_preview(coloured(), tmp_path / "grid.png")
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]
    Image.open(tmp_path / "grid.png").verify()


def test_what_is_no_picture_or_no_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    # Pillow has heard of xbm and hdf, but writes no colours, or nothing at all, to them.
    names = dict.fromkeys(("grid", "grid.txt", "grid.xbm", "grid.blp", "grid.hdf"), "such as grid.png")
    for name, message in {**names, "folder.png": "a folder"}.items():
        with pytest.raises(RequestError, match=message):
            check_preview(tmp_path / name)
    with pytest.raises(RequestError, match="cannot be written"):
        check_preview(tmp_path / "file" / "grid.png")


# -- where sets are made -----------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    return {"cache_dir": tmp_path / "cache", "device": "cpu", "dataset": "digits"}


def test_compress_draws_its_set(tmp_path: Path, place: dict[str, Any]) -> None:
    rdc.compress("random", tmp_path / "set", ipc=2, preview=tmp_path / "grid.png", **place)
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.height > 10 * 64


def test_run_draws_its_set_also_when_a_record_exists(tmp_path: Path, place: dict[str, Any]) -> None:
    given: dict[str, Any] = {"overrides": {"training.steps": 2}, "records": tmp_path / "records", **place}
    record = rdc.run("random", preview=tmp_path / "first.png", **given)
    again = rdc.run("random", preview=tmp_path / "again.png", **given)
    assert again == record
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_evaluate_draws_what_it_reads(tmp_path: Path, place: dict[str, Any]) -> None:
    made = coloured(classes=10, per_class=1, names=tuple("0123456789"))
    rdc.evaluate(made, protocol="digits-hard", preview=tmp_path / "grid.png", records=tmp_path / "records", **place)
    assert (tmp_path / "grid.png").exists()


def test_nothing_is_made_for_a_picture_that_could_not_be_written(tmp_path: Path, place: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="--preview"):
        rdc.compress("random", tmp_path / "set", preview=tmp_path / "grid", **place)
    assert not (tmp_path / "set").exists()
    assert not (tmp_path / "cache" / "sets").exists()
