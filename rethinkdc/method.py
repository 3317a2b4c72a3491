"""Methods are frozen pydantic models: the fields of a plugin's class are its hyper-parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from rethinkdc.reference import Reference


class Method(BaseModel):
    """Base of everything a plugin can register.

    The fields are the method's hyper-parameters: typed, bounded, each with a one-line description and its paper's
    default. ``revision`` is raised whenever the method's results change, because it enters every digest.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True, validate_default=True
    )

    kind: ClassVar[str]
    name: ClassVar[str]
    revision: ClassVar[int] = 1
    family: ClassVar[str] = ""
    paper: ClassVar[str] = ""

    @classmethod
    def summary(cls) -> str:
        """First line of the docstring: what tables show."""
        return (cls.__doc__ or "").strip().split("\n", 1)[0]

    @classmethod
    def fields(cls) -> dict[str, FieldInfo]:
        """The hyper-parameters in printing order: a class's own before those that it inherits."""
        own = inspect.get_annotations(cls)
        return dict(sorted(cls.model_fields.items(), key=lambda item: item[0] not in own))

    def changed(self) -> dict[str, Any]:
        """The fields whose value differs from the default, in declaration order."""
        fields = self.fields()
        return {
            key: value
            for key, value in ((key, getattr(self, key)) for key in fields)
            if fields[key].is_required() or value != fields[key].get_default(call_default_factory=True)
        }

    @classmethod
    def naming_fields(cls) -> dict[str, str]:
        """The fields that name other methods, each with the kind that it names."""
        marks = ((key, mark) for key, info in cls.model_fields.items() for mark in info.metadata)
        return {key: mark.kind for key, mark in marks if isinstance(mark, OfKind)}

    def references(self) -> Iterator[tuple[str, str, Reference | None]]:
        """Goes through what the fields name: field, kind and reference, one for each item of a list.

        The reference is None where the field is left open, which means the protocol's own.
        """
        for key, kind in self.naming_fields().items():
            value = getattr(self, key)
            for item in value if isinstance(value, tuple) else (value,):
                yield key, kind, item


@dataclass(frozen=True)
class OfKind:
    """Tells which kind of method a :class:`Reference` field names: ``Annotated[Reference, OfKind("score")]``."""

    kind: str


def named_methods(method: Method, kind: str, build: Callable[[str, Reference], Method]) -> Iterator[Reference | None]:
    """What the parameters of a method, and of those nested in it, name of one kind; None for one that is left open.

    Args:
        method: where to look.
        kind: what to look for.
        build: makes a method from a kind and a reference (the registry's).
    """
    for _, named, reference in method.references():
        if named == kind:
            yield reference
        if reference is not None:
            yield from named_methods(build(named, reference), kind, build)


@dataclass(frozen=True)
class Content:
    """Marks a path whose *content* defines the method: ``Annotated[str, Content()]``.

    The path itself is printed, so that the reference can be read again here; definitions and digests hold the SHA-256
    of what the file says, so that they are the same on every machine.
    """
