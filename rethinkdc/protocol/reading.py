"""Protocol files: found, read and checked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol, validated

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same reader under its older name
    import tomli as tomllib


STUDIES = "studies"
"""The folder beside protocols that holds studies, which are TOML files too."""


def protocol_files(place: Path) -> list[Path]:
    """The protocol files below a folder, in order, but for those in a folder ``studies``; or the one file itself."""
    if not place.is_dir():
        return [place]
    return sorted(path for path in place.rglob("*.toml") if STUDIES not in path.relative_to(place).parts[:-1])


def read_toml(path: Path, what: str, next_step: str) -> dict[str, Any]:
    """The content of a TOML file.

    Args:
        path: the file.
        what: what an error calls it.
        next_step: what an error about a missing file recommends.

    Raises:
        RequestError: the file cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"Cannot read the {what} {path}: {error.strerror}. {next_step}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} is not valid TOML: {error}.") from error


def load_protocol(path: Path) -> Protocol:
    """Reads a protocol file.

    Raises:
        RequestError: the file is missing, is no TOML, or has unknown or wrong values; names file, key and value.
    """
    content = read_toml(path, "protocol file", "See `rethinkdc list-protocols`.")
    if "overrides" in content:
        raise RequestError(f"{path}: 'overrides' is set by the command line only; change the values themselves.")
    return validated(content, str(path))
