"""The layers: a module imports only from those left of it, plugins only the core's public face."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    "errors",
    "storage",
    "ranks",
    "memory",
    "method",
    "types",
    "data",
    "views",
    "models",
    "training",
    "metrics",
    "compressed",
    "preview",
    "labels",
    "selection",
    "inversion",
    "protocol",
    "real_images",
    "cache",
    "accounts",
    "full_training",
    "proxy",
    "teachers",
    "context",
    "contracts",
    "student",
    "labelers",
    "combination",
    "stitching",
    "gathering",
    "recovering",
    "inverting",
    "statistical_matching",
    "gradient_matching",
    "selector",
    "pooled",
    "dynamics",
    "hookspecs",
    "discovery",
    "registry",
    "records",
    "boards",
    "environment",
    "request",
    "runner",
    "machine",
    "sharing",
    "study",
    "sweeps",
    "api",
    "testing",
    "progress",
    "cli",
    "__main__",
)

# Not for plugins: what finds them, runs them and shows them.
INNER = {
    "discovery",
    "registry",
    "request",
    "runner",
    "machine",
    "sharing",
    "study",
    "sweeps",
    "api",
    "records",
    "boards",
    "cache",
    "ranks",
    "environment",
    "progress",
    "cli",
    "testing",
}

# Imports to the right that are for the type checker alone, with what they type. No others are allowed.
TYPING_ONLY = {
    ("rethinkdc/__init__.py", "rethinkdc.api"): "the lazily imported public names",
    ("rethinkdc/__init__.py", "rethinkdc.contracts.hooks"): "the lazily imported public names",
    ("rethinkdc/__init__.py", "rethinkdc.runs.records"): "the lazily imported public names",
    ("rethinkdc/__init__.py", "rethinkdc.types"): "the lazily imported public names",
}

VAGUE = {"utils", "util", "helper", "helpers", "misc", "args", "common", "manager", "net", "syn", "dst", "tile"}


class Import(NamedTuple):
    file: str
    line: int
    module: str
    typing_only: bool


def source_files(*folders: str) -> list[Path]:
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found, f"no source files below {folders}"
    return found


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a rethinkdc module, also those inside functions, and whether only the type checker sees it."""
    file = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively; write the whole name"
            assert node.module is not None
            # "from rethinkdc import hookspecs" names a layer in its list.
            whole = node.module in ("rethinkdc", "rethinkdc.plugins")
            modules = [f"{node.module}.{alias.name}" for alias in node.names] if whole else [node.module]
        for module in modules:
            if module.partition(".")[0] in ("rethinkdc", "plugins", "protocols"):
                yield Import(file, getattr(node, "lineno", 0), module, node in typing_only)


def layer_of(module: str) -> str:
    """``rethinkdc.data.stratified`` lies in the layer ``data``."""
    return module.split(".")[1]


def layer_of_file(file: str) -> str:
    return Path(file).relative_to("rethinkdc").parts[0].removesuffix(".py")


def core_imports() -> list[Import]:
    return [found for path in source_files("rethinkdc") for found in imports_of(path)]


def plugin_imports() -> list[Import]:
    return [found for path in source_files("plugins", "protocols") for found in imports_of(path)]


def test_every_module_of_the_core_has_a_layer() -> None:
    found = {layer_of_file(path.relative_to(ROOT).as_posix()) for path in source_files("rethinkdc")} - {"__init__"}
    assert found == set(LAYERS)


def test_a_module_imports_only_from_its_own_layer_and_those_before_it() -> None:
    wrong = []
    for found in core_imports():
        if found.typing_only or found.file == "rethinkdc/__init__.py":
            continue
        here, there = layer_of_file(found.file), layer_of(found.module)
        if LAYERS.index(there) > LAYERS.index(here):
            wrong.append(f"{found.file}:{found.line} imports {found.module}")
    assert not wrong


def test_imports_for_the_type_checker_alone_go_to_the_right_only_where_listed() -> None:
    upward = {}
    for found in core_imports():
        if not found.typing_only:
            continue
        here = layer_of_file(found.file)
        if here == "__init__" or LAYERS.index(layer_of(found.module)) > LAYERS.index(here):
            upward[found.file, found.module] = found.line
    assert upward.keys() == TYPING_ONLY.keys()


def test_the_package_itself_imports_nothing_at_run_time() -> None:
    package = [found for found in imports_of(ROOT / "rethinkdc" / "__init__.py") if not found.typing_only]
    assert not package


def test_the_core_never_imports_a_plugin() -> None:
    wrong = [found for found in core_imports() if found.module.split(".")[:2][-1] in ("plugins", "protocols")]
    assert not wrong


def test_plugins_import_the_public_face_only_and_never_another_plugin() -> None:
    found = plugin_imports()
    assert {layer_of(item.module) for item in found} <= set(LAYERS) - INNER
    private = [item for item in found if any(part.startswith("_") for part in item.module.split("."))]
    assert not private


def test_no_import_of_a_private_name_crosses_a_module() -> None:
    wrong = []
    for path in source_files("rethinkdc", "plugins", "protocols"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rethinkdc"):
                wrong += [f"{path.name}: {alias.name}" for alias in node.names if alias.name.startswith("_")]
    assert not wrong


def test_no_module_has_a_vague_name() -> None:
    parts = {
        part.removesuffix(".py")
        for path in source_files("rethinkdc", "plugins", "protocols")
        for part in path.relative_to(ROOT).parts
    }
    assert not parts & VAGUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from rethinkdc.registry.registry import Registry", ("rethinkdc.registry.registry", False)),
        ("def late():\n    import rethinkdc.cli.main", ("rethinkdc.cli.main", False)),
        ("from rethinkdc import hookspecs", ("rethinkdc.contracts.hooks", False)),
        ("if TYPE_CHECKING:\n    from rethinkdc.context.context import Context", ("rethinkdc.context.context", True)),
        ("if typing.TYPE_CHECKING:\n    x = 1\nelse:\n    import rethinkdc.api", ("rethinkdc.api", False)),
        ("from plugins.random import full", ("plugins.random", False)),
    ],
)
def test_every_form_of_import_is_seen(
    text: str, expected: tuple[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards the tests above: an import that is not seen is never wrong."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "module.py").write_text(text)
    (found,) = imports_of(tmp_path / "module.py")
    assert (found.module, found.typing_only) == expected
