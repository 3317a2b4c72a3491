"""What the pages show is run as it stands, one block after the other, in an empty directory for each page.

The README has a test of its own. A comment above a block says where it is not run (its commands are parsed then), or is
run among the slow tests. All pages share a cache.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer

from docs.generating.packages import package
from rethinkdc.cli.main import app, main
from rethinkdc.registry import Registry
from rethinkdc.studies.reading import load_study
from rethinkdc.templates import KINDS
from rethinkdc.training.columns import COLUMNS
from rethinkdc.types import TraceTable
from tests.docs.blocks import DOCS, ROOT, Block, all_blocks, blocks_of, pages

RUN = [page for page in pages() if DOCS in page.parents]
IDS = [page.relative_to(DOCS).as_posix() for page in RUN]
TOLD = {"console", "python", "toml", "text"}
MARKED = {"not run": 28, "slow": 6}
"""How many blocks are marked: whoever marks another says so here."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages-cache")


@pytest.fixture
def place(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETHINKDC_CACHE", str(cache))
    monkeypatch.delenv("RETHINKDC_RECORDS", raising=False)
    return tmp_path


def call(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Calls a command of the program; what it printed."""
    sys.argv = shlex.split(command, comments=True)
    with warnings.catch_warnings(), pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert not end.value.code, f"{command}\n{printed.out}{printed.err}"
    return printed.out


def run_block(block: Block, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    if block.title:
        Path(block.title).write_text(block.text, encoding="utf-8")
    if block.language == "python":
        exec(compile(block.text, block.title or block.page, "exec"), names)
    elif block.language == "toml" and block.title:
        assert block.title.endswith(".toml")
    elif block.language == "toml":
        Path("shown.toml").write_text(block.text, encoding="utf-8")
        if block.text.startswith("id = "):
            assert Registry().protocols.find("shown.toml").digest
        else:
            load_study("shown.toml")
    elif block.language == "console":
        for command in block.commands:
            assert command.startswith("rethinkdc "), f"{block.page}: mark what another program is called in: {command}"
            call(command, capsys)


@pytest.mark.parametrize("page", RUN, ids=IDS)
def test_a_page_runs(page: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks_of(page):
        if not block.mark:
            run_block(block, names, capsys)


SLOW = [page for page in RUN if any(block.mark == "slow" for block in blocks_of(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=[page.stem for page in SLOW])
def test_a_page_runs_with_what_takes_long(page: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for block in blocks_of(page):
        if block.mark != "not run":
            run_block(block, names, capsys)


def test_a_command_that_is_not_run_is_one_that_the_program_parses() -> None:
    root: Any = typer.main.get_command(app)
    parsed = 0
    for block in all_blocks():
        if block.mark == "not run" and block.language == "console":
            for command in block.commands:
                words = shlex.split(command, comments=True)
                start = words.index("rethinkdc") + 1 if "rethinkdc" in words else 0
                if not start:
                    continue
                name, *rest = words[start:]
                called = root.commands[name]
                if hasattr(called, "commands"):
                    called = called.commands[rest.pop(0)]
                called.make_context(name, rest)
                parsed += 1
    assert parsed >= 12


def test_blocks_are_marked_openly_and_their_number_is_known() -> None:
    blocks = all_blocks()
    assert Counter(block.mark for block in blocks if block.mark) == MARKED
    assert all(block.reason for block in blocks if block.mark)
    assert Counter(block.language for block in blocks)["console"] > 20


def test_every_block_says_what_it_is_and_hides_no_command() -> None:
    for block in all_blocks():
        if block.page.startswith("docs/"):
            assert block.language in TOLD, f"{block.page}: {block.text[:60]}"
        if block.language not in ("console", "toml", "python"):
            typed = [
                line for line in block.text.splitlines() if re.match(r"(\$ )?(rethinkdc|pip|pytest|python) ", line)
            ]
            outputs = block.text.startswith("$ rethinkdc")
            assert not typed or outputs or not block.page.startswith("docs/"), f"{block.page}: {typed}"


def test_every_link_leads_somewhere() -> None:
    from docs.generating.insertions import inserted
    from docs.generating.markdown import anchor
    from docs.generating.pages import generated_pages

    made = generated_pages()
    texts = {page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8") for page in RUN}
    texts = {name: inserted(text) for name, text in texts.items()} | made
    wrong, seen = [], 0
    for name, text in texts.items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose)):
            if re.match(r"https?://|mailto:", link):
                continue
            target, _, section = link.partition("#")
            path = os.path.normpath(Path(name).parent / target) if target else name
            headings = re.findall(r"^#+ (.+)$", texts.get(path, ""), re.MULTILINE)
            known = path in texts or (DOCS / path).is_file()
            if not known or (section and section not in {anchor(heading) for heading in headings}):
                wrong.append(f"{name}: {link}")
            seen += 1
    assert not wrong
    assert seen > 100


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    paths = re.findall(r"`((?:docs|protocols|plugins|tests|rethinkdc)/[\w./-]+\.(?:py|md|toml|json|xz))`", text)
    assert not [path for path in paths if not (ROOT / path).exists()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_page_that_begins_with_a_package_and_shows_it(kind: str) -> None:
    page = DOCS / "plugins" / f"{kind}.md"
    first = blocks_of(page)[0]
    ((_, _, name, option, of),) = [command.split() for command in first.commands]
    assert (first.mark, option, of) == ("", "--kind", kind)
    text = page.read_text(encoding="utf-8")
    assert f"<!-- made: package {kind} {name} -->" in text
    shown = package(kind, name)
    assert f'\n{name} = "' in shown
    assert "def test_" in shown
    assert f"({kind}.md)" in (DOCS / "plugins" / "index.md").read_text(encoding="utf-8")


def test_the_page_on_scores_names_every_column() -> None:
    text = (DOCS / "plugins" / "score.md").read_text(encoding="utf-8")
    told = TraceTable.column.__doc__ or ""
    for column in COLUMNS:
        assert re.search(rf"^\| [^|]*`{column}`", text, re.MULTILINE), column
        assert f"``{column}``" in told
