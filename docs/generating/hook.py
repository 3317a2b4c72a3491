"""What mkdocs calls: made pages join the written ones, and the built folder is kept small."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
UNUSED = ("assets/javascripts/*.map", "assets/javascripts/*/*.map", "assets/stylesheets/*.map", "sitemap.xml*")
"""Of no use to a reader without a network."""
LANGUAGES = "assets/javascripts/lunr"
"""Stemmers and word lists of languages that no page is written in."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made of the package."""
    sys.path.insert(0, str(ROOT))
    from docs.generating.pages import generated_pages

    for path, content in generated_pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Puts what is made into a written page."""
    from docs.generating.insertions import inserted

    return inserted(markdown)


@event_priority(-200)
def on_post_build(config: MkDocsConfig) -> None:
    """Removes what nobody reads, after the plugins that do, and writes where each name has its section."""
    from docs.generating.pages import generated_pages, sections_of

    site = Path(config.site_dir)
    (site / "names.json").write_text(json.dumps(sections_of(generated_pages())), encoding="utf-8")
    for pattern in UNUSED:
        for path in site.glob(pattern):
            path.unlink()
    shutil.rmtree(site / LANGUAGES, ignore_errors=True)
    (site / "search" / "search_index.json").unlink(missing_ok=True)
