"""What third parties' packages may do besides registering one method each."""

from __future__ import annotations

import shutil
import sys
import warnings
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from rethinkdc.contracts.hooks import GROUP
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.registry.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "packaging" / "third_party" / "every_nth" / "acme_every_nth.py"
PROTOCOLS = """
from pathlib import Path
from rethinkdc.contracts import hookimpl

@hookimpl
def register_protocols():
    return [Path(__file__).parent / "experiments"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """On the path, with one module of each kind."""
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copy(PLUGIN, tmp_path / "foreign_method.py")
    (tmp_path / "foreign_protocols.py").write_text(PROTOCOLS)
    (tmp_path / "experiments").mkdir()
    for module in ("foreign_method", "foreign_protocols"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


def registry(**points: str) -> Registry:
    added = [EntryPoint(name=name, value=module, group=GROUP) for name, module in points.items()]
    return Registry([*entry_points(group=GROUP), *added])


def protocol(identity: str) -> str:
    shipped = (ROOT / "protocols" / "digits-hard.toml").read_text(encoding="utf-8")
    return shipped.replace('id = "digits-hard"', f'id = "{identity}"').replace("default = true", "default = false")


@pytest.mark.usefixtures("folder")
def test_two_entry_points_may_name_one_module() -> None:
    found = registry(first="foreign_method", second="foreign_method")
    assert found.build("compressor", "every-nth:n=3").name == "every-nth"
    assert found.build("compressor", "unknown/every-nth:n=3") == found.build("compressor", "every-nth:n=3")
    rows = [row for row in found.listing() if row.provider.distribution == "unknown"]
    assert [(row.name, row.status) for row in rows] == [("every-nth", "ok")]


@pytest.mark.usefixtures("folder")
def test_each_of_two_entry_points_of_one_module_finds_its_methods() -> None:
    for first, second in (("every-nth", "other"), ("other", "every-nth")):
        found = registry(**{first: "foreign_method", second: "foreign_method"})
        found.plugins.load_named("other")
        assert found.label(found.build("compressor", "every-nth:n=3")) == "every-nth:n=3"


def test_a_third_partys_protocol_stands_beside_the_shipped_ones(folder: Path) -> None:
    (folder / "experiments" / "own.toml").write_text(protocol("foreign-hard"))
    found = registry(foreign="foreign_protocols")
    shipped = set(registry().protocols.all())
    assert set(found.protocols.all()) == shipped | {"foreign-hard"}
    assert found.protocols.find("foreign-hard").digest == protocol_digest(found, "digits-hard", renamed="foreign-hard")


@pytest.mark.parametrize(
    ("text", "said"), [("id = ", "not valid TOML"), ("id = 3", "not a valid protocol"), (None, "is taken already")]
)
def test_a_third_partys_bad_protocol_is_left_out_with_a_warning(text: str | None, said: str, folder: Path) -> None:
    (folder / "experiments" / "bad.toml").write_text(protocol("digits-hard") if text is None else text)
    (folder / "experiments" / "good.toml").write_text(protocol("foreign-hard"))
    with pytest.warns(UserWarning, match=said):
        found = registry(foreign="foreign_protocols").protocols.all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = registry().protocols.all()
    assert set(found) == set(own) | {"foreign-hard"}
    assert found["digits-hard"] == own["digits-hard"]


def protocol_digest(found: Registry, identity: str, *, renamed: str) -> str:
    """The digest that a protocol would have under another id."""
    # Made anew: a copy would keep the digest of the original.
    content = found.protocols.find(identity).model_dump(mode="json")
    return Protocol.model_validate({**content, "id": renamed}).digest
