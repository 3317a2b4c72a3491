"""Whole or not at all: files, folders, locks."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from rethinkdc.errors import DamagedError
from rethinkdc.storage import (
    MANIFEST,
    canonical_json,
    commit_folder,
    digest,
    file_digest,
    read_sealed,
    verify_folder,
    writable,
    write_atomic,
    write_sealed,
)


def test_the_canonical_spelling_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": [1, 2.0], "a": "é"}) == '{"a":"é","b":[1,2.0]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.0})
    assert digest([1]) == hashlib.sha256(b"[1]").hexdigest()
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))


def test_a_file_is_digested_in_blocks(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    assert file_digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(OSError, match="disk is full"):
            write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_an_atomic_write_makes_the_folders_it_needs(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"


def test_what_is_written_is_shared_as_the_umask_says(tmp_path: Path) -> None:
    for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(mask)
        try:
            write_atomic(tmp_path / "file", b"new")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize(("mask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_a_committed_folder_is_shared_as_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    """Some libraries write by way of a private file, which they rename."""
    before = os.umask(mask)
    try:
        a_folder(tmp_path / "making")
        (tmp_path / "making" / "one").chmod(0o600)
        commit_folder(tmp_path / "making", tmp_path / "final")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "final").rglob("*") if path.is_file()}
    assert modes == {mode}


def test_a_sealed_file_tells_damage_anywhere_in_it(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    write_sealed(path, b"payload")
    whole = path.read_bytes()
    assert read_sealed(path) == b"payload"
    for damaged in (whole[:-1], whole + b"x", b"", whole[:31], *(_flipped(whole, at) for at in range(len(whole)))):
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match="checksum does not match"):
            read_sealed(path)


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def a_folder(place: Path) -> Path:
    (place / "deep").mkdir(parents=True)
    (place / "one").write_bytes(b"1")
    (place / "deep" / "two").write_bytes(b"22")
    return place


def test_a_committed_folder_verifies(tmp_path: Path) -> None:
    commit_folder(a_folder(tmp_path / "making"), tmp_path / "kinds" / "final")
    verify_folder(tmp_path / "kinds" / "final")
    assert not (tmp_path / "making").exists()
    sums = json.loads((tmp_path / "kinds" / "final" / MANIFEST).read_text())
    assert sums == {"deep/two": hashlib.sha256(b"22").hexdigest(), "one": hashlib.sha256(b"1").hexdigest()}


def test_when_another_process_was_faster_its_folder_stays(tmp_path: Path) -> None:
    final = tmp_path / "final"
    commit_folder(a_folder(tmp_path / "first"), final)
    before = (final / "one").stat().st_ino
    commit_folder(a_folder(tmp_path / "second"), final)
    assert (final / "one").stat().st_ino == before
    assert not (tmp_path / "second").exists()


def test_a_folder_is_not_committed_over_something_that_is_no_artefact(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "mine").write_text("keep")
    with pytest.raises(OSError, match="not empty"):
        commit_folder(a_folder(tmp_path / "making"), tmp_path / "final")
    assert (tmp_path / "final" / "mine").read_text() == "keep"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "one").write_bytes(b"2"), "one is damaged"),
        (lambda folder: (folder / "deep" / "two").unlink(), "two is missing"),
        (lambda folder: (folder / MANIFEST).unlink(), "no readable manifest"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "no readable manifest"),
        (lambda folder: (folder / MANIFEST).write_text('{"/etc/x": "0"}'), "final has .* /etc/x, a file elsewhere"),
        (lambda folder: (folder / MANIFEST).write_text('{"a/../../b": "0"}'), "a file elsewhere"),
    ],
    ids=["changed", "missing", "no-manifest", "cut-manifest", "elsewhere", "above"],
)
def test_damage_to_a_folder_is_named(tmp_path: Path, damage: object, message: str) -> None:
    commit_folder(a_folder(tmp_path / "making"), tmp_path / "final")
    damage(tmp_path / "final")  # type: ignore[operator]
    with pytest.raises(DamagedError, match=message):
        verify_folder(tmp_path / "final")


def test_writable_tries_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writable(tmp_path / "new" / "folder")
    (tmp_path / "file").write_text("")
    assert not writable(tmp_path / "file")
    assert not writable(tmp_path / "file" / "below")

    def refuse(**_: object) -> None:
        raise PermissionError("read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert not writable(tmp_path / "new")
