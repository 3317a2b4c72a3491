"""Texts of strangers: shown as they are written, and doing nothing."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rethinkdc.cli.saying import say
from rethinkdc.cli.text_table import escape
from rethinkdc.texts import escape_cell, escape_latex, escape_markdown, visible, visible_lines

TEXTS = st.text(max_size=40) | st.text(alphabet="=+-@|\n\r\t\x1b[]m()<>`*_$\\{}\u202e\u2028é漢 a", max_size=40)
UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Co", "Cs", "Cn"}


def test_a_mark_without_a_picture_is_shown_by_its_number() -> None:
    assert visible("a\u202eb\n\u2028é漢") == "a⟨202E⟩b⟨000A⟩⟨2028⟩é漢"
    assert visible_lines("a\x1b\nb\r") == "a⟨001B⟩\nb⟨000D⟩"


@given(TEXTS)
def test_what_is_visible_moves_nothing_and_loses_nothing(text: str) -> None:
    seen = visible(text)
    assert not {unicodedata.category(one) for one in seen} & UNSEEN
    assert re.sub(r"⟨([0-9A-F]{4,6})⟩", lambda found: chr(int(found[1], 16)), seen) == re.sub(
        r"⟨([0-9A-F]{4,6})⟩", lambda found: chr(int(found[1], 16)), text
    )
    assert visible_lines(text).count("\n") == text.count("\n")


@given(TEXTS)
def test_in_markdown_nothing_is_live(text: str) -> None:
    escaped = escape_markdown(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|~&#$]", re.sub(r"\\(.)", "", escaped))


@given(TEXTS)
def test_in_latex_only_what_this_tool_writes_is_a_command(text: str) -> None:
    rest = re.sub(
        r"\\text(?:backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\$\\(?:pm|langle|rangle)\$|\\[&%$#_{}]"
        r"|\{[\[\]*]\}",
        "",
        escape_latex(text),
    )
    assert not set(rest) & set("\\{}$&#^_~%\n")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50% & #1_a", r"50\% \& \#1\_a"),
        ("\\end{x}", r"\textbackslash{}end\{x\}"),
        ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
        ("[1] *", r"{[}1{]} {*}"),
        ("± 95", r"$\pm$ 95"),
        ("a\nb", r"a$\langle$000A$\rangle$b"),
    ],
)
def test_latex_reads_as_it_was_written(text: str, escaped: str) -> None:
    assert escape_latex(text) == escaped


def test_markdown_reads_as_it_was_written() -> None:
    assert escape_markdown("a|b <i> `x` [y](z) \\|") == r"a\|b \<i\> \`x\` \[y\](z) \\\|"


@pytest.mark.parametrize(
    "text",
    ['=HYPERLINK("http://a.b")', "@SUM(1,2)", "+1+cmd|' /C calc'!A0", "-2+3", "\t=1", "\r=1", " =1", "\n@a"],
)
def test_a_spreadsheet_computes_nothing(text: str) -> None:
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerow([escape_cell(text), "next"])
    (row,) = csv.reader(io.StringIO(held.getvalue()))
    assert row[1] == "next"
    assert row[0].startswith(("'", "⟨"))
    assert "\n" not in row[0]


@given(TEXTS)
def test_what_is_said_does_not_act_on_a_terminal(text: str) -> None:
    shown = io.StringIO()
    Console(file=shown, width=200, force_terminal=True, color_system=None).print(escape(text), highlight=False)
    assert not {unicodedata.category(one) for one in shown.getvalue().replace("\n", "")} & UNSEEN


def test_a_line_that_is_said_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("pca\x1b]0;owned\x07 \x1b[2J")
    say(ValueError("\x1b[1A"), err=True)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("pca⟨001B⟩]0;owned⟨0007⟩ ⟨001B⟩[2J\n", "⟨001B⟩[1A\n")
