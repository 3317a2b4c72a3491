"""The identity of code: what is done counts, how it is written does not; nothing is imported to find out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, PathDistribution, entry_points
from pathlib import Path

import pytest

from rethinkdc.code import Code, read_code

METHOD = '''
"""About the module."""
from acme_pack.maths import double


class Twice:
    """Doubles."""

    times: int = 2

    def work(self, value):
        """Gives twice."""
        # A comment.
        return double(value) + self.times
'''
MATHS = "def double(value):\n    return value * 2\n"


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Code]:
    """The code of a package of these files; each of its modules would raise if it were imported."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def reading(**files: str) -> Code:
        for name, text in {"__init__": "", "method": METHOD, "maths": MATHS, **files}.items():
            path = tmp_path / "acme_pack" / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        code = read_code(EntryPoint("twice", "acme_pack.method", "rethinkdc"))
        assert not [name for name in sys.modules if name.startswith("acme_pack")]
        return code

    return reading


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# A comment.", "# Another one,\n        # longer."),
        ('"""About the module."""', ""),
        ('"""Gives twice."""', '"""Gives twice as much."""'),
        ('"""Doubles."""', '"""Doubles."""\n'),
        ("double(value) + self.times", "(double( value )\n            + self.times)"),
    ],
)
def test_how_it_is_written_does_not_count(before: str, after: str, read: Callable[..., Code]) -> None:
    assert read(method=METHOD.replace(before, after)).digest == read().digest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("times: int = 2", "times: int = 3"),
        ("2", "2.0"),
        ("+ self", "- self"),
        ("times", "factor"),
        ("value)", "value=1)"),
    ],
)
def test_what_is_done_counts(before: str, after: str, read: Callable[..., Code]) -> None:
    assert read(method=METHOD.replace(before, after)).digest != read().digest


@pytest.mark.parametrize(
    "line",
    [
        "from acme_pack.maths import double",
        "from acme_pack import maths",
        "from .maths import double",
        "from . import maths",
        "import acme_pack.maths",
        "def work():\n    from acme_pack import maths",
        "from importlib import import_module\nimport_module('acme_pack.maths')",
        "import importlib\nimportlib.import_module('.maths', 'acme_pack')",
        "__import__('acme_pack.maths')",
    ],
)
def test_what_it_imports_of_its_own_counts_too(line: str, read: Callable[..., Code]) -> None:
    code = read(method=line)
    assert (code.modules, code.unseen) == (("acme_pack.method", "acme_pack", "acme_pack.maths"), ())
    assert read(method=line, maths=MATHS.replace("2", "3")).digest != code.digest
    assert read(method=line, other="anything = 1").digest == read(method=line).digest


def test_modules_count_through_others_and_in_circles(read: Callable[..., Code]) -> None:
    code = read(maths="from acme_pack import far, method\n", far="from acme_pack.nowhere import x\n")
    assert code.modules[0] == "acme_pack.method"
    assert set(code.modules) == {"acme_pack", *(f"acme_pack.{name}" for name in ("method", "maths", "far"))}
    deep = {"maths": "from acme_pack.deep import er\n", "deep__in____init__": "", "deep__in__er": "x = 1\n"}
    assert {"acme_pack.deep", "acme_pack.deep.er"} <= set(read(**deep).modules)
    assert read(**deep).digest != read(**{**deep, "deep__in__er": "x = 2\n"}).digest


def test_what_runs_before_a_module_counts(read: Callable[..., Code]) -> None:
    assert read(__init__="import torch\ntorch.set_flush_denormal(True)\n").digest != read(__init__="").digest


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("import importlib\nimportlib.import_module(name)", "line 2: import_module"),
        ("exec(text)", "line 1: exec"),
        ("eval(text)", "line 1: eval"),
        ("__import__(name)", "line 1: __import__"),
    ],
)
def test_what_cannot_be_seen_is_told(line: str, place: str, read: Callable[..., Code]) -> None:
    assert read(method=line).unseen == (f"acme_pack.method, {place}",)


def test_a_network_in_evaluation_mode_runs_no_text(read: Callable[..., Code]) -> None:
    assert read(method="network.eval()").unseen == ()


@pytest.mark.parametrize("content", ["def (", "x = 'half\n", "\0"])
def test_of_what_is_no_python_the_bytes_count(content: str, read: Callable[..., Code]) -> None:
    assert read(maths=content).digest == read(maths=content).digest != read(maths=f"{content} ").digest


def test_a_module_beside_a_single_one_is_of_the_same_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the distribution's list; where it lists none, as an editable one does not, by their folder."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "acme_single.py").write_text("import acme_beside, acme_stranger\n")
    for name in ("acme_beside", "acme_stranger"):
        (tmp_path / f"{name}.py").write_text("x = 1\n")
    about = tmp_path / "acme_single-1.0.dist-info"
    about.mkdir()
    (about / "RECORD").write_text("acme_single.py,,\nacme_beside.py,,\nacme_single-1.0.dist-info/RECORD,,\n")
    point = EntryPoint("single", "acme_single", "rethinkdc")
    listed = EntryPoint("single", "acme_single", "rethinkdc")
    vars(listed)["dist"] = PathDistribution(about)
    assert read_code(point).modules == ("acme_single", "acme_beside", "acme_stranger")
    assert read_code(listed).modules == ("acme_single", "acme_beside")


def test_a_method_of_the_framework_is_its_file_and_its_families() -> None:
    points = {point.name: point for point in entry_points(group="rethinkdc")}
    codes = {name: read_code(points[name]) for name in ("pca", "el2n", "hard")}
    assert len({code.digest for code in codes.values()}) == 3
    assert "rethinkdc.combination.combination" in codes["pca"].modules
    assert "rethinkdc.pruning" in codes["el2n"].modules
    rooms = {name.split(".")[1] for code in codes.values() for name in code.modules}
    assert rooms <= {"plugins", "pruning", "combination", "distillation", "labels", "evaluation"}
