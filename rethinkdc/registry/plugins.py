"""The installed plugins, out of the entry points, loaded one at a time.

A command imports only the modules that it names. A module that fails to import, breaks the contract or shares a name
keeps its error with it, and never breaks another command.
"""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from rethinkdc.contracts import hooks
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.registry.admission import check_class

OWN = "rethinkdc"
"""The distribution of the framework itself."""


@dataclass(frozen=True)
class Provider:
    """The distribution that a method comes from."""

    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass
class Plugin:
    """One entry point, and once it is loaded what it registered or what is wrong with it."""

    provider: Provider
    entry_point: EntryPoint
    error: str | None = None
    summary: str = ""
    methods: list[type[Method]] = field(default_factory=list)
    protocols: list[Path] = field(default_factory=list)
    events: dict[str, pluggy.HookCaller] = field(default_factory=dict)
    loaded: bool = False

    @property
    def name(self) -> str:
        """The entry point's name: that of the method that it registers."""
        return self.entry_point.name

    @property
    def full_name(self) -> str:
        """``distribution/name``, which no other distribution can claim."""
        return f"{self.provider.distribution}/{self.name}"

    def load(self) -> None:
        """Imports the module and asks its hooks, once; what goes wrong is kept in ``error``."""
        if self.loaded:
            return
        self.loaded = True
        try:
            self._ask(self.entry_point.load())
        except Exception as error:
            # A third party's import may fail in any way at all; one bad plugin must not break other commands.
            self.error = f"{type(error).__name__}: {error}"
            self.methods, self.protocols, self.events = [], [], {}

    def _ask(self, module: Any) -> None:
        # A manager for each: the answers are this plugin's, also where two entry points name one module.
        manager = pluggy.PluginManager(hooks.GROUP)
        manager.add_hookspecs(hooks)
        known = sorted(vars(manager.hook))
        manager.register(module)
        callers = {caller.name: caller for caller in manager.get_hookcallers(module) or []}
        if not callers:
            raise PluginError(f"The module {self.entry_point.value} implements no hook. Known: {', '.join(known)}.")
        for name, caller in callers.items():
            if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls()):
                raise PluginError(f"It implements the hook {name!r}, which nobody calls. Known: {', '.join(known)}.")
        self.methods = _answered(manager.hook.register_methods)
        for method in self.methods:
            check_class(method)
        self.protocols = [Path(path) for path in _answered(manager.hook.register_protocols)]
        self.events = {name: callers[name] for name in hooks.RUN_EVENTS if name in callers}
        self.summary = (inspect.getdoc(module) or "").split("\n", 1)[0]


class Plugins:
    """Every installed plugin, the framework's own first; none is imported before it is asked for."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        found = list(entry_points(group=hooks.GROUP) if points is None else points)
        # Each name and version is read out of a file, which many entry points share.
        distributions = {id(point.dist): point.dist for point in found}
        providers = {key: _provider(distribution) for key, distribution in distributions.items()}
        self.installed = [Plugin(providers[id(point.dist)], point) for point in found]
        # So that listings and look-ups do not depend on the order of installation.
        self.installed.sort(key=lambda plugin: (plugin.provider.distribution != OWN, plugin.provider.distribution))
        self._by_name: dict[str, list[Plugin]] = defaultdict(list)
        for plugin in self.installed:
            for name in {plugin.name, plugin.full_name}:
                self._by_name[name].append(plugin)
        self._warn_of_clashes()

    def load_named(self, name: str) -> list[Plugin]:
        """Loads the plugins whose entry points have the name, bare or as ``distribution/name``: several may."""
        named = self._by_name.get(name, [])
        for plugin in named:
            plugin.load()
        return named

    def load_all(self, distribution: str | None = None) -> list[Plugin]:
        """Loads the plugins of one distribution, or all of them, broken ones too."""
        wanted = [plugin for plugin in self.installed if distribution in (None, plugin.provider.distribution)]
        for plugin in wanted:
            plugin.load()
        return wanted

    def _warn_of_clashes(self) -> None:
        for name, rivals in self._by_name.items():
            if len(rivals) > 1 and "/" not in name:
                claims = ", ".join(str(plugin.provider) for plugin in rivals)
                warnings.warn(
                    f"The plugin name {name!r} is provided by {claims}; write distribution/{name} to use one of them.",
                    stacklevel=4,
                )


def has_plugins(distribution: str) -> bool:
    """Whether an installed distribution of this name has plugins; none is imported."""
    return any(point.dist is not None and point.dist.name == distribution for point in entry_points(group=hooks.GROUP))


def _answered(hook: pluggy.HookCaller) -> list[Any]:
    """What one plugin's implementation of a hook returned; nothing where it has none.

    Raises:
        PluginError: it returned no list.
    """
    found: list[Any] = []
    for answer in hook():
        if not isinstance(answer, list | tuple):
            raise PluginError(f"{hook.name} must return a list, found {answer!r}.")
        found.extend(answer)
    return found


def _provider(distribution: Distribution | None) -> Provider:
    return Provider(distribution.name, distribution.version) if distribution else Provider("unknown", "0")
