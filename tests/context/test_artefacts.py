"""Artefacts: kept only when all is there that was declared; states that survive a kill, with their seconds."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.context.books import by_stage, images_by_stage, read_books
from rethinkdc.contracts import Context, RequestError
from rethinkdc.errors import IncompleteError
from rethinkdc.testing import context
from rethinkdc.training.checkpoint import load_checkpoint, save_checkpoint


def test_an_artefact_without_a_file_that_it_declared_is_not_kept(tmp_path: Path) -> None:
    """A maker that goes on after a kill and forgets what it made before must not leave half of it for ever."""
    here, declared = context(tmp_path), ["weights-1", "weights-2", "weights-3"]

    def build(_: Context, out: Path, names: list[str]) -> None:
        for name in names:
            (out / name).write_text("weights")

    with pytest.raises(IncompleteError, match=r"of experts lacks weights-1, which .* 2 of 3 files are there"):
        here.artefact("experts", "key", "experts", lambda inner, out: build(inner, out, declared[1:]), files=declared)
    assert list((tmp_path / "cache" / "experts").glob("*")) == []
    folder = here.artefact("experts", "key", "experts", lambda inner, out: build(inner, out, declared), files=declared)
    assert {path.name for path in folder.iterdir()} >= set(declared)


def test_a_folder_in_place_of_a_declared_file_does_not_count(tmp_path: Path) -> None:
    def build(_: Context, out: Path) -> None:
        (out / "weights").mkdir()

    with pytest.raises(IncompleteError, match="lacks weights"):
        context(tmp_path).artefact("experts", "key", "experts", build, files=["weights"])


def matched(here: Context, count: int, dies_at: int | None = None) -> Path:
    """A state of ``count`` steps, each a hundredth of a second, kept after every one."""

    def build(inner: Context, out: Path) -> None:
        kept = inner.resumable("matching", every=0.0)
        state: dict[str, Any] = kept.restore() or {"step": 0, "sum": torch.zeros(2), "steps": []}
        for step in range(state["step"], count):
            if step == dies_at:
                raise KeyboardInterrupt
            time.sleep(0.01)
            state = {"step": step + 1, "sum": state["sum"] + step, "steps": [*state["steps"], step]}
            kept.keep(lambda: state)  # noqa: B023 - called at once
        (out / "sum").write_text(str(state["sum"].tolist()))

    return here.artefact("sums", "key", "summing", build, files=["sum"])


def test_a_state_survives_a_kill_and_the_seconds_before_it_are_counted(tmp_path: Path) -> None:
    whole = context(tmp_path / "whole")
    expected = (matched(whole, 6) / "sum").read_text()
    with pytest.raises(KeyboardInterrupt):
        matched(context(tmp_path / "killed"), 6, dies_at=4)
    again = context(tmp_path / "killed")
    assert (matched(again, 6) / "sum").read_text() == expected
    # Six sleeps, four of them before the kill: never less, however fast the machine is.
    assert again.books.by_stage()["summing"] >= 0.06


def test_a_state_is_written_when_it_is_time_and_when_it_is_told(tmp_path: Path) -> None:
    def build(inner: Context, out: Path) -> None:
        kept = inner.resumable("rare", every=3600.0)
        assert not kept.keep(lambda: {"step": 1})
        assert inner.resumable("rare").restore() is None
        assert kept.keep(lambda: {"step": 2}, now=True)
        assert inner.resumable("rare").restore() == {"step": 2}
        # Another name is another state.
        assert inner.resumable("other").restore() is None
        (out / "done").write_text("")

    context(tmp_path).artefact("states", "key", "states", build, files=["done"])


def test_what_is_no_work_has_no_folder(tmp_path: Path) -> None:
    """So that nothing that belongs to nobody is left, or taken away from somebody."""
    from dataclasses import replace

    from rethinkdc.context.work import Work

    bare = replace(context(tmp_path), work=Work())
    for ask in (lambda: bare.folder, lambda: bare.parts(1, lambda index: {}), lambda: bare.resumable("name")):
        with pytest.raises(RequestError, match="There is no working folder here"):
            ask()


def looked_at(here: Context, parts: int, dies_at: int | None = None) -> Path:
    """Parts of a set, each of which shows a network two images for each of three steps; a state is kept after each."""

    def build(inner: Context, out: Path) -> None:
        def make(index: int) -> dict[str, torch.Tensor]:
            inner.count_images(1)
            kept = inner.resumable(f"part-{index}", every=0.0)
            state = kept.restore() or {"step": 0}
            for step in range(state["step"], 3):
                inner.count_images(2)
                if 3 * index + step == dies_at:
                    raise KeyboardInterrupt
                kept.keep(lambda: {"step": step + 1})  # noqa: B023 - called at once
            return {"index": torch.tensor(index)}

        # Of its own books.
        inner.artefact("inner", "key", "inside", lambda within, place: counted(within, place, 1000), files=["done"])
        inner.parts(parts, make)
        (out / "done").write_text("")

    return here.artefact("looks", "key", "looking", build, files=["done"])


def counted(inner: Context, out: Path, images: int) -> None:
    inner.count_images(images)
    (out / "done").write_text("")


@pytest.mark.parametrize("dies_at", [None, *range(9)])
def test_images_are_counted_once_whenever_the_work_was_killed(tmp_path: Path, dies_at: int | None) -> None:
    if dies_at is not None:
        with pytest.raises(KeyboardInterrupt):
            looked_at(context(tmp_path), 3, dies_at)
    again = context(tmp_path)
    looked_at(again, 3)
    assert by_stage(again.books.images) == {"inside": 1000, "looking": 3 * (1 + 3 * 2)}
    # Found by another run, it tells the same, and the first one's again.
    other = context(tmp_path)
    looked_at(other, 3)
    assert other.books.images == again.books.images
    looked_at(again, 3)
    assert by_stage(again.books.images)["looking"] == 21
    assert again.work.images == 0


@pytest.mark.parametrize("kept", ["part-00001.sealed", "checkpoint.pt"])
def test_what_a_version_that_did_not_count_left_makes_the_number_unknown(tmp_path: Path, kept: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        looked_at(context(tmp_path), 3, 8)
    (found,) = (tmp_path / "cache" / "work").rglob(kept if kept.endswith("sealed") else f"part-2/{kept}")
    if kept.endswith("sealed"):
        found.write_text(" ".join(found.read_text().split()[:2]))
    else:
        state = load_checkpoint(found.parent, resumed(tmp_path), ())
        assert state is not None
        save_checkpoint(found.parent, {name: value for name, value in state.items() if name != "images"})
    again = context(tmp_path)
    looked_at(again, 3)
    assert images_by_stage(again.books.images, again.books.seconds) == {"inside": 1000}


def resumed(place: Path) -> str:
    """What the state of the last part is kept under."""
    return context(place).resumable("part-2").definition


def test_a_stage_is_unknown_where_one_of_its_artefacts_is() -> None:
    seconds = {"proxy:a": 1.0, "proxy:b": 2.0, "labels:c": 0.5}
    assert images_by_stage({"proxy:a": 5, "labels:c": 0}, seconds) == {"labels": 0}
    assert images_by_stage({"proxy:a": 5, "proxy:b": 6, "labels:c": 0}, seconds) == {"proxy": 11, "labels": 0}


def test_books_of_before_images_were_counted_are_read(tmp_path: Path) -> None:
    here = context(tmp_path)
    folder = looked_at(here, 1)
    about = json.loads((folder / "about.json").read_text())
    del about["images"]
    (folder / "about.json").write_text(json.dumps(about))
    assert read_books(folder).images == {}
    assert read_books(folder).seconds.keys() == here.books.seconds.keys()


def test_a_teacher_counts_what_it_is_asked_and_a_copy_of_it_does(tmp_path: Path) -> None:
    here = context(tmp_path, protocol="digits-soft")
    teacher = here.teacher()
    # Its training counts in its own books: two steps, over 80 rows once.
    assert (here.work.images, by_stage(here.books.images)) == (0, {"teacher": 80})
    pixels = torch.zeros((3, 3, teacher.size, teacher.size), dtype=torch.uint8)
    teacher.logits(pixels)
    teacher.classify(teacher.normalised(pixels[:2]))
    copy.deepcopy(teacher.module)(teacher.normalised(pixels[:1]))
    assert here.work.images == 6
