"""Finds the class that a kind and a name mean, and who provides it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rethinkdc.errors import PluginError, nearest
from rethinkdc.layouts.file_datasets import FolderDataset, HubDataset
from rethinkdc.method import Method
from rethinkdc.models.external import TimmModel, TorchvisionModel
from rethinkdc.registry.plugins import Plugin, Plugins
from rethinkdc.registry.providers import OWN, Provider

_UNREGISTERED = (TimmModel, TorchvisionModel, FolderDataset, HubDataset)
"""Methods that are found by the form of their name, not by an entry point."""


@dataclass(frozen=True)
class Claim:
    """A class registered under some name, the distribution that registered it, and the plugin that did."""

    provider: Provider
    method: type[Method]
    plugin: Plugin


class Finder:
    """Looks names up among the installed plugins, and loads only those that may answer."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins

    def claims(self, kind: str, name: str) -> list[Claim]:
        """Who registered a method of this kind under ``name``, or ``distribution/name``.

        Plugins whose entry point has the name are asked alone. A module may register methods under other names than
        its entry point's: for a name that no entry point has, all of them are looked at.
        """
        distribution, slash, bare = name.rpartition("/")
        plugins = self.plugins.load_named(name) or self.plugins.load_all(distribution if slash else None)
        return [claim for claim in _claims_of(plugins) if (claim.method.kind, claim.method.name) == (kind, bare)]

    def find(self, kind: str, name: str) -> type[Method]:
        """The class that ``name`` means; where several distributions claim it, the framework's own.

        Raises:
            PluginError: no such method, a broken plugin of that name, or several third parties claim it.
        """
        claims = self.claims(kind, name)
        if not claims:
            raise self._unknown(kind, name)
        # The framework's protocols and defaults mean its own methods. What a user types is checked before.
        if len(claims) > 1 and claims[0].provider.distribution != OWN:
            raise claimed_by_several(kind, name, claims)
        return claims[0].method

    def provider(self, method: Method) -> Provider | None:
        """The distribution of a method's class; None for paths, hub ids and models of timm and torchvision."""
        claim = self.claim_of(method)
        return claim.provider if claim else None

    def claim_of(self, method: Method) -> Claim | None:
        """Who registered a method's class; None for paths, hub ids and models of timm and torchvision."""
        if isinstance(method, _UNREGISTERED):
            return None
        claims = self.claims(method.kind, method.name)
        known = {claim.method: claim for claim in claims}
        if type(method) not in known:
            # Its name is the entry point of another plugin.
            known = {claim.method: claim for claim in _claims_of(self.plugins.load_all())}
        return known.get(type(method))

    def name_of(self, method: Method) -> str:
        """The name that finds a method again: with its distribution where the bare one may mean another."""
        provider = self.provider(method)
        if provider is None or [claim.method for claim in self.claims(method.kind, method.name)] == [type(method)]:
            return method.name
        return f"{provider.distribution}/{method.name}"

    def provides(self, distribution: str) -> bool:
        """Whether a distribution of this name has plugins."""
        return any(plugin.provider.distribution == distribution for plugin in self.plugins.installed)

    def _unknown(self, kind: str, name: str) -> PluginError:
        for plugin in self.plugins.load_named(name):
            if plugin.error:
                return plugin.broken(name)
        kinds = {kind, "score"} if kind == "compressor" else {kind}
        known = {claim.method.name for claim in _claims_of(self.plugins.load_all()) if claim.method.kind in kinds}
        extra = " A local folder or a hub id (user/name) is accepted too." if kind == "dataset" else ""
        return PluginError(
            f"Unknown {kind} {name!r}. {nearest(name, known)}{extra} See `rethinkdc list-plugins --kind {kind}`."
        )


def claimed_by_several(kind: str, name: str, claims: list[Claim]) -> PluginError:
    """The error that names who claims a name, and how to say which one is meant."""
    bare = name.rpartition("/")[2]
    said = " and ".join(f"{claim.provider} (as {claim.provider.distribution}/{bare})" for claim in claims)
    return PluginError(
        f"The {kind} name {name!r} is claimed by {said}. "
        f"Say which one you mean, for example {claims[0].provider.distribution}/{bare}."
    )


def _claims_of(plugins: Iterable[Plugin]) -> Iterator[Claim]:
    """What the plugins registered, each class once: several entry points may name one module."""
    seen: set[type[Method]] = set()
    for plugin in plugins:
        for method in plugin.methods:
            if method not in seen:
                seen.add(method)
                yield Claim(plugin.provider, method, plugin)
