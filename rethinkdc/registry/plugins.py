"""The installed plugins, out of the entry points, loaded one at a time.

A command imports only the modules that it names. A module that fails to import, breaks the contract or shares a name
keeps its error with it, and never breaks another command: those of third parties are imported under guard first.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal

import pluggy

from rethinkdc.code import Code, read_code
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.process_state import left_as_it_was
from rethinkdc.registry.answers import Answers, ask
from rethinkdc.registry.guard import Guard, Judged, limit
from rethinkdc.registry.guarded import GUARDED
from rethinkdc.registry.importing import unheard
from rethinkdc.registry.patches import put_back
from rethinkdc.registry.permitted import Permission
from rethinkdc.registry.providers import OWN, Offer, Provider, installed_offers, offers_of
from rethinkdc.registry.stamps import is_in_memory
from rethinkdc.registry.verdict import LIMIT, explain
from rethinkdc.views import ViewOp

_TRIES = 3
"""How often a plugin is judged whose files change meanwhile."""


@dataclass
class Plugin:
    """One entry point, and once it is loaded what it registered or what is wrong with it.

    Attributes:
        refused: why it is not even imported, where somebody does not want it to be.
    """

    offer: Offer
    error: str | None = None
    answers: Answers = field(default_factory=Answers)
    loaded: bool = False
    remembered: bool = False
    refused: Literal["", "disabled", "incompatible"] = ""

    @property
    def provider(self) -> Provider:
        """Its distribution."""
        return self.offer.provider

    @property
    def entry_point(self) -> EntryPoint:
        """What names its module."""
        return self.offer.point

    @property
    def name(self) -> str:
        """The entry point's name: that of the method that it registers."""
        return self.entry_point.name

    @property
    def full_name(self) -> str:
        """``distribution/name``, which no other distribution can claim."""
        return f"{self.provider.distribution}/{self.name}"

    @property
    def module(self) -> str:
        """What is imported, as the entry point has it."""
        return self.entry_point.value

    @property
    def summary(self) -> str:
        """First line of the module's docstring."""
        return self.answers.summary

    @property
    def methods(self) -> list[type[Method]]:
        """What it registered."""
        return self.answers.methods

    @property
    def protocols(self) -> list[Path]:
        """Protocol files, and folders of them."""
        return self.answers.protocols

    @property
    def view_ops(self) -> list[type[ViewOp]]:
        """View ops that protocols may name."""
        return self.answers.view_ops

    @property
    def events(self) -> Mapping[str, pluggy.HookCaller]:
        """The run events that it hears."""
        return self.answers.events

    @cached_property
    def code(self) -> Code:
        """Its code, as it was when this was first asked: of third parties, when they were imported."""
        return read_code(self.entry_point)

    @property
    def is_own(self) -> bool:
        """Whether it is a module of the framework itself, which needs no guard."""
        return self.provider.distribution == OWN and self.module.startswith(f"{OWN}.")

    def broken(self, name: str) -> PluginError:
        """The error of a command that asks for a plugin which is broken."""
        reason = f"{self.error}".rstrip(".")
        if self.refused == "disabled":
            return PluginError(f"The plugin {name!r} of {self.provider} is disabled: {reason}. Name its package there.")
        if self.refused == "incompatible":
            return PluginError(
                f"The plugin {name!r} of {self.provider} is not made for this version: {reason}. Look for another "
                f"version of it: `pip install --upgrade {self.provider.distribution}`."
            )
        said = f"The plugin {name!r} of {self.provider} is broken: {reason}."
        if self.is_own:
            return PluginError(said)
        return PluginError(
            f"{said} It is the module {self.module}: mend it, or remove it with `pip uninstall "
            f"{self.provider.distribution}`; after an upgrade of it, run again."
        )


class Plugins:
    """Every installed plugin, the framework's own first; none is imported before it is asked for."""

    def __init__(self, points: Iterable[EntryPoint] | None = None, cache_folder: Path | None = None) -> None:
        offers = installed_offers() if points is None else offers_of(list(points))
        permission = Permission()
        self.installed = [_found(offer, permission) for offer in offers]
        permission.warn_of_strangers(plugin.provider.distribution for plugin in self.installed)
        # So that listings and look-ups do not depend on the order of installation.
        self.installed.sort(key=lambda plugin: (plugin.provider.distribution != OWN, plugin.provider.distribution))
        self._cache_folder = cache_folder
        self._by_name: dict[str, list[Plugin]] = defaultdict(list)
        for plugin in self.installed:
            for name in {plugin.name, plugin.full_name}:
                self._by_name[name].append(plugin)
        self._warn_of_clashes()

    def load_named(self, name: str) -> list[Plugin]:
        """Loads the plugins whose entry points have the name, bare or as ``distribution/name``: several may.

        What is remembered of a broken one is not believed by a command that asks for it: what it lacked may be there.
        """
        named = self._by_name.get(name, [])
        self._load(named)
        if all(plugin.error for plugin in named):
            self._load([plugin for plugin in named if plugin.remembered], anew=True)
        return named

    def load_all(self, distribution: str | None = None) -> list[Plugin]:
        """Loads the plugins of one distribution, or all of them, broken ones too."""
        wanted = [plugin for plugin in self.installed if distribution in (None, plugin.provider.distribution)]
        self._load(wanted)
        return wanted

    def _load(self, plugins: Sequence[Plugin], *, anew: bool = False) -> None:
        wanted = [plugin for plugin in plugins if anew or not plugin.loaded]
        if GUARDED in os.environ:
            # A plugin that asks for all the others while it is judged gets the framework's own.
            wanted = [plugin for plugin in wanted if plugin.is_own]
        seconds = limit() if any(not plugin.is_own for plugin in wanted) else 0.0
        guard = Guard(seconds, self._cache_folder)
        guarded = [
            plugin for plugin in wanted if seconds and not plugin.is_own and not is_in_memory(plugin.entry_point)
        ]
        judged = dict(zip(map(id, guarded), _judge(guard, guarded, anew=anew), strict=True))
        for plugin in wanted:
            plugin.loaded = True
            if plugin.is_own:
                _load_own(plugin)
            elif id(plugin) not in judged:
                _import(plugin)
            else:
                _admit(plugin, guard, judged[id(plugin)])

    def _warn_of_clashes(self) -> None:
        for name, rivals in self._by_name.items():
            claiming = [str(plugin.provider) for plugin in rivals if not plugin.refused]
            if len(claiming) > 1 and "/" not in name:
                claims = ", ".join(claiming)
                warnings.warn(
                    f"The plugin name {name!r} is provided by {claims}; write distribution/{name} to use one of them.",
                    stacklevel=4,
                )


def _found(offer: Offer, permission: Permission) -> Plugin:
    """A plugin of which nothing is imported yet; one that is refused, or cannot be imported, counts as loaded."""
    if reason := permission.refusal(offer.provider.distribution):
        return Plugin(offer, reason, loaded=True, refused="disabled")
    if fault := _fault(offer):
        return Plugin(offer, fault, loaded=True)
    if reason := offer.provider.unmet:
        return Plugin(offer, reason, loaded=True, refused="incompatible")
    return Plugin(offer)


def _fault(offer: Offer) -> str | None:
    """What is wrong with a plugin before anything of it is imported."""
    if offer.fault:
        return offer.fault
    fault = offer.provider.fault
    return f"{fault}, which a record must name; install it again" if fault else None


def _judge(guard: Guard, plugins: Sequence[Plugin], *, anew: bool = False) -> list[Judged | OSError]:
    try:
        return list(guard.judge([plugin.offer for plugin in plugins], anew=anew))
    except OSError as error:
        return [error for _ in plugins]


def _admit(plugin: Plugin, guard: Guard, judged: Judged | OSError) -> None:
    """Imports a plugin that is judged to be fine, if it still is what was judged."""
    for _ in range(_TRIES):
        if isinstance(judged, OSError):
            plugin.error = (
                f"no process could be started to import it under guard ({judged}); with {LIMIT}=0 plugins are imported "
                "without one"
            )
            return
        plugin.remembered = judged.remembered and not judged.verdict.fine
        if not judged.verdict.fine:
            plugin.error = judged.verdict.reason
            return
        if guard.holds(judged, plugin.offer):
            _import(plugin, judged.verdict.patches)
            return
        (judged,) = _judge(guard, [plugin])
    plugin.error = "its files change while it is looked at"


def _load_own(plugin: Plugin) -> None:
    try:
        plugin.answers = ask(plugin.entry_point)
    except Exception as error:
        # Something that it imports may be missing; one bad plugin must not break other commands.
        plugin.error = explain(error)


def _import(plugin: Plugin, patches: Sequence[str] = ()) -> None:
    """Imports a third party's plugin, which may do anything at all; what it prints and changes is told as a warning."""
    plugin.error, plugin.answers = None, Answers()
    with left_as_it_was() as changes, put_back(patches) as undone, unheard() as heard:
        try:
            plugin.answers = ask(plugin.entry_point)
            # What changes on disk from here on is not what this process does.
            code = plugin.code
            for op in plugin.view_ops:
                op.code = code.digest
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            plugin.error = explain(error)
    if changes.lasting:
        plugin.error = f"it changes {' and '.join(changes.lasting)} when it is imported, which cannot be put back"
        plugin.answers = Answers()
    who = f"The plugin {plugin.name!r} of {plugin.provider}"
    if heard.bytes:
        _warn(f"{who} prints {heard.bytes:,} bytes when it is imported: {heard.shown()}")
    if changed := [*undone, *changes.names]:
        _warn(f"{who} changes {', '.join(changed)} when it is imported; all of it is as it was before.")


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=6)
