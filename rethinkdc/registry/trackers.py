"""Tells the trackers that a command names what happens in its runs."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from rethinkdc.contracts.hooks import RUN_EVENTS
from rethinkdc.errors import PluginError, nearest
from rethinkdc.registry.plugins import Plugin, Plugins


class Trackers:
    """The plugins that hear run events: those that were added, however many are loaded."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._hearing: list[Plugin] = []
        self._failed: set[tuple[str, str]] = set()

    def add(self, name: str) -> None:
        """Lets a plugin hear the events, by the name of its entry point; twice is once.

        Raises:
            PluginError: no such plugin, a broken one, one that hears nothing, or several of that name.
        """
        named = self._plugins.load_named(name)
        if len(named) > 1:
            claims = " and ".join(f"{plugin.provider} (as {plugin.full_name})" for plugin in named)
            raise PluginError(f"The plugin name {name!r} is claimed by {claims}. Say which one you mean.")
        for plugin in named:
            if plugin.error:
                raise PluginError(f"The plugin {name!r} of {plugin.provider} is broken: {plugin.error}")
            if plugin.events:
                self._hearing += [] if plugin in self._hearing else [plugin]
                return
        what = f"The plugin {name!r} hears no run event" if named else f"There is no plugin {name!r}"
        known = [plugin.name for plugin in self._plugins.load_all() if plugin.events]
        raise PluginError(
            f"{what}. Trackers implement {', '.join(RUN_EVENTS)}. {nearest(name, known)} "
            "See `rethinkdc list-plugins --kind tracker`."
        )

    def run_started(self, definition: dict[str, Any]) -> None:
        """Tells that a run begins to compute."""
        self._tell("run_started", definition=definition)

    def epoch_ended(self, epoch: int, loss: float) -> None:
        """Tells that an epoch of the student's training ended."""
        self._tell("epoch_ended", epoch=epoch, loss=loss)

    def run_finished(self, record: dict[str, Any]) -> None:
        """Tells that a run's record is on disk."""
        self._tell("run_finished", record=record)

    def _tell(self, event: str, **told: Any) -> None:
        for plugin in self._hearing:
            if event not in plugin.events:
                continue
            try:
                # A copy for each: a run must be the same whoever listens.
                plugin.events[event](**copy.deepcopy(told))
            except Exception as error:
                self._warn(plugin, event, error)

    def _warn(self, plugin: Plugin, event: str, error: Exception) -> None:
        """Warns of a failure, which must not lose a run, the first time: epochs are many."""
        if (plugin.full_name, event) in self._failed:
            return
        self._failed.add((plugin.full_name, event))
        warnings.warn(
            f"The tracker {plugin.name!r} of {plugin.provider} failed in {event}: {type(error).__name__}: {error}. "
            "The run goes on.",
            stacklevel=4,
        )
