"""Public functions whose parameters are the options of a dataclass."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ForwardRef, ParamSpec, TypeVar, cast, get_args

from rethinkdc.errors import RequestError, nearest
from rethinkdc.offline import connection
from rethinkdc.runs.options import OptionField, option_fields

P = ParamSpec("P")
C = TypeVar("C")
R = TypeVar("R")


def _spelled(value: Any, signature: inspect.Signature, name: str) -> Any:
    """A path as text, where an option takes text alone: what is a file on the command line may be a path here."""
    taken = get_args(signature.parameters[name].annotation) or (signature.parameters[name].annotation,)
    return str(value) if isinstance(value, Path) and Path not in taken and str in taken else value


def takes(call: Callable[P, C]) -> Callable[[Callable[[C], R]], Callable[P, R]]:
    """Makes a function of a dataclass of options public: it then takes each option by itself.

    Signature, help and completion show the options. What does not fit them is a :class:`RequestError` that names the
    public function, ``rdc.`` before its name, and the nearest option.

    Args:
        call: the dataclass.
    """
    listed = option_fields(cast(type, call))
    signature = inspect.Signature([_parameter(one) for one in listed])

    def publish(function: Callable[[C], R]) -> Callable[P, R]:
        public = f"rdc.{function.__name__}"

        def asked(*given: P.args, **options: P.kwargs) -> R:
            if unknown := [name for name in options if name not in signature.parameters]:
                raise RequestError(
                    f"{public} has no option {unknown[0]!r}. {nearest(unknown[0], signature.parameters)}"
                )
            try:
                bound = signature.bind(*given, **options)
            except TypeError as error:
                raise RequestError(f"{public}: {error}. Its parameters: {signature}.") from None
            bound.arguments = {name: _spelled(value, signature, name) for name, value in bound.arguments.items()}
            made = call(*bound.args, **bound.kwargs)
            with connection(getattr(made, "offline", False)):
                return function(made)

        asked.__name__ = asked.__qualname__ = function.__name__
        asked.__module__ = function.__module__
        asked.__doc__ = _documented(inspect.getdoc(function) or "", listed)
        returned = inspect.signature(function).return_annotation
        shown = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        asked.__annotations__ = {**shown, "return": returned}
        # What inspect, help and completion read.
        asked.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
        return asked

    return publish


def _parameter(one: OptionField) -> inspect.Parameter:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if one.positional else inspect.Parameter.KEYWORD_ONLY
    shown = one.type.__forward_arg__ if isinstance(one.type, ForwardRef) else one.type
    return inspect.Parameter(one.name, kind, default=one.default, annotation=shown)


def _documented(text: str, listed: list[OptionField]) -> str:
    """The docstring with a section for the options, before what it says of results and errors."""
    options = "\n".join(f"    {one.name}: {one.option.help}" for one in listed)
    about, *rest = re.split(r"\n\n(?=Returns:|Raises:)", text, maxsplit=1)
    return "\n\n".join([about, f"Args:\n{options}", *rest])


__all__ = ["takes"]
