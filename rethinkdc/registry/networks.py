"""Whether the networks that a protocol names exist, with parameters that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rethinkdc.errors import RequestError
from rethinkdc.method import Method
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.reference import Reference


def check_networks(protocol: Protocol, build: Callable[[str, Reference], Method], what: str) -> None:
    """Makes every method that the protocol names.

    Args:
        protocol: whose networks.
        build: makes a method from a kind and a reference (the registry's).
        what: what an error calls the protocol: its file.

    Raises:
        RequestError: unknown names and wrong parameters, one line for each.
    """
    tried = ((field, reference, _fault(build, kind, reference)) for field, kind, reference in _named(protocol))
    if faults := [f"{what}: {field} = {str(reference)!r}: {fault}" for field, reference, fault in tried if fault]:
        raise RequestError("\n".join([f"{what} names what cannot be built:", *faults]))


def _fault(build: Callable[[str, Reference], Method], kind: str, reference: Reference) -> str:
    try:
        build(kind, reference)
    except RequestError as error:
        return str(error)
    return ""


def _named(protocol: Protocol) -> Iterator[tuple[str, str, Reference]]:
    """Field, kind and reference of every method that a protocol names."""
    yield "student.model", "model", protocol.student.model
    for reference in protocol.transfer_students:
        yield "transfer_students", "model", reference
    if protocol.proxy:
        yield "proxy.model", "model", protocol.proxy.model
        for name, values in protocol.proxy.scores.items():
            yield f"proxy.scores.{name}", "score", Reference(name=name, values=values)
    for name, recipe in (protocol.teacher.recipes if protocol.teacher else {}).items():
        yield f"teacher.recipes.{name}.model", "model", recipe.model
