"""Colours that the colour-blind tell apart, each with a shape of its own.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), without the yellow, which a white page
swallows. Black is the colour of ink: a dark page writes it white.
"""

from __future__ import annotations

from collections.abc import Iterable

from rethinkdc.boards import Row
from rethinkdc.reports.figures import Style

LIGHT = ("#1a1a1a", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DARK = ("#f2f2f2", "#4fa8dc", "#f0803c", "#2fc49a", "#e29cc4", "#8fd0f5", "#f2bb4a")
"""The same hues, lighter, so that they stand out from a dark page as the others do from a white one."""
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "triangle-down", "cross", "star")
"""As plotly.js calls them. Six colours and eight shapes give 48 styles before one comes again."""
INK = Style(0, 0)


class Styles:
    """Gives every method of a report one style, the same in each of its figures; ``random`` has that of ink.

    A compressor has one colour under all labelers. Of several labelers each shifts its shape.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        listed = list(rows)
        others = [name for name in dict.fromkeys(row.compressor for row in listed) if name != "random"]
        self._styles = {"random": INK} | {
            name: Style(1 + place % (len(LIGHT) - 1), (1 + place) % len(MARKERS)) for place, name in enumerate(others)
        }
        self._shifts = {name: place for place, name in enumerate(dict.fromkeys(row.labeler for row in listed))}

    def of(self, row: Row) -> Style:
        """The style of a row's method."""
        style = self._styles[row.compressor]
        return Style(style.colour, (style.marker + self._shifts[row.labeler]) % len(MARKERS))

    @staticmethod
    def nth(place: int) -> Style:
        """The style of a part that is no method, such as a stage."""
        again, colour = divmod(place, len(LIGHT) - 1)
        return Style(1 + colour, (1 + place) % len(MARKERS), hatched=again % 2 == 1)
