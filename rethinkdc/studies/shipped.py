"""The studies and the published values that come with the framework."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from rethinkdc.errors import RequestError, nearest

_REPORTED = "reported"
"""The folder beside the studies that holds published values."""


def shipped_studies() -> dict[str, Path]:
    """The studies by name, such as ``digits-small`` or ``small/baselines``."""
    return {name: path for name, path in studies_below(_folder()).items() if not name.startswith(f"{_REPORTED}/")}


def shipped_reported() -> dict[str, Path]:
    """The files of published values by name."""
    return studies_below(_folder() / _REPORTED)


def find_shipped(name: str, shipped: Mapping[str, Path], what: str) -> Path:
    """The file that a user names by its path, ending in ``.toml``, or by the name of a shipped one.

    Raises:
        RequestError: no shipped one has this name; ``what`` is what the error calls it.
    """
    if name.endswith(".toml"):
        return Path(name).expanduser()
    if name not in shipped:
        raise RequestError(f"Unknown {what} {name!r}. {nearest(name, shipped)} Or give the path of a .toml file.")
    return shipped[name]


def _folder() -> Path:
    return Path(str(resources.files("rethinkdc.protocols"))) / "studies"


def studies_below(folder: Path) -> dict[str, Path]:
    """The TOML files below a folder by their places in it, without the suffix; nothing where there is no folder."""
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.toml"))}
