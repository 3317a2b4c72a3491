"""Who hears run events, and what happens to a run when one that hears them fails."""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.contracts.hooks import GROUP
from rethinkdc.errors import PluginError
from rethinkdc.registry import Registry

Install = Callable[..., Registry]

FAILING = """
from rethinkdc.contracts import hookimpl
TOLD = []

@hookimpl
def run_started(definition):
    definition["compressor"] = "another"
    raise RuntimeError("no such server")

@hookimpl
def epoch_ended(epoch, loss):
    TOLD.append((epoch, loss))
    raise ConnectionError(f"lost at {epoch}")
"""

HEARING = """
from rethinkdc.contracts import hookimpl
TOLD = []

@hookimpl
def run_started(definition):
    TOLD.append(definition)

@hookimpl
def run_finished(record):
    TOLD.append(record)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A registry with modules on the path as further plugins: name = source."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(**sources: str) -> Registry:
        points = list(entry_points(group=GROUP))
        for name, source in sources.items():
            monkeypatch.delitem(sys.modules, f"followed_by_{name}", raising=False)
            (tmp_path / f"followed_by_{name}.py").write_text(textwrap.dedent(source))
            points.append(EntryPoint(name=name, value=f"followed_by_{name}", group=GROUP))
        return Registry(points)

    return installed


def told(name: str) -> list[Any]:
    found: list[Any] = sys.modules[f"followed_by_{name}"].TOLD
    return found


def test_a_tracker_that_fails_is_named_once_for_each_event_and_told_the_rest(install: Install) -> None:
    registry = install(failing=FAILING)
    registry.trackers.add("failing")
    with pytest.warns(UserWarning, match=r"'failing' of unknown 0 failed in run_started: RuntimeError: no such server"):
        registry.trackers.run_started({}, {}, "")
    with pytest.warns(UserWarning, match="failed in epoch_ended: ConnectionError: lost at 0"):
        registry.trackers.epoch_ended(0, 2.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.trackers.epoch_ended(1, 1.5)
        registry.trackers.run_finished({})
    assert told("failing") == [(0, 2.5), (1, 1.5)]


@pytest.mark.filterwarnings("ignore:The tracker")
def test_what_a_tracker_changes_or_raises_reaches_nobody(install: Install) -> None:
    registry = install(failing=FAILING, hearing=HEARING)
    registry.trackers.add("failing")
    registry.trackers.add("hearing")
    definition = {"compressor": {"name": "random"}}
    registry.trackers.run_started(definition, {}, "")
    assert definition == {"compressor": {"name": "random"}}
    assert told("hearing") == [definition]


def test_a_tracker_that_is_named_twice_hears_once(install: Install) -> None:
    registry = install(hearing=HEARING)
    registry.trackers.add("hearing")
    registry.trackers.add("unknown/hearing")
    registry.trackers.run_finished({"status": "ok"})
    assert told("hearing") == [{"status": "ok"}]


def test_a_run_that_breaks_is_told_to_those_who_heard_it_begin(install: Install) -> None:
    registry = install(hearing=HEARING)
    registry.trackers.add("hearing")
    registry.trackers.run_broke({"status": "failed"})
    assert told("hearing") == []
    registry.trackers.run_started({}, {}, "")
    registry.trackers.run_broke({"status": "failed"})
    registry.trackers.run_broke({"status": "failed"})
    assert told("hearing") == [{}, {"status": "failed"}]


def test_ctrl_c_in_a_tracker_ends_the_run(install: Install) -> None:
    source = HEARING.replace("TOLD.append(definition)", "raise KeyboardInterrupt")
    registry = install(hearing=source)
    registry.trackers.add("hearing")
    with pytest.raises(KeyboardInterrupt):
        registry.trackers.run_started({}, {}, "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jsonll", "There is no plugin 'jsonll'. Trackers implement run_started, epoch_ended, run_finished. Did you"),
        ("random", "The plugin 'random' hears no run event."),
        ("failing", "The plugin 'failing' of unknown 0 is broken: ZeroDivisionError"),
        ("jsonl", r"'jsonl' is claimed by rethinkdc .* \(as rethinkdc/jsonl\) and unknown 0 \(as unknown/jsonl\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:The plugin name")
def test_what_is_no_tracker_is_refused(install: Install, name: str, said: str) -> None:
    registry = install(failing="1 / 0", **({"jsonl": HEARING} if name == "jsonl" else {}))
    with pytest.raises(PluginError, match=said):
        registry.trackers.add(name)


def test_trackers_are_listed(install: Install) -> None:
    rows = [row for row in install(hearing=f'"""Says all. Again."""\n{HEARING}').listing() if row.kind == "tracker"]
    named = {row.name: row.provider.distribution for row in rows}
    assert named == {"hearing": "unknown", **dict.fromkeys(("jsonl", "tensorboard", "wandb"), "rethinkdc")}
    assert rows[0].summary == "Says all. Again."
