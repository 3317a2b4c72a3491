"""The house: its rooms in their order, no circle, and plugins that know the faces alone."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = sorted((ROOT / "tests" / "packaging" / "third_party").rglob("*.py"))

ROOMS = (
    "texts",
    "errors",
    "choices",
    "documents",
    "storage",
    "reference",
    "seeds",
    "types",
    "method",
    "metrics",
    "measurement",
    "notes",
    "interruption",
    "offline",
    "cores",
    "code",
    "process_state",
    "completion",
    "ranks",
    "statistics",
    "files",
    "data",
    "layouts",
    "row_files",
    "models",
    "views",
    "compressed",
    "training",
    "protocol",
    "contracts",
    "context",
    "pruning",
    "combination",
    "distillation",
    "labels",
    "evaluation",
    "registry",
    "runs",
    "studies",
    "preparation",
    "inspection",
    "sharing",
    "verification",
    "templates",
    "doctor",
    "boards",
    "evidence",
    "reports",
    "testing",
    "api",
    "cli",
    "__main__",
)
"""From the ground up: a file imports only from its own room and those before it."""

FACES = {"contracts", "pruning", "combination", "distillation", "labels", "evaluation", "data", "layouts", "models"}
"""What a plugin may import, each by its ``__all__``: the contracts, and the families."""

FAMILY = {
    "combination": "combination",
    "controls": "combination",
    "datasets": "data",
    "distillation": "distillation",
    "engines": "contracts",
    "evaluation": "evaluation",
    "labels": "labels",
    "models": "models",
    "pruning": "pruning",
    "random": "pruning",
    "teachers": "models",
    "trackers": "contracts",
}
"""Folder of plugins -> its family."""

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
            # "from rethinkdc.cli import tables" names a file in its list.
            modules = [
                f"{node.module}.{alias.name}" if is_file(f"{node.module}.{alias.name}") else node.module
                for alias in node.names
            ]
        for module in modules:
            if module.partition(".")[0] in ("rethinkdc", "plugins", "protocols"):
                yield Import(file, getattr(node, "lineno", 0), module, node in typing_only)


def room_of(module: str) -> str:
    """``rethinkdc.data.stratified`` lies in the room ``data``."""
    return module.split(".")[1]


def room_of_file(file: str) -> str:
    return Path(file).relative_to("rethinkdc").parts[0].removesuffix(".py")


def is_file(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or path.is_dir() or module.count(".") == 1


def file_of(module: str) -> str | None:
    """The file that an import reads; None for one that is no file of the core."""
    path = ROOT.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.exists():
            return file.relative_to(ROOT).as_posix()
    return None


def core_imports() -> list[Import]:
    return [found for path in source_files("rethinkdc") for found in imports_of(path)]


def test_no_room_bears_the_name_of_a_public_function() -> None:
    """Importing ``rethinkdc.rows`` would put the package where ``rdc.rows`` is the function."""
    public = importlib.import_module("rethinkdc")
    assert not {name for name in public.__all__ if callable(getattr(public, name))} & set(ROOMS)


def test_the_house_has_just_these_rooms() -> None:
    found = {room_of_file(path.relative_to(ROOT).as_posix()) for path in source_files("rethinkdc")} - {"__init__"}
    assert found == set(ROOMS)


def test_a_file_imports_only_from_its_own_room_and_those_before_it() -> None:
    """Imports for the type checker count as well: what has to be known of a thing is a dependency on it."""
    upward = [
        f"{found.file}:{found.line} imports {found.module}"
        for found in core_imports()
        if found.file != "rethinkdc/__init__.py"
        and ROOMS.index(room_of(found.module)) > ROOMS.index(room_of_file(found.file))
    ]
    assert not upward


def test_families_know_the_contracts_and_not_what_stands_behind_them() -> None:
    families = FACES - {"contracts", "data", "models"}
    behind = [
        found
        for found in core_imports()
        if found.file != "rethinkdc/__init__.py" and room_of(found.module) == "context"
    ]
    assert not [found for found in behind if room_of_file(found.file) in families]


def test_no_two_files_import_each_other_however_far_around() -> None:
    graph: dict[str, set[str]] = {}
    for path in source_files("rethinkdc"):
        file = path.relative_to(ROOT).as_posix()
        graph[file] = {target for found in imports_of(path) if (target := file_of(found.module))} - {file}
    assert len(graph) > 100
    graph["rethinkdc/__init__.py"] = set()
    for file in [name for name in graph if name.endswith("/__init__.py")]:
        # A package hands on the names of its own files, which never ask the package for them.
        graph[file] = {target for target in graph[file] if not target.startswith(file.removesuffix("__init__.py"))}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle of imports: {' -> '.join(error.args[1])}") from None


def test_a_file_never_asks_its_own_package_for_a_name() -> None:
    wrong = []
    for path in source_files("rethinkdc"):
        package = ".".join(path.relative_to(ROOT).parent.parts)
        if path.name == "__init__.py" or package == "rethinkdc":
            continue
        wrong += [f"{found.file}:{found.line}" for found in imports_of(path) if found.module == package]
    assert not wrong


def test_the_package_itself_imports_nothing_at_run_time() -> None:
    package = [found for found in imports_of(ROOT / "rethinkdc" / "__init__.py") if not found.typing_only]
    assert not package


def test_the_core_never_imports_a_plugin() -> None:
    wrong = [found for found in core_imports() if found.module.split(".")[:2][-1] in ("plugins", "protocols")]
    assert not wrong


@pytest.mark.parametrize("folder", sorted(FAMILY))
def test_a_plugin_imports_the_contracts_and_its_family(folder: str) -> None:
    """And where its method builds on another family, that one's face: never a module behind one."""
    files = [path for path in source_files(f"plugins/{folder}") if path.name != "__init__.py"]
    assert files
    for path in files:
        modules = {found.module for found in imports_of(path)}
        assert modules <= {f"rethinkdc.{face}" for face in FACES}, f"{path.name}: {sorted(modules)}"
        assert "rethinkdc.contracts" in modules, path.name


def test_every_folder_of_plugins_has_a_family() -> None:
    folders = {path.parent.name for path in source_files("plugins") if path.parent.name != "plugins"}
    assert folders == set(FAMILY)
    assert set(FAMILY.values()) <= FACES


def test_most_plugins_need_two_imports_of_the_framework() -> None:
    counts = [
        len({found.module for found in imports_of(path)})
        for path in source_files("plugins")
        if path.name != "__init__.py"
    ]
    assert sorted(counts)[int(len(counts) * 0.9)] <= 2


@pytest.mark.parametrize("file", [*FIXTURES, ROOT / "CONTRIBUTING.md"], ids=lambda file: file.name)
def test_a_stranger_needs_the_faces_alone(file: Path) -> None:
    """In packages of third parties, in what tests write as one, and in what CONTRIBUTING shows."""
    imports = re.findall(
        r"^(?:from (rethinkdc[\w.]*) import (.+)|import (rethinkdc[\w.]*))", file.read_text(), re.MULTILINE
    )
    known = {f"rethinkdc.{face}" for face in FACES} | {"rethinkdc.testing", "rethinkdc"}
    wrong = [line for line in imports if (line[0] or line[2]) not in known]
    assert not wrong


@pytest.mark.parametrize("face", sorted(FACES | {"testing"}))
def test_a_face_names_what_it_gives(face: str) -> None:
    module = importlib.import_module(f"rethinkdc.{face}")
    assert list(module.__all__) == sorted(
        module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)
    )
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert not name.startswith("_")


def test_plugins_take_only_names_that_a_face_gives() -> None:
    wrong = []
    for path in source_files("plugins"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rethinkdc."):
                given = importlib.import_module(node.module or "").__all__
                wrong += [f"{path.name}: {node.module}.{a.name}" for a in node.names if a.name not in given]
    assert not wrong


def test_the_page_on_the_architecture_names_only_what_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`((?:rethinkdc|plugins|protocols|tests|docs)/[\w./-]*)`", text))
    assert len(files) > 30
    assert not [name for name in sorted(files) if not (ROOT / name).exists()]
    # A function or class of a file, written as `file.py`: name.
    named = re.findall(r"`((?:rethinkdc|plugins)/[\w/]+\.py)`: ([\w.]+)", text)
    assert len(named) > 15
    for file, name in named:
        last = name.split(".")[-1]
        assert re.search(rf"^\s*(?:def|class) {last}\b", (ROOT / file).read_text(), re.MULTILINE), f"{file}: {name}"


def test_the_page_on_the_architecture_draws_the_rooms_as_they_stand() -> None:
    """Floor by floor from below, and from left to right: as far as the words are rooms, before what a floor is for."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn: list[str] = []
    for line in reversed(text.split("```text")[1].split("```")[0].splitlines()):
        for word in line.split():
            if word not in ROOMS:
                break
            drawn.append(word)
    assert tuple(drawn) == ROOMS


def test_what_the_command_line_prints_is_cleaned_in_one_place() -> None:
    """Texts of strangers reach a terminal through ``say`` or ``escape``; tables and data clean their cells."""
    printing = {"saying.py", "board_tables.py", "board_data.py", "student_tables.py", "parity_tables.py", "show.py"}
    for path in sorted((ROOT / "rethinkdc" / "cli").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        prints = [line for line in text.splitlines() if re.search(r"(?<![\w.])print\(|\becho\(|\bsecho\(", line)]
        assert path.name in printing or all("json.dumps" in line for line in prints), (path.name, prints)
        assert path.name == "text_table.py" or "rich.markup" not in text, path.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from rethinkdc.registry import Registry", ("rethinkdc.registry", False)),
        ("def late():\n    import rethinkdc.cli.main", ("rethinkdc.cli.main", False)),
        ("from rethinkdc import boards", ("rethinkdc.boards", False)),
        ("if TYPE_CHECKING:\n    from rethinkdc.contracts import Context", ("rethinkdc.contracts", True)),
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
