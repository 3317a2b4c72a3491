"""Which third parties' plugins are used: those that a user lets in, of packages that are made for this version."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from rethinkdc.errors import PluginError
from rethinkdc.registry import Registry
from rethinkdc.registry.permitted import PERMITTED, unmet
from rethinkdc.registry.verdict import LIMIT

Distribute = Callable[..., Registry]
pytestmark = pytest.mark.usefixtures("_unguarded")


@pytest.fixture
def _unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "0")


def statuses(registry: Registry) -> dict[str, tuple[str, str]]:
    rows = [row for row in registry.listing() if row.provider.distribution.startswith("acme-")]
    return {row.name: (row.status, row.reason) for row in rows}


def require(tmp_path: Path, name: str, wanted: str) -> None:
    with (tmp_path / "site" / f"acme_{name}-1.5.dist-info" / "METADATA").open("a") as about:
        about.write(f"Requires-Dist: {wanted}\n")


@pytest.mark.parametrize(
    ("permitted", "used"), [("acme-far,acme_near", {"far", "near"}), ("ACME.near", {"near"}), ("", set())]
)
def test_the_named_distributions_alone_are_let_in(
    permitted: str, used: set[str], distribute: Distribute, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribute(far="", near="", bad="raise AssertionError('it is imported')\n")
    monkeypatch.setenv(PERMITTED, permitted)
    registry = Registry()
    found = statuses(registry)
    assert {name for name, (status, _) in found.items() if status == "ok"} == used
    assert {status for name, (status, _) in found.items() if name not in used} == {"disabled"}
    assert "names " in found["bad"][1]
    with pytest.raises(PluginError, match=r"The plugin 'bad' of acme-bad 1\.5 is disabled: RETHINKDC_PLUGINS"):
        registry.build("compressor", "bad")
    assert registry.build("compressor", "random").name == "random"


def test_one_that_is_disabled_takes_no_name_from_another(
    distribute: Distribute, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv(PERMITTED, "")
    registry = distribute(random="")
    assert registry.find("compressor", "random").__module__.startswith("rethinkdc.")
    registry.check_unambiguous("compressor", "random")
    assert not [one for one in recwarn if "is provided by" in str(one.message)]


def test_a_name_that_nobody_has_is_told(distribute: Distribute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PERMITTED, "acme-far,acme-fra")
    with pytest.warns(UserWarning, match="names 'acme-fra', and no installed distribution of that name has plugins"):
        distribute(far="")


def test_a_package_that_is_made_for_another_version_is_not_imported(tmp_path: Path, distribute: Distribute) -> None:
    distribute(old="raise AssertionError('it is imported')\n", fit="")
    require(tmp_path, "old", "rethinkdc<1,>=0.5")
    require(tmp_path, "fit", "rethinkdc>=1.0")
    registry = Registry()
    told = f"it requires rethinkdc<1,>=0.5; installed is {version('rethinkdc')}"
    assert statuses(registry) == {"old": ("incompatible", told), "fit": ("ok", "")}
    with pytest.raises(PluginError, match="is not made for this version: it requires rethinkdc<1"):
        registry.build("compressor", "old")


@pytest.mark.parametrize(
    ("requirements", "met"),
    [
        ([], True),
        (["torch>=99", "rethinkdc"], True),
        (["RethinkDC>=99"], False),
        (["rethinkdc>=99; extra == 'far'"], True),
        (["rethinkdc>=99; python_version < '3'"], True),
        (["not a requirement at all", "rethinkdc >= 99"], False),
    ],
)
def test_what_a_package_requires_of_the_framework(requirements: list[str], met: bool) -> None:
    assert (unmet(requirements) == "") == met
