"""What is in the wheel is what is in the folders."""

from __future__ import annotations

import email
import importlib
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.contracts.hooks import RUN_EVENTS
from rethinkdc.registry.registry import Registry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
MAPPED = {"rethinkdc": "rethinkdc", "plugins": "rethinkdc/plugins", "protocols": "rethinkdc/protocols"}
PAGES = ROOT / "rethinkdc" / "pages"
"""Built pages of the documentation, where somebody has built them; of many kinds, and all shipped."""
SHIPPED = {".py", ".toml", ".typed", ".html", ".css", ".js", ".txt"}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def wanted_files() -> set[str]:
    """Every source and data file of the packages, by its name in the wheel."""
    found = set()
    for folder, target in MAPPED.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                told = f"{path.relative_to(ROOT)} is of a kind that no test knows to be shipped"
                assert path.suffix in SHIPPED or PAGES in path.parents, told
                found.add(f"{target}/{path.relative_to(ROOT / folder).as_posix()}")
    assert len(found) > 50
    return found


def entry_points() -> dict[str, str]:
    return dict(project()["project"]["entry-points"]["rethinkdc"])


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - metadata == wanted_files()
    assert "rethinkdc/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in metadata)


def test_the_files_in_the_wheel_are_those_in_the_folders(wheel: Path) -> None:
    archive, copied = zipfile.ZipFile(wheel), wheel.parent / "source"
    compared = 0
    for folder, target in MAPPED.items():
        for source in (copied / folder).rglob("*.*"):
            name = f"{target}/{source.relative_to(copied / folder).as_posix()}"
            if source.is_file() and source.suffix in SHIPPED:
                assert archive.read(name) == source.read_bytes(), name
                compared += 1
    assert compared > 50


def test_every_folder_with_an_init_is_listed_as_a_package() -> None:
    found = {
        ".".join([*target.split("/"), *path.parent.relative_to(ROOT / folder).parts])
        for folder, target in MAPPED.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    listed = project()["tool"]["setuptools"]["packages"]
    assert set(listed) == found
    assert len(listed) == len(set(listed))


def test_every_folder_of_modules_has_an_init() -> None:
    for folder in MAPPED:
        bare = {path.parent for path in (ROOT / folder).rglob("*.py") if not (path.parent / "__init__.py").exists()}
        assert not bare


def test_the_wheel_states_the_projects_version_entry_points_and_python(wheel: Path) -> None:
    archive, stated = zipfile.ZipFile(wheel), project()["project"]
    folder = f"rethinkdc-{stated['version']}.dist-info"
    metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
    assert metadata["Version"] == stated["version"]
    assert metadata["License-Expression"] == "Apache-2.0"
    systems = {line for line in metadata.get_all("Classifier", []) if line.startswith("Operating System")}
    assert systems == {"Operating System :: POSIX :: Linux", "Operating System :: MacOS"}
    assert set(metadata["Requires-Python"].split(",")) == {">=3.10", "<3.14"}
    assert set(metadata.get_all("Provides-Extra", [])) == set(stated["optional-dependencies"])
    points = ConfigParser(delimiters="=")
    points.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    points.read_string(archive.read(f"{folder}/entry_points.txt").decode())
    assert dict(points["rethinkdc"]) == entry_points()
    assert dict(points["console_scripts"]) == stated["scripts"]


def test_the_changelog_and_the_project_agree_on_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if line.startswith("## ["))
    assert first.startswith((f"## [{project()['project']['version']}]", "## [Unreleased]"))


def test_every_plugin_module_has_an_entry_point_and_every_entry_point_a_module() -> None:
    modules = {
        "rethinkdc.plugins." + ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts)
        for path in (ROOT / "plugins").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert set(entry_points().values()) == modules


@pytest.mark.parametrize(("name", "module"), sorted(entry_points().items()))
def test_an_entry_point_registers_a_method_of_its_own_name(name: str, module: str) -> None:
    """Of the others, ``protocols`` registers files and a tracker without parameters hears run events."""
    loaded = importlib.import_module(module)
    if name == "protocols":
        assert all(path.exists() for path in loaded.register_protocols())
    elif ".trackers." in module and not hasattr(loaded, "register_methods"):
        assert any(hasattr(loaded, event) for event in RUN_EVENTS)
    else:
        assert name in {method.name for method in loaded.register_methods()}


def test_the_installed_entry_points_are_those_of_the_project() -> None:
    """Fails after a change of the entry points until the checkout is installed again."""
    own = [plugin for plugin in Registry().plugins.installed if plugin.provider.distribution == "rethinkdc"]
    assert {plugin.entry_point.name: plugin.entry_point.value for plugin in own} == entry_points()
    assert {plugin.provider.version for plugin in own} == {project()["project"]["version"]}
