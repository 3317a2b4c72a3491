"""The view ops that a protocol file can name: the framework's own, and those that packages bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, PlainValidator, SerializeAsAny, Tag, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError, to_json

from rethinkdc.views.base import CODE, CropOp, DifferentiableOp, MixOp, PixelOp, ViewOp
from rethinkdc.views.crop import RandomResizedCrop
from rethinkdc.views.cutmix import CutMix
from rethinkdc.views.dsa import Dsa
from rethinkdc.views.geometry import Affine, CropPad, Flip
from rethinkdc.views.mixup import MixUp
from rethinkdc.views.rand_augment import RandAugment
from rethinkdc.views.roll import Roll
from rethinkdc.views.shuffle import ShufflePatches

OwnViewOp = Annotated[
    RandomResizedCrop | Flip | CropPad | Roll | Affine | Dsa | RandAugment | ShufflePatches | CutMix | MixUp,
    Field(discriminator="op"),
]
"""The ops of the framework."""
OWN_OPS: dict[str, type[ViewOp]] = {
    str(op.model_fields["op"].default): op
    for op in (RandomResizedCrop, Flip, CropPad, Roll, Affine, Dsa, RandAugment, ShufflePatches, CutMix, MixUp)
}
"""The same by name."""

FindOps = Callable[[list[str]], Mapping[str, type[ViewOp]]]
"""Gives the ops of packages by name: of names that are asked for those that there are."""
VIEW_OPS = "view_ops"
"""Key of a validation's context: the ops of packages that are known, by name."""


def _is_own(value: Any) -> bool:
    """Whether a value is to be read as one of the framework's ops, or is no op at all."""
    if isinstance(value, ViewOp):
        return type(value) in OWN_OPS.values()
    name = value.get("op") if isinstance(value, Mapping) else None
    return not isinstance(name, str) or name in OWN_OPS


def _read_foreign(value: Any, info: ValidationInfo) -> ViewOp:
    """An op of a package, strictly: of JSON data, whose ``code`` must be that of what is installed."""
    if isinstance(value, ViewOp):
        return value
    known: Mapping[str, type[ViewOp]] = (info.context or {}).get(VIEW_OPS, {})
    op = known.get(value["op"])
    if op is None:
        told = {"discriminator": "'op'", "tag": value["op"], "known": sorted(known)}
        raise PydanticCustomError("union_tag_invalid", "no such view op", told)
    said = {**value, "op": op.model_fields["op"].default}
    code = said.pop(CODE, op.code)
    if code != op.code:
        raise ValueError(f"the view op {value['op']!r} of code {str(code)[:12]}; what is installed has {op.code[:12]}")
    try:
        return op.model_validate_json(to_json(said), strict=True)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ValueError(f"{value['op']}: {'; '.join(faults)}") from None


AnyViewOp = Annotated[
    Annotated[OwnViewOp, Tag("own")] | Annotated[SerializeAsAny[ViewOp], PlainValidator(_read_foreign), Tag("foreign")],
    Discriminator(lambda value: "own" if _is_own(value) else "foreign"),
]
"""Any op; those of packages are read where the validation's context has them under :data:`VIEW_OPS`."""


def foreign_names(content: Any) -> list[str]:
    """The names of ops in JSON data that are not the framework's, each once."""
    return sorted(set(_foreign_names(content)))


def _foreign_names(content: Any) -> Iterator[str]:
    if isinstance(content, Mapping):
        if isinstance(content.get("op"), str) and content["op"] not in OWN_OPS:
            yield content["op"]
        content = list(content.values())
    if isinstance(content, list | tuple):
        for item in content:
            yield from _foreign_names(item)


__all__ = [
    "OWN_OPS",
    "VIEW_OPS",
    "Affine",
    "AnyViewOp",
    "CropOp",
    "CropPad",
    "CutMix",
    "DifferentiableOp",
    "Dsa",
    "FindOps",
    "Flip",
    "MixOp",
    "MixUp",
    "OwnViewOp",
    "PixelOp",
    "RandAugment",
    "RandomResizedCrop",
    "Roll",
    "ShufflePatches",
    "ViewOp",
    "foreign_names",
]
