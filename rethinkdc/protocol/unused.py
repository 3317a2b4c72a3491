"""Which values of a protocol nothing uses beside the others: what printers and writers leave out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rethinkdc.training.recipe import Optimizer, Schedule

_BY_OPTIMIZER = {"adamw": {"momentum", "nesterov"}, "sgd": {"betas"}}
_BY_SCHEDULE = {
    "cosine": {"milestones", "gamma"},
    "linear": {"milestones", "gamma"},
    "constant": {"milestones", "gamma", "warmup"},
    "step": {"stretch"},
}
_DEFAULTS: dict[str, Mapping[str, Any]] = {
    "optimizer": Optimizer().model_dump(mode="json"),
    "schedule": Schedule().model_dump(mode="json"),
}


def leave_out_unused(content: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a protocol as JSON data without those that cannot change anything.

    Of an optimiser that is what belongs to the other one, of a schedule what its kind does not read; and everywhere
    what is none or an empty table. A value that was set on purpose stays, since the digest covers it.
    """
    kept: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping) and set(value) != {"name", "values"}:
            value = leave_out_unused(_used(key, value))
        elif isinstance(value, list):
            value = [leave_out_unused(item) if _is_view(item) else item for item in value]
        if value not in (None, {}):
            kept[key] = value
    return kept


def _used(key: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    idle = {"optimizer": _BY_OPTIMIZER, "schedule": _BY_SCHEDULE}.get(key, {}).get(str(part.get("name")), set())
    return {name: value for name, value in part.items() if name not in idle or value != _DEFAULTS[key].get(name)}


def _is_view(item: Any) -> bool:
    return isinstance(item, Mapping) and "op" in item
