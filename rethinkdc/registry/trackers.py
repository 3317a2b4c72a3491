"""Tells the trackers that a command names what happens in its runs."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rethinkdc.contracts.hooks import RUN_EVENTS
from rethinkdc.contracts.kinds import Tracker
from rethinkdc.errors import PluginError, nearest
from rethinkdc.process_state import results_left_as_they_are
from rethinkdc.reference import parse_reference
from rethinkdc.registry.building import Builder
from rethinkdc.registry.plugins import Plugin, Plugins

_KIND = Tracker.kind


@dataclass(frozen=True)
class _Follower:
    """Who hears events: a plugin with hooks, or a tracker that it registers, with its parameters."""

    plugin: Plugin
    tracker: Tracker | None
    events: Mapping[str, Callable[..., Any]]

    def is_also(self, other: _Follower) -> bool:
        return (self.plugin, self.tracker) == (other.plugin, other.tracker)


class Trackers:
    """The plugins that hear run events: those that were added, however many are loaded.

    Attributes:
        added: the references of those, as they were given.
    """

    def __init__(self, plugins: Plugins, builder: Builder) -> None:
        self.added: list[str] = []
        self._plugins = plugins
        self._builder = builder
        self._hearing: list[_Follower] = []
        self._failed: set[tuple[str, str]] = set()
        self._running = False

    def add(self, reference: str) -> None:
        """Lets a tracker hear the events: the name of its entry point, with parameters where it has some.

        Twice is once.

        Raises:
            PluginError: no such plugin, a broken one, one that hears nothing, or several of that name.
            RequestError: a wrong parameter, or a tracker that cannot work here; says what is missing.
        """
        follower = self._find(reference)
        if not any(follower.is_also(other) for other in self._hearing):
            self._hearing.append(follower)
            self.added.append(reference)

    def _find(self, reference: str) -> _Follower:
        wanted = parse_reference(reference)
        named = self._plugins.load_named(wanted.name)
        if len(named) > 1:
            claims = " and ".join(f"{plugin.provider} (as {plugin.full_name})" for plugin in named)
            raise PluginError(f"The plugin name {wanted.name!r} is claimed by {claims}. Say which one you mean.")
        for plugin in named:
            if plugin.error:
                raise plugin.broken(wanted.name)
            if any(method.kind == _KIND for method in plugin.methods):
                tracker = self._builder.build(_KIND, reference)
                assert isinstance(tracker, Tracker)
                tracker.check()
                return _Follower(plugin, tracker, {event: getattr(tracker, event) for event in RUN_EVENTS})
            if plugin.events and wanted.values:
                raise PluginError(f"The tracker {wanted.name!r} has no parameters; found {', '.join(wanted.values)}.")
            if plugin.events:
                return _Follower(plugin, None, plugin.events)
        what = f"The plugin {wanted.name!r} hears no run event" if named else f"There is no plugin {wanted.name!r}"
        known = [plugin.name for plugin in self._plugins.load_all() if _hears(plugin)]
        raise PluginError(
            f"{what}. Trackers implement {', '.join(RUN_EVENTS)}. {nearest(wanted.name, known)} "
            "See `rethinkdc list-plugins --kind tracker`."
        )

    def run_started(self, definition: dict[str, Any], names: dict[str, str], key: str) -> None:
        """Tells that a run begins to compute."""
        self._running = True
        self._tell("run_started", definition=definition, names=names, key=key)

    def epoch_ended(self, epoch: int, loss: float) -> None:
        """Tells that an epoch of the student's training ended."""
        self._tell("epoch_ended", epoch=epoch, loss=loss)

    def run_finished(self, record: dict[str, Any]) -> None:
        """Tells that a run's record is on disk."""
        self._running = False
        self._tell("run_finished", record=record)

    def run_broke(self, record: dict[str, Any]) -> None:
        """The same of a run that ended with an error, if it had begun."""
        if self._running:
            self.run_finished(record)

    def _tell(self, event: str, **told: Any) -> None:
        for follower in self._hearing:
            if event not in follower.events:
                continue
            try:
                # A copy for each: a run must be the same whoever listens.
                with results_left_as_they_are():
                    follower.events[event](**copy.deepcopy(told))
            except (Exception, SystemExit) as error:
                self._warn(follower.plugin, event, error)

    def _warn(self, plugin: Plugin, event: str, error: BaseException) -> None:
        """Warns of a failure, which must not lose a run, the first time: epochs are many."""
        if (plugin.full_name, event) in self._failed:
            return
        self._failed.add((plugin.full_name, event))
        warnings.warn(
            f"The tracker {plugin.name!r} of {plugin.provider} failed in {event}: {type(error).__name__}: {error}. "
            "The run goes on.",
            stacklevel=4,
        )


def _hears(plugin: Plugin) -> bool:
    return bool(plugin.events) or any(method.kind == _KIND for method in plugin.methods)
