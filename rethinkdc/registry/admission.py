"""What a registered class must hold before anyone may ask for it."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from rethinkdc.contracts.engines import Engine
from rethinkdc.contracts.kinds import KINDS, Tracker
from rethinkdc.data.dataset import Dataset
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.models.model import Model
from rethinkdc.reference import print_value
from rethinkdc.views.op import OWN_OPS, CropOp, MixOp, PixelOp

ALL_KINDS: dict[str, type[Method]] = {**KINDS, "dataset": Dataset, "model": Model, "tracker": Tracker, "engine": Engine}


def check_class(method: Any) -> None:
    """Refuses a registered object that the framework could not use.

    Raises:
        PluginError: says what the contract asks for.
    """
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise PluginError(f"{method!r} is not a subclass of rethinkdc's Method.")
    base = ALL_KINDS.get(getattr(method, "kind", ""))
    if base is None or not issubclass(method, base):
        raise PluginError(
            f"{method.__name__} must subclass one of {', '.join(c.__name__ for c in ALL_KINDS.values())}."
        )
    name = getattr(method, "name", None)
    # Printed without quotes, so that references read it back; the slash belongs to distribution/name.
    if not isinstance(name, str) or print_value(name) != name or "/" in name:
        raise PluginError(f"{method.__name__}.name must be a plain name such as 'herding'.")
    for key, info in method.model_fields.items():
        words = {"true", "false", "none"} & _literals(info.annotation)
        if words:
            raise PluginError(
                f"{method.__name__}.{key} has the text {words.pop()!r} as a choice, which reads as a word of the "
                "grammar; use None or bool."
            )
    bare = [key for key, info in method.model_fields.items() if not info.description]
    if bare:
        raise PluginError(f"{method.__name__}: the fields {', '.join(bare)} have no description.")
    _check_described(method)


def check_view_op(op: Any) -> None:
    """Refuses a registered view op that no protocol could name or no renderer could use.

    Raises:
        PluginError: says what the contract asks for.
    """
    if not (isinstance(op, type) and issubclass(op, CropOp | PixelOp | MixOp)):
        raise PluginError(f"{op!r} is no view op: it must subclass CropOp, PixelOp, DifferentiableOp or MixOp.")
    name = op.model_fields["op"].default
    if not isinstance(name, str) or print_value(name) != name or "/" in name:
        raise PluginError(f'{op.__name__}.op must have a plain name, as in op: Literal["invert"] = "invert".')
    if name in OWN_OPS:
        raise PluginError(f"{op.__name__} has the name {name!r} of one of the framework's view ops; choose another.")
    if list(op.__pydantic_decorators__.model_serializers) != ["with_code"]:
        raise PluginError(f"{op.__name__} has a model_serializer of its own, which would leave its code out of keys.")


def _check_described(method: type[Method]) -> None:
    """Refuses what listings and ``show`` could not print."""
    for key in ("family", "paper"):
        if not isinstance(getattr(method, key), str):
            raise PluginError(f"{method.__name__}.{key} must be a text, found {getattr(method, key)!r}.")
    try:
        described = method.summary(), method.model_json_schema(), method.fields()
    except Exception as error:
        raise PluginError(f"{method.__name__} cannot be described: {type(error).__name__}: {error}") from error
    if not isinstance(described[0], str):
        raise PluginError(f"{method.__name__}.summary() must give a text, found {described[0]!r}.")


def _literals(annotation: Any) -> set[str]:
    """The texts among the choices of a ``Literal``, also inside a union."""
    if get_origin(annotation) is Literal:
        return {choice for choice in get_args(annotation) if isinstance(choice, str)}
    return set().union(*(_literals(inner) for inner in get_args(annotation)))
