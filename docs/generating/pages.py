"""All pages that are made, not written."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import entry_points

from docs.generating.commands import command_page
from docs.generating.markdown import anchor
from docs.generating.methods import TITLES, method_pages
from docs.generating.names import name_pages
from docs.generating.notebook import notebook_page
from docs.generating.protocols import protocol_pages
from docs.generating.root_pages import root_pages
from rethinkdc.contracts.hooks import GROUP
from rethinkdc.registry import Registry
from rethinkdc.registry.providers import OWN


@cache
def own_registry() -> Registry:
    """The methods and protocols that come with the framework."""
    return Registry([point for point in entry_points(group=GROUP) if point.dist is None or point.dist.name == OWN])


@cache
def generated_pages() -> dict[str, str]:
    """Path below ``docs`` -> Markdown; of what comes with the framework alone, whatever else is installed."""
    registry = own_registry()
    return {
        **root_pages(),
        **method_pages(registry),
        **protocol_pages(registry),
        **name_pages(),
        "reference/commands.md": command_page(),
        "start.md": notebook_page(),
    }


def sections_of(pages: dict[str, str]) -> dict[str, str]:
    """Name -> built page and section of each method, protocol, command, hook and public name; the first has it."""
    first = ["commands", *(f"{kind}s" for kind in TITLES)]
    found = sorted((path for path in pages if path.startswith("reference/")), key=lambda path: _rank(path, first))
    named = [
        (heading, f"{path.removesuffix('.md')}.html#{anchor(heading)}")
        for path in found
        for heading in re.findall(r"^## (\S+)$", pages[path], re.MULTILINE)
    ]
    return dict(reversed(named))


def _rank(path: str, first: list[str]) -> int:
    name = path.removeprefix("reference/").removesuffix(".md")
    return first.index(name) if name in first else len(first)
