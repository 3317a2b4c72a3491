"""What is made in the middle of a written page: a comment ``<!-- made: WORDS -->`` stands in its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from docs.generating.faithful import authors, deviations
from docs.generating.packages import package, source
from docs.generating.pages import own_registry

MARK = re.compile(r"^<!-- made: (.+?) -->$", re.MULTILINE)
MAKERS: dict[str, Callable[..., str]] = {
    "authors": authors,
    "deviations": lambda: deviations(own_registry()),
    "package": package,
    "source": source,
}


def inserted(page: str) -> str:
    """A page with what is made in place of each comment.

    Raises:
        KeyError: a comment asks for what nobody makes.
    """

    def make(found: re.Match[str]) -> str:
        maker, *words = found[1].split()
        arguments: list[Any] = words
        return MAKERS[maker](*arguments)

    return MARK.sub(make, page)
