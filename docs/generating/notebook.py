"""The notebook as a page: its texts, and its code in blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parents[1] / "start.ipynb"
LEAD = "This page is a notebook, [start.ipynb](start.ipynb): download it, and run it as it stands.\n"


def cells(kind: str = "code") -> list[str]:
    """The sources of the cells of a kind, in their order."""
    return ["".join(cell["source"]) for cell in _read()["cells"] if cell["cell_type"] == kind]


def notebook_page() -> str:
    """The whole notebook as Markdown."""
    parts = [_shown(cell["cell_type"], "".join(cell["source"])) for cell in _read()["cells"]]
    return "\n".join([parts[0], LEAD, *parts[1:]])


def _shown(kind: str, source: str) -> str:
    return f"```python\n{source}\n```\n" if kind == "code" else f"{source}\n"


def _read() -> Any:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))
