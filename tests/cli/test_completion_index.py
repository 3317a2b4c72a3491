"""The index that completion reads, made of the command line and the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.cli import completion_index
from rethinkdc.cli.main import COMMANDS
from rethinkdc.completion.candidates import find_candidates
from rethinkdc.completion.index import PATH, RECORD, Index, read_index
from rethinkdc.completion.line import split_line


@pytest.fixture(scope="module")
def index() -> Index:
    return completion_index.make_index()


def found(index: Index, text: str) -> list[str]:
    return [one.word for one in find_candidates(index, split_line(text))]


def test_it_holds_every_command_with_its_options(index: Index) -> None:
    assert {*COMMANDS, "cache list", "cache verify", "cache prune"} == set(index.commands)
    assert all(command.help for command in index.commands.values())
    assert {"--compressor", "-c", "--labeler", "--protocol", "--force"} <= set(index.commands["run"].options)
    assert index.commands["run"].options["--records"].names == PATH


def test_it_completes_what_users_type(index: Index) -> None:
    assert found(index, "rethinkdc run -c pc") == ["pca"]
    assert found(index, "rethinkdc run -c pca:dir") == ["pca:direction="]
    assert found(index, "rethinkdc run -c pca:direction=e") == ["pca:direction=easy"]
    assert found(index, "rethinkdc run -c pca:score=[aum:sp") == ["pca:score=[aum:space="]
    assert "el2n" in found(index, "rethinkdc run -c el")
    assert "soft-static" in found(index, "rethinkdc run -l soft-s")
    assert found(index, "rethinkdc run --backing d") == ["decoded"]
    assert "resnet-light" in found(index, "rethinkdc run --student resnet-l")
    assert found(index, "rethinkdc run -p cifar10-small-h")[0] == "cifar10-small-hard"
    assert found(index, "rethinkdc sweep cifar10-small-fam") == ["cifar10-small-families"]
    assert "gvbsm:teachers=[" in found(index, "rethinkdc run -c gvbsm:teachers=")
    assert found(index, "rethinkdc completion z") == ["zsh"]
    assert found(index, "rethinkdc run --force=s") == ["--force=student"]
    assert found(index, "rethinkdc run --force -l har") == ["hard"]
    assert "compressor" in found(index, "rethinkdc new-plugin mine --kind comp")
    assert "el2n" in found(index, "rethinkdc check-plugin el")
    assert not found(index, "rethinkdc new-plugin el")
    assert index.commands["verify"].arguments[0].names == RECORD


def test_the_program_writes_it_into_the_cache(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "new"))
    monkeypatch.setattr(completion_index, "make_index", lambda: index)
    completion_index.main()
    assert read_index(tmp_path / "new" / "completion" / "index.json") == index
