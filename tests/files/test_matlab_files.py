"""Structures of MATLAB's files: what SciPy writes is read, and what is damaged ends in a sentence, not the process."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
from scipy.io import savemat

from rethinkdc.errors import DataError
from rethinkdc.files.matlab_files import read_structs

ROWS = [(1, "n02119789", "kit fox"), (2, "n02100735", "a")]


def write(path: Path, *, packed: bool) -> None:
    kinds = [("ID", "O"), ("WNID", "O"), ("words", "O")]
    synsets = np.array([(float(number), *texts) for number, *texts in ROWS], dtype=kinds).reshape(-1, 1)
    savemat(str(path), {"other": np.arange(9), "synsets": synsets}, do_compression=packed)


@pytest.mark.parametrize("packed", [False, True])
def test_what_scipy_writes_is_read(packed: bool, tmp_path: Path) -> None:
    write(tmp_path / "a.mat", packed=packed)
    assert read_structs(tmp_path / "a.mat", "synsets", ("WNID", "ID")) == [("n02119789", (1,)), ("n02100735", (2,))]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.mat", packed=False)
    with pytest.raises(DataError, match=r"a\.mat holds no structures named images"):
        read_structs(tmp_path / "a.mat", "images", ("ID",))
    with pytest.raises(DataError, match=r"a\.mat is no file of MATLAB"):
        read_structs(tmp_path / "a.mat", "synsets", ("gloss",))


def test_whatever_is_damaged_is_one_kind_of_error(tmp_path: Path) -> None:
    write(tmp_path / "a.mat", packed=False)
    whole = (tmp_path / "a.mat").read_bytes()
    draw = Random(0)
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[draw.randrange(128, len(whole))] ^= 1 << draw.randrange(8)
        (tmp_path / "a.mat").write_bytes(damaged[: draw.choice((len(whole), draw.randrange(len(whole))))])
        try:
            read_structs(tmp_path / "a.mat", "synsets", ("WNID", "ID"))
        except DataError as error:
            assert "a.mat" in str(error)  # noqa: PT017 - most are refused, some damage is in a text


def test_what_is_packed_a_thousand_times_is_refused(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(65 << 20))
    content = bytes(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mat.* unpacks to more than"):
        read_structs(tmp_path / "a.mat", "synsets", ("ID",))


def test_parts_that_are_no_arrays_are_refused_at_the_first(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(60 << 20))
    content = bytes(124) + b"\0\1IM" + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mat.* a part of the type 0 where arrays lie"):
        read_structs(tmp_path / "a.mat", "synsets", ("ID",))
