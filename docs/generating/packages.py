"""The files of a package that ``new-plugin`` writes, as the pages on kinds show them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rethinkdc.templates import KINDS, name_package, write_package

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {".py": "python", ".toml": "toml"}
"""Of the files that are shown: the module, its tests, the project and what lies beside them."""


def package(kind: str, name: str) -> str:
    """The files of a new package of a kind, each as a block with its place."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name
        written = write_package(name_package(name), KINDS[kind], folder, "you")
        shown = sorted(written.files, key=lambda file: (file == "pyproject.toml", file.startswith("tests/"), file))
        return "\n".join(
            f'```{LANGUAGES[Path(file).suffix]} title="{file}"\n{(folder / file).read_text(encoding="utf-8")}```\n'
            for file in shown
            if Path(file).suffix in LANGUAGES
        )


def source(place: str) -> str:
    """A file of the repository as a block."""
    path = ROOT / place
    return f'```{LANGUAGES[path.suffix]} title="{path.name}"\n{path.read_text(encoding="utf-8")}```\n'
