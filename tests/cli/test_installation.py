"""The other tool of this name, in the package's own folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.cli import main
from rethinkdc.doctor.installation import OTHER_FILES, check_installation
from rethinkdc.errors import RequestError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", OTHER_FILES)
def test_each_file_of_the_other_tool_is_named_with_the_command_that_mends_it(name: str, tmp_path: Path) -> None:
    check_installation(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(RequestError) as caught:
        check_installation(tmp_path)
    assert f"found {name}." in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "python -m pip uninstall --yes rethinkdc" in str(caught.value)


def test_a_command_ends_before_it_begins(cli: Callable[..., Any], tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "train_KD.py").touch()
    monkeypatch.setattr(main, "check_installation", lambda: check_installation(tmp_path))
    done = cli("list-protocols")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: Another tool named rethinkdc")


def test_the_check_imports_nothing_heavy() -> None:
    code = (
        "import sys, rethinkdc.doctor.installation; sys.exit(bool({'torch', 'pydantic', 'typer'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
