"""What a shell is told: of a line that is being typed, from an index, without the framework's own imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rethinkdc.completion.candidates import find_candidates
from rethinkdc.completion.index import (
    ANY,
    PATH,
    PROTOCOL,
    RECORD,
    Command,
    Index,
    Named,
    Value,
    index_file,
    index_text,
    installed_stamp,
    read_index,
)
from rethinkdc.completion.line import split_line
from rethinkdc.completion.shells import SCRIPTS, write_reply

RUN = Command(
    "Run it.",
    {
        "--compressor": Value("What makes the set.", names="compressor"),
        "-c": Value("What makes the set.", names="compressor"),
        "--protocol": Value(names=PROTOCOL),
        "--backing": Value(choices=("auto", "decoded", "encoded")),
        "--tracker": Value(names="tracker", many=True),
        "--records": Value(names=PATH),
        "--force": Value(flag=True),
        "--ipc": Value(),
    },
)
SCORE = Named("A score.", {"space": Value(choices=("prob", "logit")), "late": Value(choices=("true", "false"))})
INDEX = Index(
    installed_stamp(),
    {
        "run": RUN,
        "robust": Command("Ask.", {}, (Value(names="study"),)),
        "show": Command("Show it.", {"--records": Value(names=PATH)}, (Value(names=ANY),)),
        "compare": Command("Compare.", {"--ipc": Value()}, (Value(names="compressor", many=True),)),
        "verify": Command("Verify.", {"--records": Value(names=PATH)}, (Value(names=RECORD),)),
        "cache list": Command("List.", {"--help": Value(flag=True), "--each": Value(flag=True)}),
        "cache prune": Command("Prune.", {}),
    },
    {
        "compressor": {
            "pca": Named(
                "Tiles.", {"score": Value(names="score"), "grid": Value(), "scores": Value(names="score", many=True)}
            ),
            "plain": Named("Rows."),
        },
        "score": {"aum": SCORE, "el2n": Named("Another.")},
        "tracker": {"jsonl": Named()},
        PROTOCOL: {"digits-hard": Named("Digits."), "digits-soft": Named()},
        "study": {"small/one": Named()},
    },
)


def found(text: str) -> list[str]:
    return [one.word for one in find_candidates(INDEX, split_line(text))]


@pytest.mark.parametrize(
    ("text", "words", "word", "quoted"),
    [
        ("rethinkdc ru", ("rethinkdc",), "ru", False),
        ("rethinkdc  run ", ("rethinkdc", "run"), "", False),
        ("rethinkdc run -c 'pca:score=[a", ("rethinkdc", "run", "-c"), "pca:score=[a", True),
        ('a "b c" d\\ e', ("a", "b c"), "d e", False),
        ("a '' b", ("a", ""), "b", False),
        ("", (), "", False),
    ],
)
def test_a_line_is_split_as_a_shell_would(text: str, words: tuple[str, ...], word: str, quoted: bool) -> None:
    assert split_line(text) == (words, word, quoted)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ["cache", "compare", "robust", "run", "show", "verify"]),
        ("r", ["robust", "run"]),
        ("cache ", ["list", "prune"]),
        ("cache list --", ["--help", "--each"]),
        ("run --p", ["--protocol"]),
        ("run --force --f", []),
        ("run --tracker jsonl --tr", ["--tracker"]),
        ("run -c p", ["pca", "plain"]),
        ("--plugins mine --debug run -c pl", ["plain"]),
        ("run --compressor=pl", ["--compressor=plain"]),
        ("run --force -c pl", ["plain"]),
        ("run --backing ", ["auto", "decoded", "encoded"]),
        ("run --protocol digits-s", ["digits-soft"]),
        ("run --protocol d", ["digits-hard", "digits-soft"]),
        ("run --records x", []),
        ("run --ipc ", []),
        ("run -c pca:", ["pca:score=", "pca:grid=", "pca:scores="]),
        ("run -c pca:grid=3,", ["pca:grid=3,score=", "pca:grid=3,scores="]),
        ("run -c pca:score=", ["pca:score=aum", "pca:score=el2n"]),
        ("run -c pca:score=[aum:sp", ["pca:score=[aum:space="]),
        ("run -c pca:score=[aum:space=", ["pca:score=[aum:space=prob", "pca:score=[aum:space=logit"]),
        ("run -c pca:score=[aum:space=prob],gr", ["pca:score=[aum:space=prob],grid="]),
        ("run -c pca:scores=", ["pca:scores=["]),
        ("run -c pca:scores=[el2n,a", ["pca:scores=[el2n,aum"]),
        (
            "run -c pca:scores=[aum:space=prob,",
            ["pca:scores=[aum:space=prob,aum", "pca:scores=[aum:space=prob,el2n", "pca:scores=[aum:space=prob,late="],
        ),
        ("run -c nobody:", []),
        ("run -c pca:nothing=", []),
        ("compare pca --ipc 3 pl", ["plain"]),
        ("robust s", ["small/one"]),
        ("robust small/one ", []),
        ("nonsense x", []),
    ],
)
def test_what_fits_is_found(typed: str, expected: list[str]) -> None:
    assert found(f"rethinkdc {typed}") == expected


def test_records_are_found_where_the_line_or_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("12ab", "34cd", ".index"):
        (tmp_path / "kept" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert found("rethinkdc verify ") == []
    assert found("rethinkdc verify --records kept 1") == ["12ab"]
    assert found("rethinkdc verify --records=kept ") == ["12ab", "34cd"]
    monkeypatch.setenv("RETHINKDC_RECORDS", "kept")
    assert found("rethinkdc show 3") == ["34cd"]
    assert found("rethinkdc show di") == ["digits-hard", "digits-soft"]


def test_bash_gets_what_lies_behind_its_own_breaks() -> None:
    line = split_line("rethinkdc run -c pca:score=a")
    assert write_reply("bash", line, find_candidates(INDEX, line)) == "aum\n"
    quoted = split_line("rethinkdc run -c 'pca:score=a")
    assert write_reply("bash", quoted, find_candidates(INDEX, quoted)) == "pca:score=aum\n"
    assert write_reply("fish", line, find_candidates(INDEX, line)) == "pca:score=aum\tA score.\n"


def test_an_index_is_read_as_it_was_written_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    file = tmp_path / "index.json"
    assert read_index(file) is None
    file.write_text(index_text(INDEX))
    assert read_index(file) == INDEX
    for damaged in (
        "",
        "[]",
        "{}",
        '{"format": 0}',
        index_text(INDEX)[:-9],
        '{"format": 1, "commands": [], "names": {}}',
    ):
        file.write_text(damaged)
        assert read_index(file) is None


def test_an_answer_imports_nothing_that_takes_time(tmp_path: Path) -> None:
    environment = {**os.environ, "RETHINKDC_CACHE": str(tmp_path), "RETHINKDC_COMPLETE": "zsh"}
    (tmp_path / "completion").mkdir()
    (tmp_path / "completion" / "index.json").write_text(index_text(INDEX))
    program = (
        "import sys; sys.argv = ['rethinkdc', 'rethinkdc run -c pl']; from rethinkdc.__main__ import main; main(); "
        "print(sorted({'torch', 'typer', 'pydantic', 'numpy', 'pluggy'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "plain\tRows.\n[]\n"


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_the_script_of_bash_fills_in_what_fits(tmp_path: Path) -> None:
    (tmp_path / "completion").mkdir()
    (tmp_path / "completion" / "index.json").write_text(index_text(INDEX))
    program = tmp_path / "rethinkdc"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rethinkdc "$@"\n')
    program.chmod(0o755)
    script = (
        f"{SCRIPTS['bash']}\ncompopt() {{ echo \"$@\"; }}\nCOMP_LINE='rethinkdc run -c pca:sco more' COMP_POINT=24\n"
        '_rethinkdc; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "RETHINKDC_CACHE": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split("\n") == ["-o nospace", "-o nospace", "score=", "scores=", ""]


def test_the_index_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path))
    assert index_file() == tmp_path / "completion" / "index.json"
    monkeypatch.delenv("RETHINKDC_CACHE")
    assert index_file().name == "index.json"
