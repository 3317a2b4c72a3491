"""Builds methods from references, describes them, and lists what is installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TypeVar, overload

import pluggy
from pydantic import ValidationError

from rethinkdc.data.dataset import Dataset
from rethinkdc.data.file_datasets import FolderDataset, HubDataset
from rethinkdc.data.splits import Schema
from rethinkdc.errors import PluginError, RequestError, nearest
from rethinkdc.method import Content, Method, OfKind
from rethinkdc.models.external import TimmModel, TorchvisionModel, external_model
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol, protocol_files
from rethinkdc.reference import Reference, parse_reference, print_reference
from rethinkdc.registry.discovery import ALL_KINDS, OWN, Discovery, Provider
from rethinkdc.storage import content_digest

M = TypeVar("M", bound=Method)

SELECT = "select"
"""The compressor that a score's bare name stands for."""
SCORE_FILE = "file"
"""The score that is read from a file."""
_LIBRARIES = ("timm", "torchvision")
"""Teachers that are named ``library/NAME``."""
_UNREGISTERED = (TimmModel, TorchvisionModel, FolderDataset, HubDataset)
"""Methods that are found by the form of their name, not by an entry point."""


@dataclass(frozen=True)
class Listed:
    """One row of ``list-plugins``."""

    kind: str
    name: str
    provider: Provider
    status: str
    reason: str = ""
    method: type[Method] | None = None


class Registry:
    """The methods that the installed distributions provide."""

    def __init__(self, points: Iterable[EntryPoint] | None = None) -> None:
        self.found = Discovery(points)

    @property
    def manager(self) -> pluggy.PluginManager:
        """Calls the hooks of the plugins that were loaded."""
        return self.found.manager

    # -- finding ---------------------------------------------------------------------------------------------------

    def find(self, kind: str, name: str) -> type[Method]:
        """The class registered under ``name``.

        Raises:
            PluginError: no such method, a broken plugin of that name, or several distributions claim it.
        """
        found = self.found.claims(kind, name)
        if not found:
            raise self._unknown(kind, name)
        # The framework's own come first: its protocols and defaults mean them. What a user types is checked before.
        if len(found) > 1 and found[0][0].distribution != OWN:
            raise _claimed(kind, name, found)
        return found[0][1]

    def check_unambiguous(self, kind: str, reference: Reference | str) -> None:
        """Refuses a reference, as typed by a user, that names a method which several distributions claim.

        Raises:
            PluginError: names the distributions, and how to say which one is meant.
        """
        if isinstance(reference, str) and kind == "dataset" and Path(reference).expanduser().exists():
            return
        wanted = parse_reference(reference) if isinstance(reference, str) else reference
        if kind == "compressor":
            wanted = self._selected(wanted)
        found = self.found.claims(kind, wanted.name)
        if len(found) > 1:
            raise _claimed(kind, wanted.name, found)
        if not found:
            return
        for key, info in found[0][1].model_fields.items():
            for nested in (item.kind for item in info.metadata if isinstance(item, OfKind)):
                value = wanted.values.get(key)
                for item in value if isinstance(value, tuple | list) else [value]:
                    if isinstance(item, Reference | str):
                        self.check_unambiguous(nested, item)

    @overload
    def build(self, kind: type[M], reference: Reference | str) -> M: ...
    @overload
    def build(self, kind: str, reference: Reference | str) -> Method: ...
    def build(self, kind: type[Method] | str, reference: Reference | str) -> Method:
        """Validates a reference and returns its method; nested references are made canonical.

        Raises:
            RequestError: unknown method or parameter, or a value out of bounds; names the nearest known ones.
        """
        kind = kind if isinstance(kind, str) else kind.kind
        wanted = parse_reference(reference) if isinstance(reference, str) else reference
        if kind == "model" and not wanted.values and (external := external_model(wanted.name)):
            return external
        if kind == "dataset" and (local := self._unregistered_dataset(wanted)):
            return local
        if kind == "compressor":
            wanted = self._selected(wanted)
        if kind == "teacher":
            wanted = _in_library(wanted)
        return self._construct(self.find(kind, wanted.name), wanted)

    def dataset(self, reference: Reference | str) -> Dataset:
        """A dataset by registered name, existing path, or hub id."""
        if isinstance(reference, str) and Path(reference).expanduser().exists() and not self._has("dataset", reference):
            return FolderDataset(path=reference)
        built = self.build("dataset", reference)
        assert isinstance(built, Dataset)
        return built

    # -- describing ------------------------------------------------------------------------------------------------

    def definition(self, method: Method) -> dict[str, Any]:
        """All that a method's result depends on, as JSON data: name, revision, changed parameters, nested methods."""
        parameters = {
            key: self._defined(value, type(method).model_fields[key].metadata)
            for key, value in method.changed().items()
        }
        found = {"kind": method.kind, "name": method.name, "revision": method.revision, "parameters": parameters}
        provider = self._provider_of(method)
        # Two distributions may give different methods one name; the framework's own are the ones without a mark.
        return (
            found
            if provider is None or provider.distribution == OWN
            else {**found, "distribution": provider.distribution}
        )

    def reference(self, method: Method) -> Reference:
        """The canonical reference; a selection by score goes under the score's own name."""
        values = {key: _plain(value) for key, value in method.changed().items()}
        if method.kind == "compressor" and method.name == SELECT:
            score = values.pop("score")
            if not self.found.claims("compressor", score.name):
                return Reference(name=score.name, values={**score.values, **values})
            values = {"score": score, **values}
        if isinstance(method, TimmModel | TorchvisionModel):
            return Reference(name=f"{method.name}/{method.id}")
        if method.kind == "teacher" and method.name in _LIBRARIES:
            return Reference(name=f"{method.name}/{values.pop('id')}", values=values)
        return Reference(name=self._spelled(method), values=values)

    def label(self, method: Method) -> str:
        """The canonical printed form."""
        return print_reference(self.reference(method))

    def provider(self, kind: str, name: str) -> Provider | None:
        """The distribution that provides a method; None for paths, hub ids and timm or torchvision models."""
        found = self.found.claims(kind, name)
        return found[0][0] if found else None

    def used(self, methods: Iterable[Method]) -> dict[str, str]:
        """Distribution -> version of every plugin that these methods, and the ones nested in them, come from."""
        versions: dict[str, str] = {}
        for method in methods:
            if provider := self._provider_of(method):
                versions[provider.distribution] = provider.version
            versions.update(self.used(self._nested(method)))
        return dict(sorted(versions.items()))

    def listing(self) -> list[Listed]:
        """Every method of every plugin, broken and clashing ones with the reason."""
        rows: list[Listed] = []
        for plugin in self.found.plugins:
            self.found.load(plugin)
            if plugin.error:
                rows.append(Listed("?", plugin.entry_point.name, plugin.provider, "broken", plugin.error))
            for method in plugin.methods:
                rivals = [p for p, _ in self.found.providers(method.kind, method.name) if p != plugin.provider]
                status = "clash" if rivals else "ok"
                reason = f"also claimed by {', '.join(map(str, rivals))}" if rivals else ""
                rows.append(Listed(method.kind, method.name, plugin.provider, status, reason, method))
        order = [*ALL_KINDS, "?"]
        return sorted(rows, key=lambda row: (order.index(row.kind), row.name, row.provider.distribution))

    # -- protocols -------------------------------------------------------------------------------------------------

    def protocols(self) -> dict[str, Protocol]:
        """Every registered protocol by id; a third party's unreadable file, or one with a taken id, only warns.

        Raises:
            RequestError: one of the framework's own files cannot be read.
        """
        found: dict[str, Protocol] = {}
        for plugin in self.found.plugins:
            self.found.load(plugin)
            for path in plugin.protocols:
                for file in protocol_files(path):
                    try:
                        protocol = load_protocol(file)
                        if protocol.id in found:
                            raise PluginError(
                                f"The protocol id {protocol.id!r} is taken already; {file} needs another."
                            )
                    except RequestError as error:
                        if plugin.provider.distribution == OWN:
                            raise
                        warnings.warn(f"A protocol of {plugin.provider} is left out: {error}", stacklevel=2)
                        continue
                    found[protocol.id] = protocol
        return found

    def protocol(self, name: str) -> Protocol:
        """A protocol by id, or by the path of its TOML file."""
        if name.endswith(".toml"):
            return load_protocol(Path(name))
        known = self._shipped_protocols()
        if name not in known:
            known = self.protocols()
        if name not in known:
            raise RequestError(
                f"Unknown protocol {name!r}. {nearest(name, known)} See `rethinkdc list-protocols`, "
                "or give a .toml file."
            )
        return known[name]

    def default_protocol(self, dataset: Dataset, schema: Schema, track: str) -> Protocol:
        """The protocol declared as default for this dataset, or for its exact sizes, and a labeler of this track.

        Args:
            dataset: a protocol that states no sizes is the default of its own dataset only.
            schema: the dataset's exact schema.
            track: the labeler's.

        Raises:
            RequestError: none, or several; names the candidates.
        """
        # A third party's default counts only where the framework has none: installing a package changes no result.
        for known in (self._shipped_protocols, self.protocols):
            fitting = [protocol for protocol in known().values() if protocol.admits(track) and protocol.fits(schema)]
            defaults = [protocol for protocol in fitting if protocol.default]
            chosen = [p for p in defaults if p.default_dataset == dataset.name]
            chosen = chosen or [p for p in defaults if p.data.train is not None]
            if len(chosen) == 1:
                return chosen[0]
        candidates = ", ".join(p.id for p in fitting) or "none fits this dataset and track"
        raise RequestError(
            f"No default protocol for {schema.classes} classes, {schema.train:,} training and {schema.test:,} test "
            f"images and {track} labels. "
            f"Candidates: {candidates}. Choose one with --protocol, or write your own TOML file."
        )

    def _shipped_protocols(self) -> dict[str, Protocol]:
        """Those of the framework itself, by id."""
        folders = [
            plugin
            for plugin in self.found.plugins
            if plugin.entry_point.name == "protocols" and plugin.provider.distribution == OWN
        ]
        for plugin in folders:
            self.found.load(plugin)
        files = (file for plugin in folders for path in plugin.protocols for file in protocol_files(path))
        return {protocol.id: protocol for protocol in map(load_protocol, files)}

    # -- inside ----------------------------------------------------------------------------------------------------

    def _provider_of(self, method: Method) -> Provider | None:
        if isinstance(method, _UNREGISTERED):
            return None
        found = self.found.providers(method.kind, method.name)
        return next((provider for provider, known in found if known is type(method)), None)

    def _spelled(self, method: Method) -> str:
        """The name that finds a method again: with its distribution where several claim the bare one."""
        provider = self._provider_of(method)
        if provider is None or len(self.found.providers(method.kind, method.name)) == 1:
            return method.name
        return f"{provider.distribution}/{method.name}"

    def _has(self, kind: str, name: str) -> bool:
        return bool(self.found.providers(kind, name))

    def _selected(self, wanted: Reference) -> Reference:
        """Reads a score's name as the compressor ``select`` on that score, unless a compressor has the name."""
        if self.found.claims("compressor", wanted.name) or not self.found.claims("score", wanted.name):
            return wanted
        fields = self.find("compressor", SELECT).model_fields
        own = {key: value for key, value in wanted.values.items() if key in fields}
        scores = {key: value for key, value in wanted.values.items() if key not in fields}
        return Reference(name=SELECT, values={"score": Reference(name=wanted.name, values=scores), **own})

    def _construct(self, method: type[Method], wanted: Reference) -> Method:
        try:
            built = method(**_with_score_file(method, wanted))
        except ValidationError as error:
            raise RequestError(_explain(method, wanted, error)) from None
        canonical = {
            key: self._canonical(getattr(built, key), kind.kind)
            for key, info in method.model_fields.items()
            for kind in info.metadata
            if isinstance(kind, OfKind)
        }
        return built.model_copy(update=canonical) if canonical else built

    def _canonical(self, value: Any, kind: str) -> Any:
        if isinstance(value, Reference):
            return self.reference(self.build(kind, value))
        if isinstance(value, tuple | list):
            return tuple(self._canonical(item, kind) for item in value)
        return value

    def _defined(self, value: Any, metadata: Iterable[Any]) -> Any:
        kinds = [item.kind for item in metadata if isinstance(item, OfKind)]
        if isinstance(value, Reference):
            return self.definition(self.build(kinds[0], value))
        if isinstance(value, str) and any(isinstance(item, Content) for item in metadata):
            return _content(value)
        if isinstance(value, tuple | list):
            return [self._defined(item, metadata) for item in value]
        return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

    def _nested(self, method: Method) -> Iterator[Method]:
        for key, info in type(method).model_fields.items():
            for kind in (item.kind for item in info.metadata if isinstance(item, OfKind)):
                value = getattr(method, key)
                for item in value if isinstance(value, tuple | list) else [value]:
                    if isinstance(item, Reference):
                        yield self.build(kind, item)

    def _unregistered_dataset(self, wanted: Reference) -> Method | None:
        if self._has("dataset", wanted.name):
            return None
        if Path(wanted.name).expanduser().exists():
            return FolderDataset(path=wanted.name)
        if wanted.name.startswith((".", "/", "~")):
            raise RequestError(
                f"No such dataset folder: {wanted.name}. Give an existing path, a known name or a hub id."
            )
        if wanted.name.count("/") == 1 and not self._distribution(wanted.name.partition("/")[0]):
            return HubDataset(repo=wanted.name)
        return None

    def _distribution(self, name: str) -> bool:
        return any(plugin.provider.distribution == name for plugin in self.found.plugins)

    def _unknown(self, kind: str, name: str) -> PluginError:
        for plugin in self.found.plugins:
            if plugin.entry_point.name == name and plugin.error:
                return PluginError(f"The plugin {name!r} of {plugin.provider} is broken: {plugin.error}")
        known = {row.name for row in self.listing() if row.kind == kind}
        if kind == "compressor":
            known |= {row.name for row in self.listing() if row.kind == "score"}
        extra = " A local folder or a hub id (user/name) is accepted too." if kind == "dataset" else ""
        return PluginError(f"Unknown {kind} {name!r}. {nearest(name, known)}{extra} See `rethinkdc list-plugins`.")


def _in_library(wanted: Reference) -> Reference:
    """Reads ``timm/NAME`` as the teacher ``timm`` with this id; the same for torchvision."""
    library, slash, identity = wanted.name.partition("/")
    if not slash or library not in _LIBRARIES:
        return wanted
    return Reference(name=library, values={"id": identity, **wanted.values})


def _claimed(kind: str, name: str, found: list[tuple[Provider, type[Method]]]) -> PluginError:
    claims = " and ".join(f"{provider} (as {provider.distribution}/{name})" for provider, _ in found)
    return PluginError(
        f"The {kind} name {name!r} is claimed by {claims}. "
        f"Say which one you mean, for example {found[0][0].distribution}/{name}."
    )


def _with_score_file(method: type[Method], wanted: Reference) -> dict[str, Any]:
    """Reads ``scores=FILE``, given to any method that takes a score, as the score ``file`` of that path."""
    values = wanted.values
    if "scores" not in values or "scores" in method.model_fields or "score" not in method.model_fields:
        return values
    if "score" in values:
        raise RequestError(f"{wanted.name}: give either score=NAME or scores=FILE, not both.")
    others = {key: value for key, value in values.items() if key != "scores"}
    return {"score": Reference(name=SCORE_FILE, values={"path": str(values["scores"])}), **others}


def _content(path: str) -> dict[str, str]:
    """What defines a method in place of a path: what the file says, wherever it lies and whatever its name."""
    try:
        return {"sha256": content_digest(Path(path).expanduser())}
    except OSError as error:
        raise RequestError(f"Cannot read {path}: {error.strerror}. Give an existing file or folder.") from error


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value


def _explain(method: type[Method], wanted: Reference, error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            problems.append(f"{wanted.name} has no parameter {key!r}. {nearest(key, method.model_fields)}")
        elif item["type"] == "missing":
            score = wanted.values.get("score")
            name = score.name if method.name == SELECT and isinstance(score, Reference) else wanted.name
            problems.append(
                f"{name} needs the parameter {key!r}, as in {name}:{key}=...: {method.model_fields[key].description}"
            )
        else:
            why = item["msg"].removeprefix("Value error, ")
            # Of several parameters together none is to blame, and the reason names them.
            found = f"{key} = {item['input']!r} is not valid: {why}" if key else why
            problems.append(f"{wanted.name}: {found}.")
    return " ".join(problems) + f" See `rethinkdc show {wanted.name}`."
