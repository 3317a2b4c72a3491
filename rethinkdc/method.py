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
    for key, info in type(method).model_fields.items():
        for named in (item.kind for item in info.metadata if isinstance(item, OfKind)):
            value = getattr(method, key)
            items = value if isinstance(value, tuple | list) else [value]
            if named == kind:
                yield from (item if isinstance(item, Reference) else None for item in items)
            for item in items:
                if isinstance(item, Reference):
                    yield from named_methods(build(named, item), kind, build)


@dataclass(frozen=True)
class Content:
    """Marks a path whose *content* defines the method: ``Annotated[str, Content()]``.

    The path itself is printed, so that the reference can be read again here; definitions and digests hold the SHA-256
    of what the file says, so that they are the same on every machine.
    """
