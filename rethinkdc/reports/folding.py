"""Long names on a few short lines."""

from __future__ import annotations

import re
import textwrap

_LINES = 3
WIDTH = 24
"""Letters of a line, unless another number is asked for."""


def part(name: str) -> list[str]:
    """The pieces of a name between which a line may break."""
    return re.findall(r"[^\s,:+=]*[\s,:+=]+|[^\s,:+=]+$", name)


def fold(name: str, width: int = WIDTH) -> list[str]:
    """The name in at most three lines of about ``width`` letters, broken behind what parts its words."""
    lines = [""]
    for word in part(name):
        for piece in textwrap.wrap(word, width, drop_whitespace=False) if len(word) > width else [word]:
            if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
                lines.append("")
            lines[-1] += piece
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1][: width - 1] + "…"]
    return [line.strip() for line in lines]
