"""Commands beside third parties' plugins that should never have been installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest


class Done(Protocol):
    """How a command ended."""

    code: int
    out: str
    err: str


Install = Callable[[str, Mapping[str, str]], None]

METHOD = '''
from typing import ClassVar
from pydantic import Field
from rethinkdc.contracts import Compressor, Method, hookimpl

class Mine(Compressor):
    """[red]Not red[/red] \\x1b[31m nor this."""
    name: ClassVar[str] = "noisy"
    family: ClassVar[str] = "[bold]bold"
    n: int = Field(default=2, description="[dim]d")

    def compress(self, data, budget, context):
        raise NotImplementedError

@hookimpl
def register_methods() -> list[type[Method]]:
    return [Mine]
'''
NOISY = """
import atexit, os, sys, threading
print("printed at import")
atexit.register(print, "printed at the end")
atexit.register(os.write, 1, b"written at the end")
threading.Timer(0.05, print, ["printed later"]).start()
"""


def statuses(text: str) -> dict[str, str]:
    return {row["name"]: row["status"] for row in json.loads(text) if row["distribution"].startswith("acme")}


@pytest.fixture
def ending(install: Install) -> None:
    """A plugin that ends Python, by the name of its own and by that of a built-in."""
    install("acme-ends", {"ends": "import sys; sys.exit(0)", "random": "import os; os._exit(0)"})


@pytest.mark.usefixtures("ending")
@pytest.mark.filterwarnings("ignore:The plugin name")
def test_a_plugin_that_ends_python_ends_no_command(cli: Callable[..., Done]) -> None:
    listed = cli("list-plugins", "--json")
    assert listed.code == 0
    assert statuses(listed.out) == {"ends": "broken", "random": "broken"}
    table = cli("list-plugins").out
    assert "it calls sys.exit(0) when it is imported" in " ".join(table.split())
    assert "acme-ends 1.0, module acme_ends_ends" in " ".join(table.split())
    for words in (["run", "-d", "digits", "-c", "ends"], ["show", "ends"]):
        asked = cli(*words)
        assert (asked.code, asked.out) == (2, "")
        assert "The plugin 'ends' of acme-ends 1.0 is broken: it calls sys.exit(0)" in asked.err
        assert "`pip uninstall acme-ends`" in asked.err
        assert "Traceback" not in asked.err
    unknown = cli("run", "-d", "digits", "-c", "nobody-has-this")
    assert (unknown.code, unknown.out) == (2, "")
    assert "Unknown compressor 'nobody-has-this'" in unknown.err
    assert cli("show", "random").code == 0


def test_json_is_all_that_stdout_holds_whatever_a_plugin_prints_and_when(tmp_path: Path, install: Install) -> None:
    install("acme-noisy", {"noisy": NOISY + METHOD})
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "site-acme-noisy"), os.environ.get("PYTHONPATH", "")]),
        "RETHINKDC_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "rethinkdc", "list-plugins", "--json"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert statuses(done.stdout) == {"noisy": "ok"}
    assert "'noisy' of acme-noisy 1.0 prints 18 bytes when it is imported: printed at import" in done.stderr
    for words in ("printed later", "printed at the end", "written at the end"):
        assert words in done.stderr


def test_texts_of_plugins_are_shown_as_texts(tmp_path: Path, install: Install, cli: Callable[..., Done]) -> None:
    install("acme-noisy", {"noisy": METHOD})
    (about,) = tmp_path.glob("site-acme-noisy/*/METADATA")
    about.write_text("Metadata-Version: 2.1\nName: acme-[b]noisy\nVersion: 1.0\x1b[31m\n")
    for words in (["list-plugins", "--kind", "compressor"], ["show", "noisy"]):
        shown = " ".join(cli(*words).out.split())
        assert "[red]Not red[/red] ⟨001B⟩[31m nor this." in shown
        assert "[bold]bold" in shown
        assert "acme-[b]noisy 1.0⟨001B⟩[31m" in shown
        assert "\x1b" not in shown


def test_help_asks_no_plugin(tmp_path: Path, install: Install) -> None:
    install("acme-late", {"late": "open('imported', 'w').close()"})
    code = """
import sys
from rethinkdc.cli.main import main
try:
    main()
except SystemExit:
    print([name for name in sys.modules if name.startswith("rethinkdc.registry") or name == "torch"])
"""
    path = os.pathsep.join([str(tmp_path / "site-acme-late"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert not (tmp_path / "imported").exists()
