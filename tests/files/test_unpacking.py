"""Small files that claim, or pack, more than any memory holds are refused before it is asked for."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rethinkdc.errors import DataError
from rethinkdc.files import unpacking
from rethinkdc.files.arrays import read_arrays
from rethinkdc.files.plain_pickles import read_plain_pickle
from rethinkdc.files.torch_files import read_torch


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may always unpack to 1 MiB here, so that tests need no larger one."""
    monkeypatch.setattr(unpacking, "ALWAYS", 1 << 20)


def header(shape: object, kind: str = "<i8", version: bytes = b"\1\0") -> bytes:
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\1\0" else "<I", len(text)) + text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (header((10**9,)) + bytes(80), r"int64 \[1000000000\], which is not what its 80 bytes are"),
        (header((10**18, 10**18)) + bytes(80), "which is not what"),
        (header((-1,)) + bytes(80), "which is not what"),
        (header((10**12,), "|S0"), "which is not what"),
        (header((4,), "|O") + bytes(80), "pickled objects"),
        (header((10**9,), "<f4", b"\2\0"), "which is not what"),
        (b"\x93NUMPY\2\0\xff\xff\xff\x7f{", "EOF"),
        (header((1.5,)), "shape is not valid"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_an_array_is_as_large_as_its_bytes(content: bytes, told: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"numbers{suffix}"
    if suffix == ".npy":
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", content)
    with pytest.raises(DataError, match=told):
        read_arrays(path)


def test_an_array_of_python_2_is_read_without_a_word(tmp_path: Path) -> None:
    text = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2L,)}\n"
    (tmp_path / "a.npy").write_bytes(
        b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + np.array([7, 8]).tobytes()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_arrays(tmp_path / "a.npy").tolist() == [7, 8]


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for values in ([1, 2], [3, 4]):
            held = io.BytesIO()
            np.save(held, np.array(values))
            archive.writestr("row.npy", held.getvalue())
    with pytest.raises(DataError, match="two of its arrays have one name"):
        read_arrays(tmp_path / "a.npz")


def _packed_npz(path: Path) -> None:
    np.savez_compressed(path, a=np.zeros(1 << 18))


def _packed_torch(path: Path) -> None:
    torch.save(torch.zeros(1 << 18, dtype=torch.float64), path)
    with zipfile.ZipFile(path) as archive:
        members = [(about.filename, archive.read(about)) for about in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)


def _repeated_rows(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"score": np.zeros(1 << 20)}), path)


def _repeated_text(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"name": ["x" * 5_000] * 4_000}), path)


def _expanded(path: Path) -> None:
    torch.save({"score": torch.zeros(1).expand(10**9)}, path)


def _expanded_array(path: Path) -> None:
    torch.save({f"{place}": torch.zeros(1).expand(10**5) for place in range(8)}, path)


@pytest.mark.parametrize(
    ("suffix", "write"),
    [
        (".npz", _packed_npz),
        (".pt", _packed_torch),
        (".parquet", _repeated_rows),
        (".parquet", _repeated_text),
        (".pt", _expanded),
        (".pt", _expanded_array),
    ],
)
def test_what_unpacks_to_far_more_than_it_has_is_refused(
    suffix: str, write: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = tmp_path / f"bomb{suffix}"
    write(path)
    with pytest.raises(DataError, match=r"says that it unpacks to [\d,]+, where at most"):
        read_arrays(path)


def test_what_packs_well_is_read_where_it_is_small(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "mask.npz", keep=np.zeros(1 << 19, dtype=bool))
    assert len(read_arrays(tmp_path / "mask.npz")["keep"]) == 1 << 19


def _in_itself() -> Any:
    inner: list[Any] = [1]
    inner.append(inner)
    return {"a": inner}


def _laughing() -> Any:
    inner: Any = [0] * 10
    for _ in range(12):
        inner = [inner] * 10
    return inner


def _deep() -> Any:
    inner: Any = [1]
    for _ in range(200):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("content", "told"),
    [(_in_itself, "lies in itself"), (_laughing, "unpacks to"), (_deep, "within each other")],
)
def test_lists_that_nobody_could_walk_through_are_refused(
    content: Callable[[], Any], told: str, tmp_path: Path
) -> None:
    torch.save(content(), tmp_path / "a.pt")
    for read in (read_torch, read_arrays):
        with pytest.raises(DataError, match=told):
            read(tmp_path / "a.pt")


def test_one_list_in_two_places_is_read(tmp_path: Path) -> None:
    shared = [1, 2]
    torch.save({"a": shared, "b": [shared, shared]}, tmp_path / "a.pt")
    assert read_torch(tmp_path / "a.pt") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_a_tar_archive_is_not_handed_to_torch(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "old.pt", "w") as archive:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(DataError, match="tar archive"):
        read_torch(tmp_path / "old.pt")


@pytest.mark.parametrize("legacy", [True, False])
def test_a_name_that_torch_would_search_for_hours_is_refused(legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save([1], path, _use_new_zipfile_serialization=not legacy)
    name = b"\x80\x02c" + b"x" * 10**6 + b"\nname\n."
    if legacy:
        path.write_bytes(path.read_bytes().replace(b"\x80\x02]", name + b"]", 1))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", name)
            archive.writestr("a/version", b"3\n")
    with pytest.raises(DataError, match="without a blank"):
        read_torch(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x0f.",
        b"\x80\x05\x96\x00\x00\x00\x40\x00\x00\x00\x00abc.",
        pickle.dumps({10**5000: 1}, 2),
        pickle.dumps({(1, 2): 1}, 2),
    ],
)
def test_a_pickle_gets_no_more_memory_than_it_has_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match="batch"):
        read_plain_pickle(tmp_path / "batch")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 24


def test_an_array_of_bytes_in_a_pickle_is_read(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": bytearray(b"abc")}, 5))
    assert read_plain_pickle(tmp_path / "batch") == {"data": bytearray(b"abc")}


@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_a_member_that_claims_more_than_its_archive_has_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"it{suffix}"
    if suffix == ".npz":
        np.savez(path, rows=np.arange(3))
    else:
        torch.save(torch.arange(3), path)
    content = bytearray(path.read_bytes())
    # How much the first member takes, in the directory at the archive's end.
    place = content.index(b"PK\x01\x02") + 20
    content[place : place + 4] = struct.pack("<I", 1 << 31)
    path.write_bytes(content)
    with pytest.raises(DataError, match="in it takes 2,147,483,648"):
        read_arrays(path)
