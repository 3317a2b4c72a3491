"""What ``new-plugin`` writes: packages that pass what they bring, whatever they are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from rethinkdc.cli.new_plugin import KindName
from rethinkdc.errors import RequestError
from rethinkdc.templates import KINDS, name_package, write_package

ROOT = Path(__file__).resolve().parents[2]
LONG = "a-name-as-long-as-any-name-is-allowed-to"
STRICT = ROOT / "tests" / "packaging" / "third_party" / "mypy.ini"


def write_all(folder: Path, name: Callable[[str], str]) -> list[Path]:
    """A package of every kind, each called after it."""
    written = [write_package(name_package(name(kind)), KINDS[kind], folder / kind, "A. Author") for kind in KINDS]
    return [one.folder for one in written]


def call(*words: str | Path, folders: list[Path]) -> str:
    """What a program says that must succeed, with the packages on Python's path."""
    path = os.pathsep.join([*map(str, folders), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=folders[0].parent,
        env={**os.environ, "PYTHONPATH": path, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A package of every kind."""
    return write_all(tmp_path_factory.mktemp("new"), lambda kind: f"my-{kind}")


@pytest.mark.parametrize("name", [lambda kind: f"z{list(KINDS).index(kind)}", lambda _: LONG], ids=["short", "long"])
def test_every_kind_is_formatted_and_linted_whatever_its_name(name: Callable[[str], str], tmp_path: Path) -> None:
    folders = write_all(tmp_path, name)
    call("ruff", "check", "--no-cache", *folders, folders=folders)
    call("ruff", "format", "--no-cache", "--check", *folders, folders=folders)


PYTEST = ("pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--import-mode=importlib")
LONGER = "contract or runs_under"
"""What trains something, among the tests that are written."""


@pytest.mark.slow
def test_the_tests_of_the_maths_pass_as_they_are_written(packages: list[Path]) -> None:
    said = call(*PYTEST, "-k", f"not ({LONGER})", *packages, folders=packages)
    assert "22 passed" in said


@pytest.mark.slow
def test_every_method_keeps_its_contract(packages: list[Path]) -> None:
    assert f"{len(KINDS)} passed" in call(*PYTEST, "-k", LONGER, *packages, folders=packages)


@pytest.mark.slow
def test_types_are_strict_without_any_plugin_of_the_type_checker(packages: list[Path], tmp_path: Path) -> None:
    files = [file for folder in packages for file in folder.rglob("*.py")]
    assert len(files) == 2 * len(KINDS)
    said = call("mypy", "--config-file", STRICT, "--cache-dir", tmp_path, *files, folders=packages)
    assert "no issues found" in said


def test_no_place_for_a_name_is_left_and_all_that_publishing_needs_is_there(packages: list[Path]) -> None:
    for folder in packages:
        texts = {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}
        package = f"rethinkdc_my_{folder.name.replace('-', '_')}"
        wanted = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml"}
        assert {*wanted, f"{package}/py.typed", f"{package}/__init__.py"} <= set(texts)
        assert not [place for place, text in texts.items() if "$name" in text or "$Method" in text]
        assert f'my-{folder.name} = "{package}"' in texts["pyproject.toml"]
        assert "${{ matrix.python }}" in texts[".github/workflows/test.yml"]
        assert "A. Author" in texts["LICENSE"]


def test_what_is_told_of_a_package_stays_true_when_its_method_is_another(packages: list[Path]) -> None:
    """What a method does is said where the method is, and nowhere else."""
    for folder in packages:
        module = (folder / f"rethinkdc_my_{folder.name.replace('-', '_')}" / "__init__.py").read_text()
        does = module.split('"""')[1].split(".")[0].split(":")[0]
        about = (folder / "README.md").read_text() + (folder / "pyproject.toml").read_text()
        assert does not in about
        assert f"my-{folder.name}, a plugin of rethinkdc" in about
        assert ("raise `revision`" in about) == (folder.name not in ("protocol", "tracker", "engine", "view-op"))


def test_commands_hold_where_they_are_typed(tmp_path: Path) -> None:
    """Those of the README in the package, those that are printed where it was written."""
    for kind in KINDS.values():
        folder = tmp_path / kind.name
        written = write_package(name_package("mine"), kind, folder, "A. Author")
        typed = [line[2:] for line in (folder / "README.md").read_text().splitlines() if line.startswith("$ ")]
        for here, commands in ((Path(), written.commands), (folder, typed)):
            files = [word for line in commands for word in line.split() if word.endswith(".toml")]
            assert all((here / file).is_file() for file in files)
            runs = [line for line in commands if line.startswith("rethinkdc run")]
            assert all("-d " in run or "--dataset digits" in run or "--protocol" in run for run in runs)


def test_the_command_knows_every_kind() -> None:
    assert set(get_args(KindName)) == set(KINDS)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NearestMean", "such as nearest-mean"),
        ("my_score", "such as my-score"),
        ("2nd", "such as nearest-mean"),
        ("a--b", "such as a-b"),
        ("none", "such as nearest-mean"),
        (LONG + "x", "40 characters at most"),
        ("../x", "such as x"),
        ("el2n", "'el2n' is taken: rethinkdc 1"),
        ("protocols", "is taken"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        name_package(name)


def test_a_name_follows_into_package_class_and_distribution() -> None:
    naming = name_package("top-1-mean")
    assert (naming.distribution, naming.package) == ("rethinkdc-top-1-mean", "rethinkdc_top_1_mean")
    assert (naming.module, naming.method) == ("top_1_mean", "Top1Mean")
    assert name_package("rethinkdc-mine").distribution == "rethinkdc-mine"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RequestError, match="exists already"):
        write_package(name_package("mine"), KINDS["score"], tmp_path / "mine", "me")
    assert not list((tmp_path / "mine").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="Cannot write"):
        write_package(name_package("mine"), KINDS["score"], tmp_path / "file" / "mine", "me")


def test_the_command_tells_what_it_wrote_and_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rethinkdc.cli.new_plugin import NewPluginCommand, new_plugin

    monkeypatch.chdir(tmp_path)
    command: Any = new_plugin
    command(name="mine", kind="score", out=None, author="me", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["folder"], told["distribution"]) == ("mine", "rethinkdc-mine")
    assert {file.relative_to("mine").as_posix() for file in Path("mine").rglob("*") if file.is_file()} == set(
        told["files"]
    )
    assert "rethinkdc run --dataset digits --compressor mine:direction=easy" in told["commands"]
    assert NewPluginCommand(name="x", kind="score").out is None
