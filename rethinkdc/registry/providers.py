"""The entry points of the installed distributions, and whose they are, also where metadata are damaged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Any

from rethinkdc.contracts.hooks import GROUP
from rethinkdc.registry.permitted import OWN, unmet
from rethinkdc.storage import show_path
from rethinkdc.texts import visible


@dataclass(frozen=True)
class Provider:
    """The distribution that a method comes from.

    Attributes:
        distribution: its name; the name of its folder of metadata where these have none.
        version: its version; "unknown" where the metadata have none.
        fault: what is wrong with its metadata.
        editable: whether it is a checkout, whose code changes without its version.
        unmet: what it requires of the framework that the installed one is not.
    """

    distribution: str
    version: str
    fault: str = ""
    editable: bool = False
    unmet: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Offer:
    """One entry point and its distribution; ``fault`` tells why the entry point cannot be read."""

    point: EntryPoint
    provider: Provider
    fault: str = ""


def installed_offers() -> Iterator[Offer]:
    """Every entry point of the group, of each distribution that comes first on the path under its name.

    A distribution whose entry points cannot be read hides no other one.
    """
    seen: set[str] = set()
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "_", _folder_name(distribution).partition("-")[0]).lower()
        if name in seen:
            continue
        seen.add(name)
        yield from _offers_of(distribution)


def offers_of(points: list[EntryPoint]) -> list[Offer]:
    """The given entry points with their distributions."""
    # Each name and version is read out of a file, which many entry points share.
    found = {id(point.dist): point.dist for point in points}
    providers = {key: _provider(distribution) for key, distribution in found.items()}
    return [Offer(point, providers[id(point.dist)]) for point in points]


def has_plugins(distribution: str) -> bool:
    """Whether an installed distribution of this name has plugins; none is imported."""
    return any(offer.provider.distribution == distribution for offer in installed_offers())


def _offers_of(distribution: Distribution) -> list[Offer]:
    try:
        points = [point for point in distribution.entry_points if point.group == GROUP]
        return offers_of(points)
    except Exception as error:
        # Whatever package it is, a file of it that cannot be read must not break every command.
        if not _speaks_of_us(distribution):
            return []
        fault = f"its entry_points.txt cannot be read ({type(error).__name__}: {error})"
        name = _folder_name(distribution).partition("-")[0]
        return [Offer(EntryPoint(name=name, value="", group=GROUP), _provider(distribution), fault)]


def _provider(distribution: Distribution | None) -> Provider:
    if distribution is None:
        return Provider("unknown", "0")
    name, version = (_read(distribution, word) for word in ("Name", "Version"))
    missing = [word for word, found in (("name", name), ("version", version)) if not found]
    fault = f"its metadata tell no {' and no '.join(missing)}" if missing else ""
    known = name or _folder_name(distribution).partition("-")[0]
    needs = "" if known == OWN else unmet(_requirements(distribution))
    return Provider(known, version or "unknown", fault, _is_editable(distribution), needs)


def _requirements(distribution: Distribution) -> list[str]:
    try:
        return list(distribution.requires or ())
    except Exception:
        # Missing, or not even text.
        return []


def _is_editable(distribution: Distribution) -> bool:
    try:
        return bool(json.loads(distribution.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable"))
    except (OSError, ValueError, AttributeError):
        return False


def _read(distribution: Distribution, word: str) -> str:
    try:
        found: Any = distribution.metadata[word]
    except Exception:
        # Missing, or not even text.
        return ""
    return visible(found.strip()) if isinstance(found, str) else ""


def _folder(distribution: Distribution) -> Path | None:
    place = getattr(distribution, "_path", None)
    return place if isinstance(place, Path) else None


def _folder_name(distribution: Distribution) -> str:
    """``acme_far-1.0`` of ``acme_far-1.0.dist-info``."""
    folder = _folder(distribution)
    return visible(show_path(folder.stem)) if folder else _read(distribution, "Name")


def _speaks_of_us(distribution: Distribution) -> bool:
    folder = _folder(distribution)
    try:
        return folder is not None and GROUP.encode() in (folder / "entry_points.txt").read_bytes()
    except OSError:
        return False


__all__ = ["OWN", "Offer", "Provider", "has_plugins", "installed_offers", "offers_of"]
