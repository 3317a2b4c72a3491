"""Pages whose text stands at the root of the repository: each has one source, which hosts of repositories show too."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}


def root_pages() -> dict[str, str]:
    """The pages by what they are called here, their links among each other and into ``docs`` rewritten."""
    return {page: relinked((ROOT / source).read_text(encoding="utf-8")) for page, source in PAGES.items()}


def relinked(text: str) -> str:
    """A text of the root whose links are those of a page in ``docs``."""
    names = {source: page for page, source in PAGES.items()}

    def link(found: re.Match[str]) -> str:
        target, _, section = found[1].partition("#")
        target = names.get(target, target.removeprefix("docs/"))
        return f"]({target}#{section})" if section else f"]({target})"

    return re.sub(r"\]\(([^):]+)\)", link, text)
