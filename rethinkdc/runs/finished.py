"""Finished sets, made here or elsewhere, in the place where a run has its compressor."""

from __future__ import annotations

from dataclasses import replace

from rethinkdc.context.cache import Cache
from rethinkdc.errors import RequestError
from rethinkdc.protocol.derived import DERIVED
from rethinkdc.registry.registry import Registry
from rethinkdc.runs.calls import AnyRequest
from rethinkdc.runs.definition import UNKNOWN, SetDefinition
from rethinkdc.runs.ground import Grounds
from rethinkdc.runs.identity import SetIdentity, identify_set
from rethinkdc.runs.opening import name_of
from rethinkdc.runs.request import Request
from rethinkdc.runs.resolving import Run, resolve_run


def resolve(
    asked: AnyRequest,
    registry: Registry,
    cache: Cache,
    *,
    identity: SetIdentity | None = None,
    grounds: Grounds | None = None,
) -> Run:
    """Resolves a request of either kind, without any training.

    A set of the hub that is not here yet is resolved in all but its key: see :attr:`Run.awaits_set`.

    Args:
        asked: what is to be run.
        registry: finds the methods.
        cache: knows datasets and sets that were seen before.
        identity: of the set, where it is known; None = by the book, or by reading it once.
        grounds: those of other requests of the same moment; None = this is the only one.

    Raises:
        RequestError: an unknown name, a value out of bounds, a set that cannot be read, or parts that do not go
            together.
    """
    if isinstance(asked, Request):
        return resolve_run(asked, registry, cache, grounds=grounds)
    known = identity or identify_set(asked.finished, cache.root)
    known = known or SetIdentity(fingerprint=f"{UNKNOWN}{asked.finished.images}", ipc=None)
    request, name = asked.request, name_of(asked.finished)
    protocol = request.protocol or protocol_of(known, name, request.dataset, registry)
    run = resolve_run(
        replace(request, protocol=protocol),
        registry,
        cache,
        finished=SetDefinition(name=name, fingerprint=known.fingerprint, ipc=known.ipc),
        seen_in_cells=known.seen_in_cells,
        grounds=grounds,
    )
    # How large a set is that nobody has here, nobody knows.
    names = run.names.model_copy(update={"ipc": "unknown"}) if run.awaits_set else run.names
    return replace(run, finished=asked.finished, names=names)


def protocol_of(identity: SetIdentity, name: str, dataset: str | None, registry: Registry) -> str | None:
    """The protocol that a set was made under, where a request names none.

    Raises:
        RequestError: it is a file of somebody's own, which a card cannot bring.
    """
    made_under = identity.protocol
    if not made_under or made_under in DERIVED or made_under in registry.protocols.all():
        return made_under or None
    digest = f", digest {identity.protocol_digest[:12]}" if identity.protocol_digest else ""
    data = "" if dataset else " and its data with --dataset"
    raise RequestError(
        f"The set {name} was made under the protocol {made_under}{digest}, which is not installed but a file: "
        f"give it with --protocol FILE.toml{data} (`rethinkdc list-protocols FOLDER` shows the files of a folder)."
    )
