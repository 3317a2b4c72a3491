"""Writes a new package: texts with the names in their places, in a folder that was not there."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from string import Template

from rethinkdc.errors import RequestError
from rethinkdc.storage import show_path
from rethinkdc.templates.kinds import Kind
from rethinkdc.templates.naming import Naming

_PACKAGE = {
    "pyproject.toml": "package/pyproject.toml",
    "README.md": "package/README.md",
    "LICENSE": "package/LICENSE",
    ".gitignore": "package/gitignore",
    ".github/workflows/test.yml": "package/test.yml",
}
"""What every package has: place, and template."""


@dataclass(frozen=True)
class Written:
    """A package that was written.

    Attributes:
        folder: where it lies.
        files: its files, by their places in the folder.
        commands: what is typed next, from the folder in which the command was given.
    """

    folder: Path
    files: tuple[str, ...]
    commands: tuple[str, ...]


def write_package(naming: Naming, kind: Kind, folder: Path, author: str) -> Written:
    """Writes the package of a kind under the given names.

    Args:
        naming: what it is called.
        kind: what it does.
        folder: must not exist.
        author: for the licence.

    Raises:
        RequestError: the folder exists, or cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        raise RequestError(f"{show_path(folder)} exists already, and nothing is overwritten. Give another --out.")
    commands = (f"pip install -e '{folder}[dev]'", f"pytest {folder}", *_commands(naming, kind, f"{folder}/"))
    files = _files(naming, kind, author)
    try:
        for place, text in files.items():
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise RequestError(f"Cannot write {show_path(folder)}: {error.strerror}. Give another --out.") from error
    return Written(folder, tuple(sorted(files)), commands)


def _commands(naming: Naming, kind: Kind, here: str) -> list[str]:
    """What is typed after the tests; ``here``: how a path into the package begins."""
    return [Template(command).substitute(name=naming.name, here=here) for command in kind.commands]


def _files(naming: Naming, kind: Kind, author: str) -> dict[str, str]:
    """The texts of all files by their places."""
    data = ['"py.typed"', *(['"**/*.toml"'] if any(place.startswith("$package/") for place, _ in kind.further) else [])]
    own_commands = ("pip install -e '.[dev]'", "pytest", *_commands(naming, kind, here=""))
    values = {
        **asdict(naming),
        "Method": naming.method,
        "kind": kind.noun,
        "place": Template(kind.place).substitute(name=naming.name),
        "changes": kind.changes,
        "commands": "\n".join(f"$ {line}" for line in own_commands),
        "data": ", ".join(data),
        "author": author,
        "year": str(date.today().year),
    }
    own = {
        "$package/__init__.py": "module.py",
        "tests/test_$module.py": "test.py",
        **dict(kind.further),
    }
    templates = {**_PACKAGE, **{place: f"kinds/{kind.name}/{text}" for place, text in own.items()}}
    written = {
        Template(place).substitute(values): Template(_text(template)).substitute(values)
        for place, template in templates.items()
    }
    return {**written, f"{naming.package}/py.typed": ""}


def _text(name: str) -> str:
    texts = resources.files("rethinkdc.templates") / "texts"
    return texts.joinpath(*f"{name}.txt".split("/")).read_text(encoding="utf-8")
