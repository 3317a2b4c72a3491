"""The page as a file: alone, escaped, and the same bytes from the same records wherever they lie."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import rethinkdc as rdc
from rethinkdc.errors import RequestError
from rethinkdc.runs.record import Record
from rethinkdc.runs.records import Records


class Parsed(HTMLParser):
    """Tags with their attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts.append(data)


@pytest.fixture(scope="module")
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text: str) -> Parsed:
    return Parsed(text)


def test_the_same_records_give_the_same_bytes_wherever_they_lie(studied: Path, page: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(studied, tmp_path / "elsewhere" / "copy", copy_function=shutil.copyfile)
    again = rdc.report(copied, out=tmp_path / "another name.html")
    assert again.path.read_bytes() == page.read_bytes()
    assert str(studied.parent) not in page.read_text(encoding="utf-8")


def test_the_order_in_which_records_were_written_is_not_seen(make: Callable[..., Record], tmp_path: Path) -> None:
    runs = [make(name, seed=seed) for name in ("random", "pca", "noise") for seed in range(3)]
    pages = []
    for name, order in (("one", runs), ("two", runs[::-1])):
        records = Records(tmp_path / name)
        for record in order:
            records.add(record)
        pages.append(rdc.report(records.folder, out=tmp_path / f"{name}.html").path.read_bytes())
    assert pages[0] == pages[1]


def test_only_the_two_scripts_of_the_page_may_run_and_nothing_is_fetched(parsed: Parsed) -> None:
    policies = [about["content"] for tag, about in parsed.tags if about.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    rules = dict(rule.split(" ", 1) for rule in (policies[0] or "").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    data, *scripts = parsed.scripts
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts]
    assert rules["script-src"].split() == hashes
    assert len(scripts) == 2
    assert json.loads(data)


def test_no_element_names_a_place_elsewhere(parsed: Parsed) -> None:
    named = [
        value for _, about in parsed.tags for key, value in about.items() if key in ("src", "href", "action", "srcset")
    ]
    assert named
    assert [value for value in named if not (value or "").startswith(("#", "data:"))] == []


def test_a_hostile_name_adds_no_tag_and_no_attribute(parsed: Parsed, text: str, hostile: tuple[str, ...]) -> None:
    assert not [tag for tag, _ in parsed.tags if tag == "img"]
    assert [tag for tag, about in parsed.tags if any(key.startswith("on") for key in about)] == []
    assert sum(tag == "script" for tag, _ in parsed.tags) == 3
    assert not re.search("[\u2028\u2029\u202e]", text)
    assert "{{7*7}}" in text
    assert hostile[0] not in text


def test_what_failed_is_told_with_its_reason(text: str) -> None:
    assert "cal, seed 3: failed: loss is &lt;b&gt;NaN&lt;/b&gt;⟨202E⟩ at step 7" in text


def test_the_protocol_digest_stands_at_every_figure(text: str, parsed: Parsed) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text, re.DOTALL)
    assert len(captions) == sum(tag == "figure" for tag, _ in parsed.tags) > 20
    assert all(re.search(r"Protocol [0-9a-f]{12}", caption) for caption in captions)


def test_a_filter_leaves_the_other_boards_out(studied: Path, tmp_path: Path) -> None:
    done = rdc.report(studied, out=tmp_path / "ten.html", ipc=10, protocol="digits-soft")
    assert done.boards == 1
    text = done.path.read_text(encoding="utf-8")
    assert "digits, online labels, ipc 10" in text
    assert "hard labels" not in text
    assert done.bytes == len(text.encode())


@pytest.mark.parametrize(("out", "told"), [("report.pdf", "must end in .html"), (".", "must end in .html")])
def test_what_cannot_be_written_is_said_before_anything_is_read(out: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=re.escape(told)):
        rdc.report(tmp_path / "no records", out=tmp_path / out)


def test_without_records_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="rethinkdc run --compressor random"):
        rdc.report(tmp_path, out=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_an_evaluator_of_another_metric_is_drawn_in_its_own_numbers(make: Callable[..., Any], tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    for name in ("random", "pca"):
        for seed in range(2):
            records.add(make(name, seed=seed))
    text = rdc.report(records.folder, out=tmp_path / "loss.html", metric="loss").path.read_text(encoding="utf-8")
    assert ">loss</button>" in text
    assert "loss minus random" in text
    assert "top-1 minus random" not in text
    # What does not rank is a column behind what does.
    assert text.index(">loss</button>") < text.index(">minus random</button>") < text.index(">top-1 %</button>")
