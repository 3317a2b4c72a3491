"""Tables and anchors of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown, and line breaks become spaces."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def code(text: str) -> str:
    """A word as code; empty stays empty."""
    mark = "``" if "`" in text else "`"
    return f"{mark}{text}{mark}" if text else ""


def plain(text: str) -> str:
    """A sentence whose letters mean nothing to Markdown, but for code between backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else escaped(part) for part in parts)


def escaped(text: str) -> str:
    """A text of which nothing is read as Markdown or HTML."""
    return re.sub(r"([*_\[\]])", r"\\\1", text.replace("<", "&lt;"))


def anchor(heading: str) -> str:
    """What a heading of plain words is linked by."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
