"""The README's commands and code are run as they stand, one after the other in one empty directory.

One of the first screen goes through the installed command, the others through its function in this process.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from rethinkdc.cli.main import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONG = {
    "rethinkdc run --compressor pca --labeler hard",
    "rethinkdc run --compressor pca --seeds 0,1,2,3,4",
    "rethinkdc run --compressor el2n:direction=easy --seeds 0,1,2 --dataset digits",
    "rethinkdc run --compressor pca:score=random,grid=2 --ipc 10 --dataset digits",
    "rethinkdc run --compressor random --labeler soft-stored --dataset digits",
    "rethinkdc run --compressor random --keep 0.3 --dataset digits",
    "rethinkdc run --compressor rded --labeler soft --dataset digits",
    "rethinkdc run --compressor noise --labeler soft-pruned:ratio=40 --dataset digits",
    "rethinkdc sweep digits-small",
    "rethinkdc compare pca:grid=1 --ipc 1 --seeds 3 --dataset digits",
    "rethinkdc explain random --ipc 1 --seeds 1 --dataset digits",
}
"""Trainings that no later command needs, of methods that have tests of their own, and the first command, which
`.ci/run` runs as it stands: among the slow tests."""
INSTALLED = "rethinkdc run --compressor random --labeler hard"
"""The one that goes through the installed command, on the data that are taken when none are named."""


def _blocks(*languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(README) if language in languages]


def _commands() -> list[str]:
    """Lines of console blocks, also behind an `&&`, that call the program; a prompt is no part of them."""
    lines = [line.removeprefix("$ ") for block in _blocks("console", "bash", "shell") for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in parts if part.startswith("rethinkdc ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(autouse=True)
def environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, and a cache that all commands share."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("RETHINKDC_CACHE", str(place.with_name("readme-cache")))
    monkeypatch.delenv("RETHINKDC_RECORDS", raising=False)


def test_a_command_of_the_first_screen_runs_as_installed(place: Path) -> None:
    program, *words = shlex.split(INSTALLED)
    installed = [str(Path(sys.executable).with_name(program)), *words]
    done = subprocess.run(installed, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "on mnist-5k (mnist-5k-hard v1, ipc 1)" in done.stdout
    assert "record: " in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=pytest.mark.slow if command in LONG else ())
        for command in dict.fromkeys(_commands())
    ],
)
def test_a_command_of_the_readme_runs(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", shlex.split(command, comments=True))
    with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert not end.value.code, printed.err
    assert "Warning" not in printed.err
    assert printed.out


def test_the_long_commands_stand_in_the_readme() -> None:
    assert set(_commands()) >= LONG
    assert f"$ {INSTALLED}\n" in README


@pytest.mark.promised
@pytest.mark.slow
@pytest.mark.parametrize("code", _blocks("python"))
def test_python_of_the_readme_runs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_readme_has_what_is_run() -> None:
    """A page that was rewritten in other fences would otherwise pass without being read."""
    assert len(_commands()) >= 8
    assert _blocks("python")


def test_files_that_the_readme_names_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    paths = re.findall(r"`((?:docs|protocols|plugins|tests|results)/[\w./-]+)`", README)
    assert not [path for path in [*links, *paths] if not (ROOT / path).exists()]
