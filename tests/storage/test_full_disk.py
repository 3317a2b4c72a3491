"""Errors of writing: each is one kind of error, in words, and leaves nothing half done behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rethinkdc.errors import DamagedError, StorageError
from rethinkdc.storage import (
    copy_file,
    fault_of_machine,
    keep_part,
    kept_part,
    load_tensors,
    make_table,
    map_table,
    new_folder,
    open_table,
    remember,
    writable,
    write_atomic,
    write_file,
    write_new,
    write_sealed,
    write_tensors,
)

Writer = Callable[[Path], object]


def fill_folder(path: Path) -> None:
    with new_folder(path) as making:
        write_file(making / "one", b"1" * 5000)


WRITERS: dict[str, Writer] = {
    "atomic": lambda path: write_atomic(path, b"x" * 5000),
    "new": lambda path: write_new(path, b"x" * 5000),
    "sealed": lambda path: write_sealed(path, b"x" * 5000),
    "part": lambda path: keep_part(path, lambda: b"x" * 5000),
    "table": lambda path: make_table(path, np.float32, (1250,)),
    "folder": fill_folder,
}
REASONS = {
    errno.ENOSPC: "Make room there",
    errno.EDQUOT: "Remove files of yours",
    errno.EROFS: "can be written",
    errno.EACCES: "can be written",
    errno.EIO: "the disk's health",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "ulimit -n",
    errno.EFBIG: "ulimit -f",
    errno.ENAMETOOLONG: "shorter path",
    errno.ELOOP: "move it away",
}


@pytest.mark.parametrize("step", ["fsync", "open"])
@pytest.mark.parametrize("writer", WRITERS)
def test_what_cannot_be_written_is_one_error_and_leaves_nothing(
    writer: str, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the operating system's reason; a second try, when it is mended, writes the whole."""
    if (writer, step) == ("folder", "open"):
        pytest.skip("what removes the folder opens it too")
    path = tmp_path / "place" / "file"
    path.parent.mkdir()
    for code, advice in REASONS.items():

        def refuse(*_: Any, code: int = code, **__: Any) -> None:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, step, refuse)
            with pytest.raises(StorageError) as raised:
                WRITERS[writer](path)
        told = str(raised.value)
        assert str(path) in told
        assert os.strerror(code) in told
        assert advice in told
        assert "the same command goes on" in told
        assert "\n" not in told
        assert (raised.value.errno, raised.value.full) == (code, code in (errno.ENOSPC, errno.EDQUOT))
        assert not list(path.parent.iterdir())
    WRITERS[writer](path)
    assert path.exists()


def test_a_file_that_is_there_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StorageError, match=r"3 bytes needed, [0-9,]+ bytes free"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


LIMITED = """
import resource, sys
from pathlib import Path
import pyarrow, torch
from rethinkdc.compressed.publishing import export_folder
from rethinkdc.compressed import CompressedSet
from rethinkdc.errors import StorageError
from rethinkdc.storage import *
import numpy as np
place = Path(sys.argv[1])
(place / "source").write_bytes(b"x" * 50000)
images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
made = CompressedSet.of_canvases([{"canvases": images, "targets": torch.zeros(40, dtype=torch.int64),
    "sources": torch.full((40, 1), -1), "source_boxes": torch.zeros(40, 1, 4, dtype=torch.int32)}], ("one",))
writers = {
    "atomic": lambda path: write_atomic(path, b"x" * 50000),
    "new": lambda path: write_new(path, b"x" * 50000),
    "file": lambda path: write_file(path, b"x" * 50000),
    "copy": lambda path: copy_file(place / "source", path),
    "tensors": lambda path: write_tensors(path, {"x": torch.zeros(50000)}),
    "table": lambda path: make_table(path, np.float32, (50000,)),
    "export": lambda path: export_folder(made, path, size=32),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
for name, write in writers.items():
    try:
        write(place / name)
        print(name, "was written")
    except StorageError as error:
        print(name, error.errno, str(place / name) in str(error), "ulimit -f" in str(error))
"""


def test_whoever_writes_the_error_is_of_this_kind(tmp_path: Path) -> None:
    """Also safetensors, pyarrow and the system's own copying: a real limit on the size of files stops each of them."""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False)
    names = ["atomic", "new", "file", "copy", "tensors", "table", "export"]
    assert done.stdout.splitlines() == [f"{name} {errno.EFBIG} True True" for name in names], done.stderr
    # What is being filled goes with the folder that it is filled in.
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "file", "copy"}


@pytest.mark.parametrize("reserves", [True, False], ids=["reserved", "zeros"])
def test_a_table_has_its_bytes_on_disk_before_it_is_mapped(
    reserves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole would end the process without a word where the disk is full when the map is written."""
    if not reserves:

        def unsupported(*_: Any) -> None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        monkeypatch.setattr(os, "posix_fallocate", unsupported, raising=False)
    table = make_table(tmp_path / "t.npy", np.float32, (3, 100_000))
    assert (tmp_path / "t.npy").stat().st_blocks * 512 >= 1_200_000
    assert not table.any()
    table[1, 7] = 5
    table.flush()
    again = open_table(tmp_path / "t.npy", np.float32, (3, 100_000))
    assert float(again[1, 7]) == 5
    assert float(np.load(tmp_path / "t.npy")[1, 7]) == 5
    empty = make_table(tmp_path / "e.npy", np.float32, (3, 0, 5))
    assert empty.shape == (3, 0, 5)


def test_a_table_that_was_cut_off_is_not_gone_on_with(tmp_path: Path) -> None:
    """NumPy would make the file longer to fit the map, and what is missing would read as zeros."""
    path = tmp_path / "t.npy"
    make_table(path, np.float32, (10, 1000))[:] = 1
    os.truncate(path, 20_000)
    with pytest.raises(ValueError, match="no table of float32"):
        open_table(path, np.float32, (10, 1000))
    assert path.stat().st_size == 20_000
    with pytest.raises(DamagedError, match=r"t\.npy is damaged"):
        map_table(path)
    for other in ((10, 999), (1000, 10)):
        with pytest.raises(ValueError, match="no table"):
            open_table(path, np.float32, other)


def test_tensors_that_were_cut_off_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"x": torch.ones(1000)})
    assert load_tensors(path)["x"].sum() == 1000
    os.truncate(path, 2000)
    with pytest.raises(DamagedError, match=r"x\.safetensors is damaged"):
        load_tensors(path)


@pytest.mark.parametrize("cut", [b"", b"one two", b"\xff\xfe"])
def test_a_part_whose_seal_was_cut_off_is_made_again(cut: bytes, tmp_path: Path) -> None:
    keep_part(tmp_path / "part", lambda: b"first")
    (tmp_path / "part.sealed").write_bytes(cut)
    assert kept_part(tmp_path / "part") is None
    assert keep_part(tmp_path / "part", lambda: b"second") is None
    assert (tmp_path / "part").read_bytes() == b"second"


def test_what_killed_writes_left_is_cleared_after_an_hour(tmp_path: Path) -> None:
    names = [f".file.{'0' * 15}{digit}.tmp" for digit in range(3)]
    old, young, folder = (tmp_path / name for name in names)
    other = tmp_path / ".mine.tmp"
    for path in (old, young, other):
        path.write_bytes(b"half")
    folder.mkdir()
    (folder / "half").write_bytes(b"half")
    long_ago = old.stat().st_mtime - 3700
    for path in (old, other, folder / "half", folder):
        os.utime(path, (long_ago, long_ago))
    write_atomic(tmp_path / "file", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"file", young.name, other.name}


def test_what_only_spares_time_may_stay_unwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "below", b"x")
    remember(tmp_path / "kept", b"x")
    assert (tmp_path / "kept").exists()


def test_a_full_disk_is_no_matter_of_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(StorageError, match="No space left"):
        writable(tmp_path)


def test_a_full_disk_is_known_behind_what_others_make_of_it() -> None:
    def chained(cause: BaseException) -> BaseException:
        try:
            try:
                raise cause
            except BaseException as error:
                raise RuntimeError("the file could not be generated") from error
        except RuntimeError as error:
            return error

    for cause in (OSError(errno.ENOSPC, "No space left"), ValueError("I/O error: No space left (os error 28)")):
        found = fault_of_machine(chained(cause))
        assert found is not None
        assert found.full
    for other in (ValueError("wrong"), OSError(errno.ENOENT, "gone", "file"), OSError(errno.EIO, "while reading")):
        assert fault_of_machine(chained(other)) is None


def test_a_copy_that_has_no_room_names_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_bytes(b"abc")

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(StorageError, match=r"copy: No space left on device, 3 bytes needed") as raised:
        copy_file(tmp_path / "source", tmp_path / "copy")
    assert "source" not in str(raised.value).partition(": ")[2]


def test_a_folder_is_filled_by_copies(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    with new_folder(tmp_path / "out") as making:
        copy_file(tmp_path / "source", making / "copy")
    assert (tmp_path / "out" / "copy").read_bytes() == b"abc"
    assert {path.name for path in tmp_path.iterdir()} == {"source", "out"}
