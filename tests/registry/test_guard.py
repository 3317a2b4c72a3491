"""Third parties' plugins that do at import what no plugin should: each is named, and none is felt."""

from __future__ import annotations

import ctypes
import locale
import logging
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F

from rethinkdc import seeds
from rethinkdc.errors import PluginError, RequestError
from rethinkdc.registry import Listed, Registry, guard
from rethinkdc.registry.verdict import LIMIT

Distribute = Callable[..., Registry]

BAD = {
    "exits": ("import sys; sys.exit(0)", "it calls sys.exit(0) when it is imported"),
    "says": ("import sys; sys.exit('no licence')", "it calls sys.exit('no licence') when it is imported"),
    "ends": ("import os; os._exit(0)", "it ends Python with exit code 0 when it is imported"),
    "fails": ("import os; os._exit(3)", "it ends Python with exit code 3 when it is imported"),
    "late": ("import atexit, os; atexit.register(os._exit, 4)", "it ends Python with exit code 4 when it is imported"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "its import is ended by signal 11 (SIGSEGV)"),
    "aborts": ("import os; os.abort()", "its import is ended by signal 6 (SIGABRT)"),
    "kills": ("import os; os.kill(os.getpid(), 9)", "its import is ended by signal 9 (SIGKILL)"),
    "group": ("import os; os.killpg(0, 9)", "its import is ended by signal 9 (SIGKILL)"),
    "stops": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "asks": ("input('licence key: ')", "nobody can answer what it asks for"),
    "floods": ("while True: print('x' * 100_000)", "it prints more than 16,777,216 bytes when it is imported"),
    "wild": ("class Odd(BaseException):\n    def __str__(self): raise self\nraise Odd", "Odd"),
    "watch": ("import os; os.kill(os.getppid(), 9)", "its import ends, or stops, the process that watches over it"),
}
if sys.platform == "linux":
    BAD["greedy"] = ("x = bytearray(1 << 40)", "MemoryError")
HANGING = {
    "loops": "while True: pass",
    "sleeps": "import time; time.sleep(10_000)",
    "ignores": "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(10_000)",
    "thread": "import threading, time; threading.Thread(target=time.sleep, args=(10_000,)).start()",
    "goes_on": "import atexit, time; atexit.register(time.sleep, 10_000)",
}


def third_parties(registry: Registry) -> dict[str, Listed]:
    return {row.name: row for row in registry.listing() if row.provider.distribution != "rethinkdc"}


def unasked(*_: object, **__: object) -> None:
    raise AssertionError("a process was asked, though the verdicts are remembered")


def test_whatever_ends_its_process_is_listed_with_the_reason_and_breaks_nothing_else(distribute: Distribute) -> None:
    registry = distribute(good="", **{name: source for name, (source, _) in BAD.items()})
    rows = third_parties(registry)
    assert {name: row.status for name, row in rows.items()} == {"good": "ok", **dict.fromkeys(BAD, "broken")}
    for name, (_, reason) in BAD.items():
        assert reason in rows[name].reason, name
        assert (str(rows[name].provider), rows[name].module) == (f"acme-{name} 1.5", f"acme_{name}")
    assert registry.build("compressor", "good").name == "good"
    with pytest.raises(PluginError) as asked:
        registry.build("compressor", "fails")
    assert str(asked.value) == (
        "The plugin 'fails' of acme-fails 1.5 is broken: it ends Python with exit code 3 when it is imported. It is "
        "the module acme_fails: mend it, or remove it with `pip uninstall acme-fails`; after an upgrade of it, run "
        "again."
    )


def test_a_plugin_that_hangs_is_ended_after_the_limit(distribute: Distribute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "1")
    hooks = "import time\nfrom rethinkdc.contracts import hookimpl\n"
    rows = third_parties(
        distribute(**HANGING, hook=hooks + "@hookimpl\ndef register_protocols(): time.sleep(10_000)\n")
    )
    assert set(rows) == {*HANGING, "hook"}
    for row in rows.values():
        assert row.status == "broken"
        assert re.search(r"within 1 s|longer than 1 s", row.reason), row
        assert f"({LIMIT}=2 gives it longer)" in row.reason


def statuses(registry: Registry) -> dict[str, str]:
    return {name: row.status for name, row in third_parties(registry).items()}


def test_verdicts_are_remembered_until_the_plugin_or_what_is_installed_changes(
    distribute: Distribute, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {"one": "ok", "two": "broken"}
    assert statuses(distribute(one="", two="import os; os._exit(3)")) == expected
    with monkeypatch.context() as patched:
        patched.setattr(guard._Server, "ask", unasked)
        assert statuses(Registry()) == expected
        for change in ("import os; os._exit(4)", ""):
            with pytest.raises(AssertionError, match="a process was asked"):
                distribute(two=change).listing()
        with pytest.raises(AssertionError, match="a process was asked"):
            distribute(two="import os; os._exit(3)", another="").listing()
    assert statuses(distribute(two="")) == {"one": "ok", "two": "ok", "another": "ok"}


def test_a_plugin_that_changes_after_it_was_judged_is_judged_again(
    distribute: Distribute, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, judge = distribute(one=""), guard.Guard.judge

    def late(self: guard.Guard, *given: Any, **more: Any) -> list[guard.Judged]:
        judged = judge(self, *given, **more)
        monkeypatch.setattr(guard.Guard, "judge", judge)
        distribute(one="import os; os._exit(3)")
        return judged

    monkeypatch.setattr(guard.Guard, "judge", late)
    assert statuses(registry) == {"one": "broken"}


def test_what_is_remembered_of_a_broken_plugin_is_not_believed_by_who_asks_for_it(
    distribute: Distribute, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import os\nif 'ACME_KEY' not in os.environ: raise KeyError('ACME_KEY')\n"
    assert statuses(distribute(needy=source)) == {"needy": "broken"}
    monkeypatch.setenv("ACME_KEY", "given")
    assert statuses(Registry()) == {"needy": "broken"}
    assert Registry().build("compressor", "needy").name == "needy"
    assert statuses(Registry()) == {"needy": "ok"}


def test_a_longer_limit_is_tried(distribute: Distribute, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'ready')!r}).exists(): time.sleep(0.01)\n"
    monkeypatch.setenv(LIMIT, "0.5")
    assert statuses(distribute(slow=source)) == {"slow": "broken"}
    (tmp_path / "ready").touch()
    assert statuses(Registry()) == {"slow": "broken"}
    monkeypatch.setenv(LIMIT, "30")
    assert statuses(Registry()) == {"slow": "ok"}


def test_a_cache_that_cannot_be_written_changes_nothing_but_time(
    distribute: Distribute, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RETHINKDC_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        assert statuses(distribute(one="", two="import os; os._exit(3)")) == {"one": "ok", "two": "broken"}


def test_a_damaged_verdict_is_found_anew(distribute: Distribute, tmp_path: Path) -> None:
    assert statuses(distribute(two="import os; os._exit(3)")) == {"two": "broken"}
    (kept,) = (tmp_path / "own-cache" / guard.BOOK).iterdir()
    kept.write_bytes(kept.read_bytes()[:-9] + b"x" * 9)
    assert statuses(Registry()) == {"two": "broken"}


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "inf"])
def test_the_limit_must_be_a_number_of_seconds(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, given)
    with pytest.raises(RequestError, match=f"{LIMIT} must be a number of seconds.*found '{given}'"):
        guard.limit()


def test_where_no_process_can_be_started_plugins_are_refused_with_what_to_do(
    distribute: Distribute, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = distribute(good="")
    monkeypatch.setattr(guard, "_server", lambda _: guard._Server())
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    (row,) = third_parties(registry).values()
    assert "no process could be started" in row.reason
    assert f"{LIMIT}=0" in row.reason
    monkeypatch.setenv(LIMIT, "0")
    assert statuses(Registry()) == {"good": "ok"}


def test_one_that_was_idle_and_is_ending_is_replaced(distribute: Distribute, monkeypatch: pytest.MonkeyPatch) -> None:
    server = guard._Server()
    monkeypatch.setattr(guard, "_server", lambda _: server)
    # It lives, and gives no answer any more.
    server._process = subprocess.Popen(
        [sys.executable, "-S", "-c", "import os, time; os.close(1); time.sleep(600)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert statuses(distribute(good="")) == {"good": "ok"}


# -- what hooks answer -------------------------------------------------------------------------------------------------

HOOKED = """
from typing import ClassVar
from pydantic import Field
from rethinkdc.contracts import Compressor, hookimpl

class Mine(Compressor):
    DOC
    name: ClassVar[str] = "mine"
    MORE

@hookimpl
def register_methods():
    ANSWER

@hookimpl
def register_protocols():
    PLACES
"""
RUBBISH = {
    "raising": ({"ANSWER": "raise ValueError('no such file')"}, "ValueError: no such file"),
    "leaving": ({"ANSWER": "raise SystemExit(7)"}, "it calls sys.exit(7) when it is imported"),
    "nothing": ({"ANSWER": "return 5"}, "register_methods must return a list, found 5"),
    "numbers": ({"ANSWER": "return [5]"}, "5 is not a subclass of rethinkdc's Method"),
    "places": ({"PLACES": "return [5]"}, "register_protocols must return paths, found 5"),
    "schema": (
        {"MORE": "@classmethod\n    def model_json_schema(cls): raise TypeError('no schema')"},
        "Mine cannot be described: TypeError: no schema",
    ),
    "unknown": (
        {"MORE": "at: type(lambda: 1) | None = Field(default=None, description='d')"},
        "PydanticSchemaGenerationError",
    ),
    "doc": ({"DOC": "__doc__ = 5"}, "Mine cannot be described: AttributeError"),
    "family": ({"MORE": "family = ['pruning']"}, "Mine.family must be a text, found ['pruning']"),
    "paper": ({"MORE": "paper: ClassVar[list] = ['arXiv']"}, "Mine.paper must be a text, found ['arXiv']"),
    "summary": (
        {"MORE": "@classmethod\n    def summary(cls): return None"},
        "Mine.summary() must give a text, found None",
    ),
}


def test_hooks_that_answer_with_rubbish_make_their_plugin_broken(distribute: Distribute) -> None:
    whole = {"DOC": "", "MORE": "", "ANSWER": "return [Mine]", "PLACES": "return []"}
    sources = {}
    for name, (parts, _) in RUBBISH.items():
        source = HOOKED
        for word, text in (whole | parts).items():
            source = source.replace(word, text)
        sources[name] = source
    rows = third_parties(distribute(whole=True, **sources))
    for name, (_, reason) in RUBBISH.items():
        assert (rows[name].status, reason in rows[name].reason) == ("broken", True), rows[name].reason


# -- what is imported in this process ----------------------------------------------------------------------------------

CHANGING = """
import locale, logging, multiprocessing, os, random, signal, sys, warnings
import numpy, torch
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
torch.set_grad_enabled(False)
torch.set_num_threads(7)
torch.use_deterministic_algorithms(True)
torch.set_autocast_enabled("cpu", True)
torch.set_float32_matmul_precision("medium")
torch.backends.cudnn.benchmark = True
torch.set_flush_denormal(True)
torch.manual_seed(3)
numpy.random.seed(3)
random.seed(3)
os.environ["HOME"] = "/elsewhere"
os.environ["OMP_NUM_THREADS"] = "77"
os.environ["ACME_OWN"] = "its own"
os.chdir("/")
sys.argv.append("--json")
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.alarm(1_000)
locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
logging.basicConfig(level=logging.DEBUG, force=True)
warnings.simplefilter("ignore")
multiprocessing.set_start_method("forkserver", force=True)
sys.excepthook = print
sys.setrecursionlimit(5_555)
"""


def state() -> list[Any]:
    return [
        torch.get_default_dtype(),
        torch.empty(1).device,
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision(),
        torch.backends.cuda.matmul.allow_tf32,
        torch.backends.cudnn.benchmark,
        sys.float_info.min / 2 > 0,
        torch.get_rng_state().tolist(),
        str(numpy.random.get_state()),  # noqa: NPY002
        random.getstate(),
        [os.environ.get(name) for name in ("HOME", "OMP_NUM_THREADS")],
        Path.cwd(),
        list(sys.argv),
        signal.getsignal(signal.SIGINT),
        signal.getitimer(signal.ITIMER_REAL),
        locale.setlocale(locale.LC_ALL),
        (logging.getLogger().level, list(logging.getLogger().handlers)),
        list(warnings.filters),
        multiprocessing.get_start_method(allow_none=True),
        sys.excepthook,
        sys.getrecursionlimit(),
    ]


def test_what_a_plugin_changes_of_the_process_is_named_and_put_back(distribute: Distribute) -> None:
    registry, before = distribute(changing=CHANGING), state()
    with warnings.catch_warnings(record=True) as said:
        before_within = list(warnings.filters)
        found = statuses(registry)
        assert warnings.filters == before_within
    assert state() == before
    assert found == {"changing": "ok"}
    (text,) = [str(one.message) for one in said if "'changing' of acme-changing 1.5 changes" in str(one.message)]
    for name in ("torch's default dtype", "torch's random state", "the timer of signals", "variable OMP_NUM_THREADS"):
        assert name in text
    assert "ACME_OWN" not in text


def test_functions_of_others_that_a_plugin_replaces_are_put_back(distribute: Distribute) -> None:
    places = [(F, "relu"), (torch.nn.Module, "train"), (torch.Tensor, "backward"), (seeds, "generator")]
    before = [getattr(owner, name) for owner, name in places]
    source = "import torch, torch.nn.functional as F\nfrom rethinkdc import seeds\n"
    source += "".join(
        f"{owner}.{name} = lambda *_, **__: None\n"
        for owner, name in [("F", "relu"), ("torch.nn.Module", "train"), ("torch.Tensor", "backward")]
    )
    with pytest.warns(
        UserWarning, match=r"changes rethinkdc\.seeds\.generator, torch\.nn\.functional\.relu, .*Tensor\.backward"
    ):
        distribute(patching=source + "seeds.generator = None.__class__\n").listing()
    assert [getattr(owner, name) for owner, name in places] == before


def test_what_a_plugin_prints_reaches_no_output(distribute: Distribute, capfd: pytest.CaptureFixture[str]) -> None:
    source = """
import ctypes, os, subprocess, sys
print("by Python")
print("to the other", file=sys.stderr)
os.write(1, b"by number\\n")
subprocess.run(["echo", "by a child"])
ctypes.CDLL(None).printf(b"by C\\n")
"""
    with pytest.warns(UserWarning, match="'loud' of acme-loud 1.5 prints 49 bytes when it is imported: ") as said:
        assert statuses(distribute(loud=source)) == {"loud": "ok"}
    for words in ("by Python", "to the other", "by number", "by a child", "by C"):
        assert words in str(said[-1].message)
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")


def test_what_a_plugin_warns_of_is_warned_of(distribute: Distribute) -> None:
    with pytest.warns(FutureWarning, match="a word of its own"):
        distribute(warning="import warnings; warnings.warn('a word of its own', FutureWarning)\n").listing()


def test_a_logger_that_a_plugin_makes_still_speaks_afterwards(
    distribute: Distribute, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "import logging\nlogging.getLogger('acme').addHandler(logging.StreamHandler())\n"
    distribute(logging=source).listing()
    logging.getLogger("acme").warning("still there")
    logging.getLogger("acme").handlers.clear()
    assert capsys.readouterr().err == "still there\n"


def test_a_plugin_that_asks_for_all_plugins_finds_the_frameworks(distribute: Distribute) -> None:
    source = "from rethinkdc.registry import Registry\nassert len(Registry().listing()) > 50\n"
    assert statuses(distribute(curious=source, bad="import os; os._exit(3)")) == {"curious": "ok", "bad": "broken"}


# -- metadata ----------------------------------------------------------------------------------------------------------


def test_damaged_metadata_make_one_plugin_broken_and_hide_no_other(distribute: Distribute, tmp_path: Path) -> None:
    distribute(good="", nameless="", versionless="", missing="", binary="", pointless="", stranger="")
    site = tmp_path / "site"
    (site / "acme_nameless-1.5.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nVersion: 1.5\n")
    (site / "acme_versionless-1.5.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-versionless\n")
    (site / "acme_missing-1.5.dist-info" / "METADATA").unlink()
    (site / "acme_binary-1.5.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00")
    (site / "acme_pointless-1.5.dist-info" / "entry_points.txt").write_bytes(b"[rethinkdc]\nx = \xff\n")
    (site / "acme_stranger-1.5.dist-info" / "entry_points.txt").write_bytes(b"[console_scripts]\nx = \xff\n")
    reasons = {row.provider.distribution: row.reason for row in third_parties(Registry()).values()}
    assert reasons.pop("acme-good") == ""
    assert {name: re.split(r", | \(", reason)[0] for name, reason in reasons.items()} == {
        "acme_nameless": "its metadata tell no name",
        "acme-versionless": "its metadata tell no version",
        "acme_missing": "its metadata tell no name and no version",
        "acme_binary": "its metadata tell no name and no version",
        "acme-pointless": "its entry_points.txt cannot be read",
    }
    with pytest.raises(PluginError, match=r"of acme_nameless 1\.5 is broken: its metadata tell no name"):
        Registry().build("compressor", "nameless")
