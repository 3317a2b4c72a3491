"""Who may write where: tried, and said once."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

import pytest

from rethinkdc.storage import can_keep, temporary_folder, writable_throughout


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_a_new_folder_has_what_the_umask_leaves_and_the_group_of_its_parent(tmp_path: Path, mask: int) -> None:
    tmp_path.chmod(0o2777)
    before = os.umask(mask)
    try:
        made = [temporary_folder(tmp_path, ".set") for _ in range(2)]
    finally:
        os.umask(before)
    assert made[0] != made[1]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in made} == {0o2777 & ~mask}


def test_a_folder_that_cannot_be_written_is_named_or_else_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match=f"The cache folder {tmp_path} cannot be written"):
        assert not can_keep(tmp_path, "file")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert can_keep(tmp_path, "teachers")


def test_a_folder_is_gone_on_with_only_if_all_in_it_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert writable_throughout(tmp_path / "missing")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text("")
    assert writable_throughout(tmp_path)
    asked = os.access
    for refused in ("deep", "file"):
        with monkeypatch.context() as patched:
            patched.setattr(
                os, "access", lambda path, mode, name=refused: name not in str(path)[-4:] and asked(path, mode)
            )
            assert not writable_throughout(tmp_path)
