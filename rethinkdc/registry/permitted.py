"""Which third parties' plugins are used: those whose package a user names, and whose package is made for this API."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement

OWN = "rethinkdc"
"""The distribution of the framework itself."""
PERMITTED = "RETHINKDC_PLUGINS"
"""Environment: the distributions whose plugins are used, separated by commas; empty = no third party's; unset = all."""


class Permission:
    """Which distributions' plugins a user lets in."""

    def __init__(self) -> None:
        """Reads :data:`PERMITTED`."""
        given = os.environ.get(PERMITTED)
        words = [word.strip() for word in (given or "").split(",") if word.strip()]
        self._named = None if given is None else {_normal(word): word for word in words}

    def refusal(self, distribution: str) -> str:
        """Why the plugins of a distribution are not used; empty where they are. The framework's own always are."""
        if self._named is None or distribution == OWN or _normal(distribution) in self._named:
            return ""
        named = ", ".join(self._named.values()) or "no distribution"
        return f"{PERMITTED} (--plugins) names {named}"

    def warn_of_strangers(self, installed: Iterable[str]) -> None:
        """Warns of names that no installed distribution with plugins has."""
        known = {_normal(name) for name in installed}
        for name, spelled in (self._named or {}).items():
            if name not in known and name != OWN:
                warnings.warn(
                    f"{PERMITTED} (--plugins) names {spelled!r}, and no installed distribution of that name has "
                    "plugins. See `rethinkdc list-plugins`.",
                    stacklevel=5,
                )


def unmet(requirements: Iterable[str]) -> str:
    """What a distribution requires of the framework that the installed one is not; empty where there is nothing."""
    try:
        installed = version(OWN)
    except PackageNotFoundError:
        return ""
    for text in requirements:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if _normal(wanted.name) != OWN or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        if not wanted.specifier.contains(installed, prereleases=True):
            return f"it requires rethinkdc{wanted.specifier}; installed is {installed}"
    return ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


__all__ = ["OWN", "PERMITTED", "Permission", "unmet"]
