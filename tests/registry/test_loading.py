"""A name that is asked for loads the plugins that it names, and no others."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from rethinkdc.contracts.hooks import GROUP
from rethinkdc.method import Method
from rethinkdc.registry import Registry
from rethinkdc.registry.describing import TRACKER

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "contract" / "files"
POINTS = list(entry_points(group=GROUP))
INSTALLED = Registry(POINTS)
METHODS = [(row.kind, row.name) for row in INSTALLED.listing() if row.kind != TRACKER]
SCORES = [name for kind, name in METHODS if kind == "score"]
REQUIRED = {
    ("compressor", "select"): "score=el2n,direction=easy",
    ("compressor", "combine"): "select=[aum:direction=hard]",
    ("compressor", "rows"): f'path="{FILES / "rows.csv"}"',
    ("score", "file"): f'path="{FILES / "scores.csv"}"',
    ("teacher", "checkpoint"): f'path="{FILES / "teacher.safetensors"}",model=convnet',
    ("teacher", "timm"): "id=resnet18.a1_in1k",
    ("teacher", "torchvision"): "id=resnet18",
}
NESTED = [
    ("compressor", "pca:score=[aum:space=prob]"),
    ("compressor", "combine:select=[tdds:direction=middle],grid=3"),
    ("compressor", "combine:select=[select:score=[el2n:epochs=2],direction=easy]"),
    ("compressor", "ccs:score=el2n,cut_by=forgetting"),
    ("compressor", f'd2:scores="{FILES / "scores.csv"}"'),
    ("compressor", "rethinkdc/pca:score=rethinkdc/el2n"),
    ("compressor", "sre2l:teacher=[trained:model=[resnet-light]]"),
    ("compressor", "dm:network=timm/resnet18"),
    ("compressor", "gvbsm:teachers=[trained,timm/resnet18.a1_in1k]"),
    ("labeler", "soft:teachers=[torchvision/resnet18,trained:model=resnet18-3x3]"),
    ("model", "timm/resnet18"),
    ("model", "torchvision/resnet18"),
    ("teacher", "timm/resnet18.a1_in1k"),
    ("dataset", "somebody/photos"),
    ("dataset", str(FILES)),
]


def spelled(kind: str, name: str) -> str:
    """A reference with the parameters that have no default."""
    values = REQUIRED.get((kind, name.removeprefix("rethinkdc/")))
    return f"{name}:{values}" if values else name


def cases() -> list[tuple[str, str]]:
    bare = [(kind, spelled(kind, name)) for kind, name in METHODS]
    full = [(kind, spelled(kind, f"rethinkdc/{name}")) for kind, name in METHODS]
    compressors = {name for kind, name in METHODS if kind == "compressor"}
    selected = [name for name in SCORES if name not in compressors]
    values = {name: REQUIRED.get(("score", name), "") for name in selected}
    short = [
        ("compressor", f"{prefix}{name}:{','.join(filter(None, [values[name], 'direction=easy']))}")
        for name in selected
        for prefix in ("", "rethinkdc/")
    ]
    return [*bare, *full, *short, *NESTED]


def named(method: Method) -> set[str]:
    """The entry points of a method and of all that its parameters, defaults too, name."""
    inner = [INSTALLED.build(kind, reference) for _, kind, reference in method.references() if reference]
    external = method.name in ("folder", "hub") or (method.kind == "model" and method.name in ("timm", "torchvision"))
    return set().union(*map(named, inner)) | (set() if external else {method.name})


def loaded(registry: Registry) -> set[str]:
    return {plugin.name for plugin in registry.plugins.installed if plugin.loaded}


def test_the_cases_are_of_every_kind_and_every_method() -> None:
    assert len(METHODS) > 60
    assert len(cases()) > 2 * len(METHODS)


@pytest.mark.parametrize(("kind", "text"), cases())
def test_only_what_is_named_is_loaded(kind: str, text: str) -> None:
    expected = named(INSTALLED.build(kind, text))
    assert len(expected) < 6
    fresh = Registry(POINTS)
    fresh.check_unambiguous(kind, text)
    # What is left to a default is not looked at.
    assert loaded(fresh) <= expected
    fresh = Registry(POINTS)
    method = fresh.build(kind, text)
    assert loaded(fresh) <= expected
    for describe in (Registry.label, Registry.definition, Registry.reference, lambda known, it: known.used([it])):
        fresh = Registry(POINTS)
        describe(fresh, method)
        assert loaded(fresh) <= expected


def test_a_command_imports_the_plugins_that_it_names(tmp_path: Path) -> None:
    """Beside them all that the protocol names, which is checked first, and ``random``, which results stand beside."""
    words = [
        "run",
        "-d",
        "digits",
        "-c",
        "el2n:direction=easy",
        "--set",
        "training.steps=5",
        "--set",
        "proxy.training.epochs=2",
    ]
    words += ["--set", "proxy.scores.el2n.epochs=1", "--cache-dir", str(tmp_path / "cache"), "--tracker", "jsonl"]
    code = f"""
import sys
from rethinkdc.cli.main import main
sys.argv = ["rethinkdc", *{words!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n".join(name for name in sys.modules if name.startswith("rethinkdc.plugins.")))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    points = {plugin.name: plugin.entry_point.value for plugin in INSTALLED.plugins.installed}
    # Folders of plugins are imported with them.
    imported = set(done.stdout.splitlines()) & set(points.values())
    protocol = INSTALLED.protocols.find("digits-hard")
    models = {
        INSTALLED.build("model", reference).name
        for reference in (protocol.student.model, protocol.proxy_recipe().model)
    }
    names = {"el2n", "select", "hard", "standard", "digits", "jsonl", "random", *models, *protocol.proxy_scores}
    assert imported == {points[name] for name in (*names, "trained", "protocols")}
