"""The reference is made of the package: nothing that a reader may type or import is missing."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
import typer

from docs.generating.docstrings import as_markdown
from docs.generating.markdown import anchor
from docs.generating.names import FACES
from docs.generating.pages import generated_pages, sections_of
from docs.generating.protocols import GROUPS, group_of
from docs.generating.root_pages import relinked
from rethinkdc.cli.main import COMMANDS, app
from rethinkdc.contracts import hooks
from rethinkdc.registry import Registry
from rethinkdc.registry.providers import OWN


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return generated_pages()


def test_every_command_and_every_option_appears(pages: dict[str, str]) -> None:
    page = pages["reference/commands.md"]
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    cache = ["cache list", "cache verify", "cache prune"]
    assert list(sections) == ["rethinkdc", *COMMANDS, *cache]
    root = typer.main.get_command(app)
    for name in [*COMMANDS, *cache]:
        command = root
        for word in name.split():
            command = command.commands[word]  # type: ignore[attr-defined]
        for one in command.params:
            for flag in one.opts if one.param_type_name == "option" else [str(one.metavar).upper()]:
                assert f"`{flag}`" in sections[name].replace("\\|", "|"), f"{name} {flag}"
    assert "method" not in "".join(re.findall(r"^\| `--[^|]+\|([^|]*)\|", page, re.MULTILINE))
    for flag in ("--debug", "--version"):
        assert f"`{flag}`" in sections["rethinkdc"]


def test_every_method_and_parameter_appears(pages: dict[str, str]) -> None:
    seen = 0
    for row in Registry().listing():
        if row.provider.distribution != OWN or row.status == "broken":
            continue
        page = pages[f"reference/{row.kind}s.md"]
        (section,) = re.findall(rf"^## {re.escape(row.name)}$\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        for key in row.method.fields() if row.method else ():
            assert f"| `{key}` |" in section, f"{row.name}: {key}"
            seen += 1
    assert seen > 300


def test_every_protocol_stands_whole_on_a_page_of_its_data(pages: dict[str, str]) -> None:
    shipped = {name for name in Registry().protocols.all() if group_of(name)}
    listed = set(re.findall(r"^\| \[`([^`]+)`\]", pages["reference/protocols.md"], re.MULTILINE))
    assert listed == shipped
    files = "".join(pages[f"reference/protocols-{group}.md"] for group in set(GROUPS.values()))
    assert {name for name in shipped if f'\nid = "{name}"\n' in files} == shipped


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_has_a_section(pages: dict[str, str], face: str) -> None:
    page = pages["reference/networks.md" if face == "models" else f"reference/{face}.md"]
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == list(import_module(FACES[face][0]).__all__)
    assert " at 0x" not in page


def test_every_hook_has_a_section(pages: dict[str, str]) -> None:
    found = {name for name, one in vars(hooks).items() if hasattr(one, "rethinkdc_spec")}
    assert set(re.findall(r"^## (\S+)$", pages["reference/hooks.md"], re.MULTILINE)) == found
    assert len(found) >= 5


def test_names_lead_to_their_sections(pages: dict[str, str]) -> None:
    names = sections_of(pages)
    assert names["pca"] == "reference/compressors.html#pca"
    assert names["run"] == "reference/commands.html#run"
    assert names["digits-hard"] == "reference/protocols-digits.html#digits-hard"
    assert names["Budget"] == "reference/contracts.html#budget"


def test_a_docstring_becomes_markdown() -> None:
    text = (
        "Returns ``x_y`` of a :class:`~a.b.Thing`.\n\nArgs:\n    first: of\n        two lines.\n\nSo::\n\n    x = 1\n"
    )
    assert as_markdown(text) == (
        "Returns `x_y` of a `Thing`.\n\n**Args**\n\n- `first`: of two lines.\n\nSo:\n\n```text\nx = 1\n```\n"
    )


def test_links_of_the_root_are_those_of_a_page() -> None:
    text = "[a](docs/pca.md#x) [b](SECURITY.md) ![c](docs/c.png) [d](https://e.org)"
    assert relinked(text) == "[a](pca.md#x) [b](security.md) ![c](c.png) [d](https://e.org)"


def test_an_anchor_is_what_the_pages_give_a_heading() -> None:
    assert [anchor(text) for text in ("Full disks", "dual-beta", "`a`, and b: c")] == [
        "full-disks",
        "dual-beta",
        "a-and-b-c",
    ]


def test_types_are_written_as_authors_write_them(pages: dict[str, str]) -> None:
    assert (
        "| `epochs` | `int \\| float \\| tuple[int \\| float, int \\| float] \\| None` |"
        in pages["reference/pruning.md"]
    )
    assert not [name for name, text in pages.items() if re.search(r"FieldInfo\(|NoneType|ForwardRef", text)]
