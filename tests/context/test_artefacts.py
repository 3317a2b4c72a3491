"""Artefacts: kept only when all is there that was declared; states that survive a kill, with their seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc.contracts import Context, RequestError
from rethinkdc.errors import IncompleteError
from rethinkdc.testing import context


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
