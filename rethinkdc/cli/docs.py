"""``rethinkdc docs``. Imports nothing heavy before the command is called."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rethinkdc.cli.options import takes_options
from rethinkdc.cli.saying import say
from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.options import Option, Options
from rethinkdc.storage import show_path

PAGES = Path(__file__).resolve().parents[1] / "pages"
"""Where the build of the pages puts them; they come with the wheel."""


@dataclass(frozen=True)
class DocsCommand(Options):
    """What the command takes."""

    page: Annotated[
        str,
        Option(
            "A page, such as faq or how-to/my-data; or a method, protocol, command or Python name: its section.",
            argument="page",
        ),
    ] = "index"
    path: Annotated[bool, Option("Print where the page lies, and open nothing.")] = field(default=False, kw_only=True)


@takes_options(DocsCommand)
def docs(command: DocsCommand) -> None:
    """Open the documentation of this version in the browser, without a network.

    Example: rethinkdc docs pca
    """
    page, _, section = find_page(PAGES, command.page).partition("#")
    file = PAGES / page
    if command.path or not _opened(f"{file.as_uri()}#{section}" if section else file.as_uri()):
        say(f"{file}#{section}" if section else str(file))


def find_page(folder: Path, wanted: str) -> str:
    """The page that is meant, below a folder of built pages, with the section where a name is meant.

    Raises:
        RequestError: the pages are not built, or there is no such page or name.
    """
    if not (folder / "index.html").is_file():
        raise RequestError(
            f"There are no built pages in {show_path(folder)}: the wheel brings them, and a checkout builds its own. "
            'Run `pip install -e ".[docs]" && mkdocs build --strict` in it, or read the files of docs/.'
        )
    pages = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.html")} - {"404"}
    name = wanted.removesuffix(".html").removesuffix(".md").strip("/")
    named = json.loads((folder / "names.json").read_text(encoding="utf-8"))
    # A page on a method has the method's name too; its path with .md says that the page is meant.
    if wanted in named:
        return str(named[wanted])
    if name in pages:
        return f"{name}.html"
    if below := sorted(page for page in pages if page.rpartition("/")[2] == name):
        return f"{below[0]}.html"
    raise RequestError(
        f"No page and no name of the documentation is {wanted!r}. {nearest(name, pages | set(named))} The pages are of "
        f"the framework alone; `rethinkdc show {wanted}` tells of what a package brings."
    )


def _opened(address: str) -> bool:
    """Whether a browser was started; without a display one of text would take the terminal."""
    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    import webbrowser

    if not webbrowser.open(address):
        return False
    say(f"Opened {address}")
    return True
