"""The page: one HTML file that holds all it needs, and is not allowed to ask anybody for more."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rethinkdc.reports.figures import Figure, Section
from rethinkdc.reports.folding import part
from rethinkdc.reports.palette import DARK, LIGHT, MARKERS
from rethinkdc.reports.plotly_figures import draw
from rethinkdc.reports.sheets import Sheets
from rethinkdc.reports.tables import Table

_UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What could end the element that holds JSON, or a line of it, and how JSON spells it otherwise."""


@dataclass(frozen=True)
class Content:
    """All that the page shows.

    Attributes:
        summary: what it rests on, in numbers.
        tables: the boards.
        sections: their figures.
        sheets: pictures of their sets.
        conditions: protocols and datasets with their digests.
        environments: what was measured on, each with its number of records.
        notes: what was left out.
    """

    summary: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    sections: tuple[Section, ...]
    sheets: Sheets
    conditions: tuple[tuple[str, ...], ...]
    environments: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def render_page(content: Content) -> str:
    """The whole file. The same content gives the same bytes."""
    plotly, script = _library(), _own("report.js")
    facets = [table.facets for table in content.tables]
    page: str = _template().render(
        content=content,
        plotly=Markup(plotly),
        script=Markup(script),
        style=Markup(_own("report.css")),
        light=LIGHT,
        dark=DARK,
        policy=_policy(plotly, script),
        figures=Markup(_embed({figure.label.name: draw(figure) for figure in _figures(content)})),
        markers=MARKERS,
        datasets=sorted({one.dataset for one in facets}),
        tracks=sorted({track for one in facets for track in one.tracks}),
        ipcs=sorted({ipc for one in facets for ipc in one.ipcs}, key=lambda ipc: (not ipc.isdigit(), ipc.zfill(12))),
    )
    return page


def _figures(content: Content) -> list[Figure]:
    return [figure for section in content.sections for figure in section.figures]


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("rethinkdc.reports", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = lambda name: Markup("<wbr>").join(part(name))
    return environment.get_template("report.html")


def _own(name: str) -> str:
    return files("rethinkdc.reports").joinpath("page", name).read_text(encoding="utf-8")


def _library() -> str:
    from plotly.offline import get_plotlyjs

    library: str = get_plotlyjs()
    return library


def _policy(*scripts: str) -> str:
    """Content-Security-Policy: these scripts run and no other, not even one of a text that was not escaped.

    Nothing is fetched. Styles may stand in the page, since plotly.js writes some; pictures are data.
    """
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _embed(value: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).translate(_UNSAFE)
