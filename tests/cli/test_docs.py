"""``rethinkdc docs``: which page is meant, and what is said where none is there."""

from __future__ import annotations

import json
import sys
import webbrowser
from pathlib import Path

import pytest

from rethinkdc.cli import docs
from rethinkdc.cli.docs import find_page
from rethinkdc.cli.main import main
from rethinkdc.errors import RequestError


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("index", "faq", "pca", "how-to/my-data", "reference/compressors", "404"):
        path = tmp_path / f"{name}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text("<p>")
    (tmp_path / "names.json").write_text(json.dumps({"pca": "reference/compressors.html#pca"}))
    monkeypatch.setattr(docs, "PAGES", tmp_path)
    return tmp_path


def call(*words: str) -> int:
    sys.argv = ["rethinkdc", "docs", *words]
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("index", "index.html"),
        ("faq.md", "faq.html"),
        ("how-to/my-data", "how-to/my-data.html"),
        ("my-data", "how-to/my-data.html"),
        ("pca", "reference/compressors.html#pca"),
        ("pca.md", "pca.html"),
    ],
)
def test_a_page_is_found_by_its_path_its_last_word_or_a_name(pages: Path, wanted: str, found: str) -> None:
    assert find_page(pages, wanted) == found


def test_an_unknown_page_is_refused_with_the_nearest(pages: Path) -> None:
    with pytest.raises(RequestError, match=r"'fax'.*Did you mean 'faq'"):
        find_page(pages, "fax")


def test_a_checkout_without_pages_is_told_what_builds_them(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="mkdocs build --strict"):
        find_page(tmp_path, "index")


def test_without_a_display_the_path_is_printed(
    pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("a browser was started"))
    assert call() == 0
    assert capsys.readouterr().out == f"{pages / 'index.html'}\n"


def test_with_a_display_the_section_is_opened(
    pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")

    def note(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    assert call("pca") == 0
    assert opened == [f"{(pages / 'reference' / 'compressors.html').as_uri()}#pca"]
    assert opened[0] in capsys.readouterr().out.replace("\n", "")


def test_a_browser_that_does_not_start_leaves_the_path(
    pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert call("faq") == 0
    assert capsys.readouterr().out.endswith("faq.html\n")


def test_a_path_alone_is_printed_where_it_is_asked_for(
    pages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("a browser was started"))
    assert call("faq", "--path") == 0
    assert capsys.readouterr().out == f"{pages / 'faq.html'}\n"
