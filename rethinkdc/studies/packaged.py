"""The studies that packages of others bring, beside those that come with the framework."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rethinkdc.protocol.reading import STUDIES
from rethinkdc.registry.registry import Registry
from rethinkdc.studies.shipped import shipped_studies, studies_below


def packaged_studies(registry: Registry | None = None) -> dict[str, Path]:
    """The studies in folders ``studies`` beside the protocols of third parties' packages, as ``distribution/name``.

    Args:
        registry: knows the packages; None = those that are installed.
    """
    return {
        f"{provider.distribution}/{name}": path
        for provider, folder in (registry or Registry()).protocols.folders()
        for name, path in studies_below(folder / STUDIES).items()
    }


def known_studies(name: str) -> dict[str, Path]:
    """Where to look a name up; packages are asked only for one that the framework has not, and that is no path.

    Their studies have their bare names too, where no other package's has the same.
    """
    shipped = shipped_studies()
    if name in shipped or name.endswith(".toml"):
        return shipped
    packaged = packaged_studies()
    bare = [full.partition("/")[2] for full in packaged]
    alone = {short: packaged[full] for full, short in zip(packaged, bare, strict=True) if Counter(bare)[short] == 1}
    return {**packaged, **alone, **shipped}
