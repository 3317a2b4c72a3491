"""Finds plugins through entry points and loads them one at a time.

A command imports only the modules that it names. A module that fails to import, breaks the contract or shares a name
keeps its error with it, and never breaks another command.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import pluggy

from rethinkdc.contracts import hooks
from rethinkdc.contracts.kinds import KINDS
from rethinkdc.data.dataset import Dataset
from rethinkdc.errors import PluginError, nearest
from rethinkdc.method import Method
from rethinkdc.models.model import Model
from rethinkdc.reference import print_value

ALL_KINDS: dict[str, type[Method]] = {**KINDS, "dataset": Dataset, "model": Model}
OWN = "rethinkdc"
"""The distribution of the framework itself."""


@dataclass(frozen=True)
class Provider:
    """Where a method comes from."""

    distribution: str
    version: str
    entry: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass
class Plugin:
    """One entry point: its state, and what it registered."""

    provider: Provider
    entry_point: EntryPoint
    error: str | None = None
    methods: list[type[Method]] = field(default_factory=list)
    protocols: list[Path] = field(default_factory=list)
    loaded: bool = False


class Discovery:
    """The installed plugins, and who provides which name."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self.manager = pluggy.PluginManager(hooks.GROUP)
        self.manager.add_hookspecs(hooks)
        self._active: set[str] = set()
        found = entry_points(group=hooks.GROUP) if points is None else points
        self.plugins = [Plugin(_provider(point), point) for point in found]
        # The framework's own first, so that listings and look-ups do not depend on the order of installation.
        self.plugins.sort(key=lambda plugin: (plugin.provider.distribution != OWN, plugin.provider.distribution))
        self._warn_of_clashes()

    def activate(self, name: str) -> None:
        """Loads a plugin by the name of its entry point, so that its run events are called.

        Raises:
            PluginError: no such plugin, or it is broken.
        """
        named = [plugin for plugin in self.plugins if plugin.entry_point.name == name]
        if not named:
            raise PluginError(
                f"There is no plugin {name!r}. {nearest(name, (p.entry_point.name for p in self.plugins))}"
            )
        for plugin in named:
            self.load(plugin)
            if plugin.error:
                raise PluginError(f"The plugin {name!r} of {plugin.provider} is broken: {plugin.error}")
            self._active.add(f"{plugin.provider.distribution}/{plugin.entry_point.name}")

    def event(self, name: str) -> Any:
        """The hook of a run event; only the plugins that were activated hear it, however many are imported."""
        deaf = [plugin for label, plugin in self.manager.list_name_plugin() if label not in self._active]
        return self.manager.subset_hook_caller(name, remove_plugins=deaf)

    def providers(self, kind: str, name: str) -> list[tuple[Provider, type[Method]]]:
        """Who registered a method of this kind and name."""
        named = [plugin for plugin in self.plugins if plugin.entry_point.name == name]
        found = list(self._registered(named, kind, name))
        # A module may register methods under other names than its entry point's: look at all of them only then.
        return found or list(self._registered(self.plugins, kind, name))

    def _registered(self, plugins: list[Plugin], kind: str, name: str) -> Iterator[tuple[Provider, type[Method]]]:
        for plugin in plugins:
            self.load(plugin)
            for method in plugin.methods:
                if (method.kind, method.name) == (kind, name):
                    yield plugin.provider, method

    def claims(self, kind: str, name: str) -> list[tuple[Provider, type[Method]]]:
        """Who provides ``name``, or ``distribution/name``."""
        found = self.providers(kind, name)
        if not found and "/" in name:
            distribution, _, bare = name.partition("/")
            found = [pair for pair in self.providers(kind, bare) if pair[0].distribution == distribution]
        return found

    def load(self, plugin: Plugin) -> None:
        """Imports a plugin's module, once; what goes wrong is kept in ``plugin.error``."""
        if plugin.loaded:
            return
        plugin.loaded = True
        try:
            module = plugin.entry_point.load()
            self._register(plugin, module)
        except Exception as error:
            # A third party's import may fail in any way at all; one bad plugin must not break other commands.
            plugin.error = f"{type(error).__name__}: {error}"
            plugin.methods, plugin.protocols = [], []

    def _register(self, plugin: Plugin, module: ModuleType) -> None:
        name = f"{plugin.provider.distribution}/{plugin.entry_point.name}"
        if self.manager.is_registered(module):
            return  # Another entry point names this module too: what it registers is there already.
        if self.manager.register(module, name=name) is None:
            raise PluginError(f"{name} is blocked.")
        others = [other for other in self.manager.get_plugins() if other is not module]
        for hook in ("register_methods", "register_datasets", "register_models"):
            for batch in self.manager.subset_hook_caller(hook, remove_plugins=others)():
                for method in batch:
                    _check_contract(method)
                    plugin.methods.append(method)
        for paths in self.manager.subset_hook_caller("register_protocols", remove_plugins=others)():
            plugin.protocols.extend(Path(path) for path in paths)
        if not plugin.methods and not plugin.protocols and not self.manager.get_hookcallers(module):
            raise PluginError(f"The module {module.__name__} implements no hook of rethinkdc.contracts.hooks.")

    def _warn_of_clashes(self) -> None:
        by_name: dict[str, list[Plugin]] = defaultdict(list)
        for plugin in self.plugins:
            by_name[plugin.entry_point.name].append(plugin)
        for name, rivals in by_name.items():
            if len(rivals) > 1:
                claims = ", ".join(str(plugin.provider) for plugin in rivals)
                warnings.warn(
                    f"The plugin name {name!r} is provided by {claims}; write distribution/{name} to use one of them.",
                    stacklevel=4,
                )


def _provider(point: EntryPoint) -> Provider:
    distribution = point.dist
    if distribution is None:
        return Provider("unknown", "0", point.name)
    return Provider(distribution.name, distribution.version, point.name)


def _check_contract(method: Any) -> None:
    """Refuses a registered object that the framework could not use.

    Raises:
        PluginError: says what the contract asks for.
    """
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise PluginError(f"{method!r} is not a subclass of rethinkdc's Method.")
    base = ALL_KINDS.get(getattr(method, "kind", ""))
    if base is None or not issubclass(method, base):
        raise PluginError(
            f"{method.__name__} must subclass one of {', '.join(c.__name__ for c in ALL_KINDS.values())}."
        )
    name = getattr(method, "name", None)
    # Printed without quotes, so that references read it back; the slash belongs to distribution/name.
    if not isinstance(name, str) or print_value(name) != name or "/" in name:
        raise PluginError(f"{method.__name__}.name must be a plain name such as 'herding'.")
    for key, info in method.model_fields.items():
        words = {"true", "false", "none"} & _literals(info.annotation)
        if words:
            raise PluginError(
                f"{method.__name__}.{key} has the text {words.pop()!r} as a choice, which reads as a word of the "
                "grammar; use None or bool."
            )
    bare = [key for key, info in method.model_fields.items() if not info.description]
    if bare:
        raise PluginError(f"{method.__name__}: the fields {', '.join(bare)} have no description.")


def _literals(annotation: Any) -> set[str]:
    """The texts among the choices of a ``Literal``, also inside a union."""
    if get_origin(annotation) is Literal:
        return {choice for choice in get_args(annotation) if isinstance(choice, str)}
    return set().union(*(_literals(inner) for inner in get_args(annotation)))
