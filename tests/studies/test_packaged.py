"""Studies and protocols of packages: what ``new-plugin --kind protocol`` writes, installed as pip does it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rethinkdc.cli.main import app
from rethinkdc.contracts.hooks import GROUP
from rethinkdc.errors import RequestError
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.packaged import packaged_studies
from rethinkdc.studies.reading import load_study
from rethinkdc.templates import KINDS, name_package, write_package

Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Writes the package of a protocol of some name, and the metadata that make it an installed one."""
    monkeypatch.setenv("RETHINKDC_PLUGIN_SECONDS", "0")
    packages: list[str] = []

    def installed(name: str) -> Path:
        naming = name_package(name)
        folder = write_package(naming, KINDS["protocol"], tmp_path / name, "me").folder
        about = folder / f"{naming.package}-0.1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {naming.distribution}\nVersion: 0.1.0\n")
        (about / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {naming.package}\n")
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        packages.append(naming.package)
        return folder / naming.package / "protocols"

    yield installed
    for package in packages:
        sys.modules.pop(package, None)


def test_a_packages_study_is_found_by_both_names(install: Install) -> None:
    place = install("mine")
    assert packaged_studies() == {"rethinkdc-mine/mine": place / "studies" / "mine.toml"}
    assert load_study("mine") == load_study("rethinkdc-mine/mine")
    assert load_study("mine").protocol == "mine"
    with pytest.raises(RequestError, match="Did you mean 'mine'"):
        load_study("mime")


def test_a_bare_name_of_two_packages_is_nobodys_and_a_shipped_one_stays(install: Install) -> None:
    one, other = install("one"), install("other")
    for place, title in ((one, "first"), (other, "second")):
        for name in ("same", "digits-small"):
            (place / "studies" / f"{name}.toml").write_text(f'title = "{title}"\ncompressors = ["random"]\n')
    assert load_study("rethinkdc-other/same").title == "second"
    with pytest.raises(RequestError, match="Unknown study 'same'"):
        load_study("same")
    assert load_study("digits-small").title not in ("first", "second")
    assert load_study("rethinkdc-one/digits-small").title == "first"


def test_a_packages_protocol_extends_a_shipped_one_before_its_digest(install: Install) -> None:
    place = install("mine")
    protocols = Registry().protocols
    found, shipped = protocols.find("mine"), protocols.find("digits-hard")
    assert found == protocols.find(str(place / "mine.toml"))
    assert found.model_dump(exclude={"id", "summary", "status", "sources", "default", "default_ipc", "training"}) == (
        shipped.model_dump(exclude={"id", "summary", "status", "sources", "default", "default_ipc", "training"})
    )
    whole = shipped.override({"training.batch": 32, "training.steps": {"1": 600, "10": 1200, "50": 2400}})
    assert found.training == whole.training
    assert "mine" in protocols.all()


def test_the_list_has_them_and_leaves_a_bad_one_out_with_the_reason(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    place = install("mine")
    (place / "studies" / "bad.toml").write_text("compressors = 3\n")
    with pytest.warns(UserWarning, match="rethinkdc-mine/bad is left out"):
        app(["list-studies", "--json"], standalone_mode=False)
    names = {study["name"] for study in json.loads(capsys.readouterr().out)}
    assert {"rethinkdc-mine/mine", "digits-small"} <= names
    assert "rethinkdc-mine/bad" not in names
