"""The protocols that the installed distributions ship."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from rethinkdc.data.dataset import Dataset
from rethinkdc.data.splits import Schema
from rethinkdc.errors import PluginError, RequestError, nearest
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol, protocol_files
from rethinkdc.registry.plugins import Plugin, Plugins
from rethinkdc.registry.providers import OWN, Provider
from rethinkdc.registry.view_ops import ViewOps

_SHIPPED = f"{OWN}/protocols"
"""The plugin of the framework's own protocols."""


class Protocols:
    """Reads protocol files; third parties' only where the framework's own do not answer."""

    def __init__(self, plugins: Plugins, view_ops: ViewOps) -> None:
        self._plugins = plugins
        self._view_ops = view_ops

    def all(self) -> dict[str, Protocol]:
        """Every registered protocol by id; a third party's unreadable file, or one with a taken id, only warns.

        Raises:
            RequestError: one of the framework's own files cannot be read.
        """
        found: dict[str, Protocol] = {}
        for plugin in self._plugins.load_all():
            for file in _files_of(plugin):
                try:
                    protocol = load_protocol(file, self._view_ops.find)
                    if protocol.id in found:
                        raise PluginError(f"The protocol id {protocol.id!r} is taken already; {file} needs another.")
                except RequestError as error:
                    if plugin.provider.distribution == OWN:
                        raise
                    warnings.warn(f"A protocol of {plugin.provider} is left out: {error}", stacklevel=2)
                    continue
                found[protocol.id] = protocol
        return found

    def folders(self) -> Iterator[tuple[Provider, Path]]:
        """The folders that third parties register, each with its distribution."""
        for plugin in self._plugins.load_all():
            if plugin.provider.distribution != OWN:
                yield from ((plugin.provider, place) for place in plugin.protocols if place.is_dir())

    def find(self, name: str) -> Protocol:
        """A protocol by id, or by the path of its TOML file.

        Raises:
            RequestError: there is none, or its file cannot be read; names the nearest.
        """
        if name.endswith(".toml"):
            return load_protocol(Path(name).expanduser(), self._view_ops.find)
        if name in DERIVED:
            raise RequestError(
                f"The protocol {name} is derived from a dataset: name one with --dataset, as in "
                f"`rethinkdc new-protocol mine --from {name} --dataset FOLDER`."
            )
        known = self._shipped()
        if name not in known:
            known = self.all()
        if name not in known:
            file = f" Did you mean the file {name}.toml?" if Path(f"{name}.toml").exists() else ""
            raise RequestError(
                f"Unknown protocol {name!r}.{file} {nearest(name, known)} See `rethinkdc list-protocols`, "
                "or give a .toml file; auto-hard and auto-soft are derived from the data."
            )
        return known[name]

    def default(self, dataset: Dataset, schema: Schema, track: str) -> Protocol | None:
        """The protocol declared as default for this dataset, or for its exact sizes, and a labeler of this track.

        Args:
            dataset: a protocol that states no sizes is the default of its own dataset only.
            schema: the dataset's exact schema.
            track: the labeler's.

        Returns:
            None where no protocol is declared: then one is derived from the data.

        Raises:
            RequestError: several are; names them.
        """
        # A third party's default counts only where the framework has none: installing a package changes no result.
        for known in (self._shipped, self.all):
            fitting = [protocol for protocol in known().values() if protocol.admits(track) and protocol.fits(schema)]
            defaults = [protocol for protocol in fitting if protocol.default]
            chosen = [p for p in defaults if p.default_dataset == dataset.name]
            chosen = chosen or [p for p in defaults if p.data.train is not None]
            if len(chosen) == 1:
                return chosen[0]
        if not chosen:
            return None
        raise RequestError(
            f"Several protocols are declared as default for {schema.classes} classes, {schema.train:,} training and "
            f"{schema.test:,} test images and {track} labels: {', '.join(p.id for p in chosen)}. Choose one with "
            "--protocol."
        )

    def _shipped(self) -> dict[str, Protocol]:
        """Those of the framework itself, by id."""
        return self._own

    @cached_property
    def _own(self) -> dict[str, Protocol]:
        # Read once: a study asks for them with every run.
        files = (file for plugin in self._plugins.load_named(_SHIPPED) for file in _files_of(plugin))
        return {protocol.id: protocol for protocol in map(load_protocol, files)}


def _files_of(plugin: Plugin) -> Iterator[Path]:
    for place in plugin.protocols:
        yield from protocol_files(place)
