"""Docstrings as Markdown: roles, literals, sections of arguments and examples."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

from docs.generating.markdown import escaped

SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields")


def docstring(thing: Any) -> str:
    """A thing's own docstring as Markdown; empty where it has none, or inherits one."""
    own = thing.__doc__
    return as_markdown(inspect.cleandoc(own)) if own else ""


def as_markdown(text: str) -> str:
    """Converts a cleaned docstring."""
    blocks: list[str] = []
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if (section := line.strip().removesuffix(":")) in SECTIONS and line.strip().endswith(":"):
            blocks += [f"**{section}**", "", *_items(_indented(lines)), ""]
        elif line.endswith("::"):
            lead = line.removesuffix("::").rstrip()
            blocks += [f"{_words(lead)}:" if lead else "", "", "```text", *_indented(lines), "```", ""]
        elif line.lstrip().startswith("Example: "):
            example = line.strip().removeprefix("Example: ")
            blocks += [_words(line) if "`" in example else f"Example: `{example}`", ""]
        else:
            blocks.append(_words(line))
    return "\n".join(blocks).strip() + "\n"


def summary(thing: Any) -> str:
    """The first paragraph as one line of Markdown."""
    return " ".join(docstring(thing).partition("\n\n")[0].split())


def _indented(lines: list[str]) -> list[str]:
    """Takes the lines off the head that are indented or empty, dedented."""
    taken = []
    while lines and (not lines[0].strip() or lines[0].startswith("    ")):
        taken.append(lines.pop(0))
    return textwrap.dedent("\n".join(taken)).strip("\n").splitlines()


def _items(lines: list[str]) -> list[str]:
    """A line for each ``name: what it is``; what is written on below belongs to it."""
    items: list[str] = []
    for line in lines:
        named = re.match(r"([\w.*, ]+?): (.*)", line)
        if named and not line.startswith(" "):
            items.append(f"- `{named[1]}`: {_words(named[2])}")
        elif items and line.strip():
            items[-1] += f" {_words(line.strip())}"
        elif line.strip():
            items.append(_words(line))
    return items


def _words(line: str) -> str:
    """Roles and literals of reStructuredText as code."""
    line = re.sub(r":\w+:`~?(?:[\w.]+\.)?([\w]+)`", r"`\1`", line)
    parts = re.split(r"(`+[^`]+`+)", line)
    words = [re.sub(r"`+", "`", part) if part.startswith("`") else escaped(part) for part in parts]
    return "".join(words)
