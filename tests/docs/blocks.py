"""Fenced blocks of the written pages, with what a comment above them says of how they are tried."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^(?:<!-- (not run|slow): (.+?) -->\n)?^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: its page, below the root.
        language: what the fence says; empty where it says nothing.
        title: of a file that it is, such as ``study.toml``.
        mark: ``not run``, ``slow``, or empty: it is run as it stands.
        reason: that stands with the mark.
        text: what is between the fences.
    """

    page: str
    language: str
    title: str
    mark: str
    reason: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Lines that are typed: those with a prompt where there is one, else all; without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] or lines
        return [line for line in typed if line.strip()]


def pages() -> list[Path]:
    """The written pages, those at the root among them."""
    root = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*root, *sorted(DOCS.rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in their order."""
    found = []
    for mark, reason, info, text in FENCE.findall(page.read_text(encoding="utf-8")):
        title = re.search(r'title="([^"]+)"', info)
        language = info.split()[0] if info.split() else ""
        named = page.relative_to(ROOT).as_posix()
        found.append(Block(named, language, title[1] if title else "", mark, reason, text))
    return found


def all_blocks() -> list[Block]:
    """The blocks of all written pages."""
    return [block for page in pages() for block in blocks_of(page)]
