"""A forced run makes anew what methods made, or the student alone, and says so; nothing that was there is lost."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.cli.command_text import spell_command
from rethinkdc.errors import RequestError
from rethinkdc.registry import Registry
from rethinkdc.registry.verdict import LIMIT
from rethinkdc.runs.calls import RunCall
from rethinkdc.runs.records import Record
from rethinkdc.runs.runner import Runner
from rethinkdc.runs.working import RunFolder

SOURCE = """
import os
from typing import ClassVar
import torch
# A remark.
from pydantic import Field
from rethinkdc.contracts import CompressedSet, Compressor, hookimpl

class Nth(Compressor):
    '''The rows of each class from a place on that no key knows.'''
    name: ClassVar[str] = "nth"
    skip: int = Field(default=0, description="Rows of each class that are passed over.")

    def compress(self, data, budget, context):
        begin, chosen = int(os.environ["ACME_BEGIN"]) + self.skip, []
        for index in range(budget.classes):
            chosen += (data.targets == index).nonzero().flatten()[begin:][: budget.ipc].tolist()
        return CompressedSet.of_rows(data, torch.tensor(chosen))

@hookimpl
def register_methods():
    return [Nth]
"""
SHORT = {"training.steps": 2}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a module in the place of the package that is installed for this test."""
    monkeypatch.setenv(LIMIT, "0")
    monkeypatch.syspath_prepend(str(tmp_path))
    about = tmp_path / "acme_nth-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-nth\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rethinkdc]\nnth = acme_nth\n")

    def installed(source: str) -> None:
        (tmp_path / "acme_nth.py").write_text(source)
        sys.modules.pop("acme_nth", None)
        importlib.invalidate_caches()

    installed(SOURCE)
    yield installed
    sys.modules.pop("acme_nth", None)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Record]:
    """A run whose set begins at a row, whatever the cache holds."""
    place: dict[str, Any] = {"cache_dir": tmp_path / "cache", "records": tmp_path / "records", "device": "cpu"}

    def ran(begin: int, **given: Any) -> Record:
        monkeypatch.setenv("ACME_BEGIN", str(begin))
        return rdc.run("nth", dataset="digits", ipc=1, overrides=SHORT, no_sheet=True, **place, **given)

    return ran


@pytest.mark.usefixtures("install")
def test_a_forced_run_makes_its_set_anew_or_keeps_it_as_it_is_asked(tmp_path: Path, run: Callable[..., Record]) -> None:
    first = run(0)
    kept = run(5, force="student")
    anew = run(5, force=True)
    again = run(5, force="student")
    assert [record.attempt for record in (first, kept, anew, again)] == [1, 2, 3, 4]
    assert first.key == anew.key
    assert first.result_digest == kept.result_digest != anew.result_digest == again.result_digest
    remade = [record.notes.get("remade") for record in (first, kept, anew, again)]
    assert remade == [None, ["student"], ["sets", "student"], ["student"]]
    # What earlier records rest on is still there.
    assert len(list((tmp_path / "cache" / "replaced").iterdir())) == 1
    assert run(0).attempt == 1


@pytest.mark.usefixtures("install")
def test_a_forced_run_that_was_killed_goes_on_with_the_set_that_it_made(
    run: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(0)
    with monkeypatch.context() as patched:
        patched.setattr(Runner, "_add", lambda *_: (_ for _ in ()).throw(ZeroDivisionError))
        with pytest.raises(ZeroDivisionError):
            run(5, force="all")
    # Begun at another row: made a third time, the set would be another one.
    went_on = run(5, force="all")
    assert went_on.notes["remade"] == ["sets", "student"]
    assert went_on.result_digest != first.result_digest


def test_another_default_without_another_revision_is_another_run(install: Callable[[str], None]) -> None:
    def definition() -> dict[str, Any]:
        registry = Registry()
        return registry.definition(registry.build("compressor", "nth"))

    before = definition()
    install(SOURCE.replace("# A remark.\n", ""))
    assert definition() == before
    install(SOURCE.replace("default=0", "default=3"))
    after = definition()
    assert after["revision"] == before["revision"]
    assert after["parameters"] == before["parameters"] == {}
    assert after != before


def test_what_is_forced_is_one_of_few_words_and_reads_back() -> None:
    assert [RunCall("pca", force=value).forced for value in (False, None, True, "all", "student")] == [
        None,
        None,
        "all",
        "all",
        "student",
    ]
    with pytest.raises(RequestError, match="--force set: choose all or student"):
        RunCall("pca", force="set")  # type: ignore[arg-type]
    assert spell_command("run", RunCall("pca", force=True)).endswith("--force")
    assert spell_command("run", RunCall("pca", force="student")).endswith("--force=student")


def test_work_that_is_forced_goes_on_from_work_that_is_forced_alike(tmp_path: Path) -> None:
    from rethinkdc.runs.records import Records

    folder, records = tmp_path / "work", Records(tmp_path / "records")
    folder.mkdir()

    def keeps(force: Any) -> bool:
        kept = folder / "student"
        kept.parent.mkdir(exist_ok=True)
        kept.touch()
        RunFolder(folder, records, "key", force=force).begin()
        return kept.exists()

    assert [keeps(force) for force in (None, "all", "all", None, "all", "student", None)] == [
        True,
        False,
        True,
        True,
        True,
        False,
        True,
    ]
