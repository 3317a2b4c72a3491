"""The view ops that packages bring: checked, found by name, and held to their code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rethinkdc.errors import PluginError
from rethinkdc.notes import MethodCode
from rethinkdc.registry.plugins import Plugin, Plugins
from rethinkdc.views.op import ViewOp


class ViewOps:
    """Looks view ops up among the installed plugins; loads none before a protocol names one."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def find(self, names: list[str]) -> Mapping[str, type[ViewOp]]:
        """The ops of these names, bare or as ``distribution/name``; where one is unknown, all there are beside them.

        Raises:
            PluginError: a broken plugin has the name, or several distributions do; says which one may be meant.
        """
        found: dict[str, type[ViewOp]] = {}
        for name in names:
            owners = self._owners(name)
            if len(owners) > 1:
                said = " and ".join(f"{plugin.provider} (as {_full(plugin, op)})" for op, plugin in owners.items())
                raise PluginError(f"The view op {name!r} is claimed by {said}. Say which one you mean.")
            if not owners:
                found |= {_name(op): op for plugin in self._plugins.load_all() for op in plugin.view_ops}
            found |= dict.fromkeys([name], next(iter(owners))) if owners else {}
        return found

    def codes(self, ops: Iterable[ViewOp]) -> tuple[MethodCode, ...]:
        """The code of packages' ops, with their values."""
        return tuple(
            MethodCode(
                method=f"view-op {op.op}",
                distribution=plugin.provider.distribution,
                version=plugin.provider.version,
                digest=plugin.code.digest,
                editable=plugin.provider.editable,
                unseen=plugin.code.unseen,
                parameters=op.model_dump(mode="json"),
            )
            for op in ops
            if (plugin := self._owner(type(op)))
        )

    def used(self, ops: Iterable[ViewOp]) -> dict[str, str]:
        """Distribution -> version of what ops come from."""
        plugins = [plugin for op in ops if (plugin := self._owner(type(op)))]
        return {plugin.provider.distribution: plugin.provider.version for plugin in plugins}

    def _owners(self, name: str) -> dict[type[ViewOp], Plugin]:
        distribution, _, bare = name.rpartition("/")
        named = self._plugins.load_named(name)
        if named and all(plugin.error for plugin in named):
            raise named[0].broken(name)
        plugins = [plugin for plugin in named if plugin.view_ops] or self._plugins.load_all(distribution or None)
        return {op: plugin for plugin in plugins for op in plugin.view_ops if _name(op) == bare}

    def _owner(self, op: type[ViewOp]) -> Plugin | None:
        return next((plugin for plugin in self._plugins.load_all() if op in plugin.view_ops), None)


def _name(op: type[ViewOp]) -> Any:
    return op.model_fields["op"].default


def _full(plugin: Plugin, op: type[ViewOp]) -> str:
    return f"{plugin.provider.distribution}/{_name(op)}"
