"""What trackers tell of a run, as flat values that dashboards sort and filter by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def run_title(definition: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What people call a run: its methods, dataset and size, and its seeds: ``pca + hard, digits, ipc 1, seed 0``.

    Args:
        definition: of the run, as JSON data.
        names: of its parts.
    """
    seeds = definition["seeds"]
    others = [f"{axis}={seed}" for axis, seed in seeds.items() if seed != seeds["set"]]
    methods = f"{names['compressor']} + {names['labeler']}"
    return f"{methods}, {names['dataset']}, ipc {names['ipc']}, seed {', '.join([str(seeds['set']), *others])}"


def flat_settings(definition: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str | int]:
    """What a run is, one word or number each: the names of its parts, its seeds, and digests of protocol and data."""
    seeds = {f"seed_{axis}": seed for axis, seed in definition["seeds"].items()}
    digests = {"protocol_digest": definition["protocol"], "dataset_fingerprint": definition["dataset"]}
    return {**names, **seeds, **digests}


def final_figures(record: Mapping[str, Any]) -> dict[str, float]:
    """What a run measured and cost, by path: ``metrics/top1`` (a fraction), ``cost/seconds/proxy``.

    Args:
        record: as JSON data.
    """
    evaluation = record["evaluation"] or {}
    parts = {"metrics": evaluation.get("metrics") or {}, "cost": record["cost"] or {}}
    return dict(_flat(parts, ""))


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)
