"""Says what methods are: what defines one, whose they are, and all that is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rethinkdc.errors import RequestError
from rethinkdc.method import Content, Method
from rethinkdc.notes import MethodCode
from rethinkdc.reference import Reference
from rethinkdc.registry.admission import ALL_KINDS
from rethinkdc.registry.finding import Finder
from rethinkdc.registry.plugins import Plugin, Plugins
from rethinkdc.registry.providers import OWN, Provider
from rethinkdc.storage import content_digest

TRACKER = "tracker"
"""What listings call a plugin that hears run events."""
VIEW_OP = "view-op"
"""What listings call a view op, which protocols name."""
UNKNOWN = "?"
"""The kind of a plugin that is broken before it says what it is."""


@dataclass(frozen=True)
class Listed:
    """One row of ``list-plugins``; ``method`` is None for trackers without parameters and for what is broken.

    Attributes:
        module: what the entry point imports.
        status: ``ok``; or its name is another's too (``clash``), it cannot be imported or breaks the contract
            (``broken``), its package asks for another version of the framework (``incompatible``), or the user did not
            name its package (``disabled``).
    """

    kind: str
    name: str
    provider: Provider
    module: str = ""
    status: Literal["ok", "clash", "broken", "incompatible", "disabled"] = "ok"
    reason: str = ""
    summary: str = ""
    method: type[Method] | None = None


def define(method: Method, finder: Finder, build: Callable[[str, Reference], Method]) -> dict[str, Any]:
    """All that a method's result depends on, as JSON data: name, revision, changed parameters, nested methods.

    Args:
        method: what is defined.
        finder: knows its distribution.
        build: makes the methods that its references name.

    Raises:
        RequestError: a file whose content defines it cannot be read.
    """
    kinds = method.naming_fields()

    def defined(key: str, value: Any) -> Any:
        if isinstance(value, Reference):
            return define(build(kinds[key], value), finder, build)
        if isinstance(value, str) and any(
            isinstance(mark, Content) for mark in type(method).model_fields[key].metadata
        ):
            return _content(value)
        if isinstance(value, tuple | list):
            return [defined(key, item) for item in value]
        return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

    parameters = {key: defined(key, value) for key, value in method.changed().items()}
    found = {"kind": method.kind, "name": method.name, "revision": method.revision, "parameters": parameters}
    # Two distributions may give different methods one name; the framework's own are the ones without a mark.
    claim = finder.claim_of(method)
    if claim is None or claim.provider.distribution == OWN:
        return found
    # Of the framework's own methods the revision is held by tests; of others nothing but the code tells.
    return {**found, "distribution": claim.provider.distribution, "code": claim.plugin.code.digest}


def codes_of(
    methods: Iterable[Method], finder: Finder, build: Callable[[str, Reference], Method]
) -> tuple[MethodCode, ...]:
    """The code of methods and of the ones nested in them, each once; paths and hub ids have none."""
    found: list[MethodCode] = []
    for method in methods:
        if claim := finder.claim_of(method):
            code, values = claim.plugin.code, method.model_dump(mode="json")
            own = MethodCode(
                method=f"{method.kind} {method.name}",
                distribution=claim.provider.distribution,
                version=claim.provider.version,
                digest=code.digest,
                editable=claim.provider.editable,
                unseen=code.unseen,
                parameters=values,
            )
            found.append(own)
        nested = [build(kind, inner) for _, kind, inner in method.references() if inner is not None]
        found += codes_of(nested, finder, build)
    return tuple(sorted(_once(found), key=lambda one: (one.method, one.distribution)))


def _once(codes: Iterable[MethodCode]) -> list[MethodCode]:
    kept: list[MethodCode] = []
    for one in codes:
        if one not in kept:
            kept.append(one)
    return kept


def used_distributions(
    methods: Iterable[Method], finder: Finder, build: Callable[[str, Reference], Method]
) -> dict[str, str]:
    """Distribution -> version of every plugin that these methods, and the ones nested in them, come from."""
    versions: dict[str, str] = {}
    for method in methods:
        if provider := finder.provider(method):
            versions[provider.distribution] = provider.version
        nested = [build(kind, inner) for _, kind, inner in method.references() if inner is not None]
        versions.update(used_distributions(nested, finder, build))
    return dict(sorted(versions.items()))


def list_installed(plugins: Plugins, finder: Finder) -> list[Listed]:
    """Every method and tracker of every plugin; broken ones and those whose name is another's with the reason."""
    rows = {row: None for plugin in plugins.load_all() for row in _rows_of(plugin, finder)}
    order = [*ALL_KINDS, VIEW_OP, UNKNOWN]
    return sorted(rows, key=lambda row: (order.index(row.kind), row.name, row.provider.distribution))


def _rows_of(plugin: Plugin, finder: Finder) -> Iterable[Listed]:
    if plugin.error:
        yield Listed(UNKNOWN, plugin.name, plugin.provider, plugin.module, plugin.refused or "broken", plugin.error)
    if plugin.events:
        yield Listed(TRACKER, plugin.name, plugin.provider, plugin.module, summary=plugin.summary)
    for op in plugin.view_ops:
        name, summary = str(op.model_fields["op"].default), (op.__doc__ or "").strip().split("\n", 1)[0]
        yield Listed(VIEW_OP, name, plugin.provider, plugin.module, summary=summary)
    for method in plugin.methods:
        claims = finder.claims(method.kind, method.name)
        rivals = [str(claim.provider) for claim in claims if claim.method is not method]
        reason = f"also claimed by {', '.join(rivals)}" if rivals else ""
        if not claims:
            owner = plugin.provider.distribution
            reason = f"another plugin's entry point has the name; ask for {owner}/{method.name}"
        status: Literal["ok", "clash"] = "clash" if reason else "ok"
        yield Listed(method.kind, method.name, plugin.provider, plugin.module, status, reason, method.summary(), method)


def _content(path: str) -> dict[str, str]:
    """What defines a method in place of a path: what the file says, wherever it lies and whatever its name."""
    try:
        return {"sha256": content_digest(Path(path).expanduser())}
    except OSError as error:
        raise RequestError(f"Cannot read {path}: {error.strerror}. Give an existing file or folder.") from error
