"""Writes ``docs/faults.md`` of the rows' own words: ``python tests/faults/page.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.matrix import Fault

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
HEAD = """\
# Faults: what happens on a bad day

A benchmark is trusted for what it does when something breaks. Every row below is tried by `tests/faults`: the fault is
made in a place with real files, a command meets it, and what it says, how it ends and what it leaves are looked at.
Three things hold in all of them: nobody sees a stack trace, no number is wrong, and once the fault is gone the same
command ends with the same result, to the last bit.

A kill loses what came after the last state. One is kept each minute, or less often where writing it would take more
than a hundredth of the time: of trainings, images that are optimised, class statistics and greedy choices; of passes
over rows (predictions, scores, crops, labels) each batch that is done. What ends sooner writes none, and begins again.

{promises}

*Any damage* of a file means: {damages}.

This page is written by `python tests/faults/page.py`, and a test fails when it is behind.
"""


def write_page() -> str:
    """The page as it must be."""
    # Here, since a script finds them only once it has said where they lie.
    from tests.faults.damages import DAMAGES
    from tests.faults.matrix import Promise
    from tests.faults.rows import ROWS, SITES

    def of_kind(fault: Fault) -> str:
        return fault.kind

    promises = "\n".join(f"- *{promise.word}*: {promise.value}." for promise in Promise)
    parts = [HEAD.format(promises=promises, damages=", ".join(DAMAGES))]
    for kind, rows in groupby(sorted((*ROWS, *SITES), key=of_kind), of_kind):
        parts.append("\n".join([f"## {kind}", "", *_table(list(rows)), ""]))
    return "\n".join(parts)


def _table(rows: Sequence[Fault]) -> Iterator[str]:
    """A line for what has one outcome; the damages that lead to it stand beside it."""
    damaged = any(row.how for row in rows)
    yield "| what | how | promise | what happens |" if damaged else "| what | promise | what happens |"
    yield "|---|---|---|---|" if damaged else "|---|---|---|"
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        lines.setdefault((row.what, row.promise.word, row.seen), []).append(row.how)
    for (what, promise, seen), hows in lines.items():
        cells = [what, *([_tell(hows)] if damaged else []), promise, seen]
        yield f"| {' | '.join(cells)} |"


def _tell(hows: Sequence[str]) -> str:
    from tests.faults.damages import DAMAGES

    whole = set(DAMAGES) <= set(hows)
    return ", ".join(["any damage"] * whole + [how for how in hows if how and not (whole and how in DAMAGES)])


if __name__ == "__main__":
    sys.path.append(str(ROOT))
    PAGE.write_text(write_page(), encoding="utf-8")
