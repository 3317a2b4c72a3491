"""Arrow files in a cache that others share."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rethinkdc.layouts.opening import with_arrow


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOLCK, errno.EINVAL])
def test_what_others_keep_is_passed_by_where_it_is_refused(tmp_path: Path, number: int) -> None:
    asked: list[str] = []

    def load(arrow: str | None) -> str:
        assert arrow
        asked.append(arrow)
        if Path(arrow).is_relative_to(tmp_path):
            try:
                raise OSError(number, os.strerror(number), arrow)
            except OSError as error:
                raise RuntimeError("An error occurred while generating the dataset") from error
        return "loaded"

    with pytest.warns(UserWarning, match=f"What others keep in {tmp_path}/datasets .*{os.strerror(number)}"):
        assert with_arrow(load, tmp_path / "datasets") == "loaded"
    assert asked[0] == str(tmp_path / "datasets")
    assert Path(asked[1]).is_dir()


def test_where_the_cache_cannot_be_written_a_folder_of_the_process_is_taken(tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("in the way")
    with pytest.warns(UserWarning, match=f"{tmp_path}/?.* cannot be written"):
        arrow = with_arrow(lambda arrow: arrow, tmp_path / "datasets")
    assert arrow
    assert not Path(arrow).is_relative_to(tmp_path)
    assert with_arrow(lambda arrow: arrow, None) is None


def test_what_is_wrong_with_the_data_is_not_tried_twice(tmp_path: Path) -> None:
    asked: list[object] = []

    def load(arrow: str | None) -> str:
        asked.append(arrow)
        raise ValueError("no such column")

    with pytest.raises(ValueError, match="no such column"):
        with_arrow(load, tmp_path / "datasets")
    assert len(asked) == 1
