"""Protocol files: found, read and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol, validated
from rethinkdc.protocol.toml_files import parse_toml, read_toml_text

STUDIES = "studies"
"""The folder beside protocols that holds studies, which are TOML files too."""
_LOOKED_AT = 50
"""Keys of a file that may be misspelled."""
STUDY_KEYS = ("compressors", "runs", "include")
"""What makes a TOML file a study."""


def protocol_files(place: Path) -> list[Path]:
    """The protocol files below a folder, in order, but for those in a folder ``studies``; or the one file itself."""
    if not place.is_dir():
        return [place]
    return sorted(path for path in place.rglob("*.toml") if STUDIES not in path.relative_to(place).parts[:-1])


def load_protocol(path: Path) -> Protocol:
    """Reads a protocol file.

    Raises:
        RequestError: the file is missing, is no TOML or no protocol, or has unknown or wrong values, one line for each.
    """
    return _read_protocol(read_toml_text(path, "protocol file", "See `rethinkdc list-protocols`."), path)


@lru_cache(maxsize=256)
def _read_protocol(text: str, path: Path) -> Protocol:
    """Of the same text the same value: a sweep asks for its protocols once for every run."""
    file = parse_toml(text, path)
    if any(key in file.content for key in STUDY_KEYS):
        raise RequestError(f"{path} is a study, no protocol. Run it with `rethinkdc sweep {path}`.")
    check_purpose(file.content, Protocol.model_fields, f"{path} is no protocol", "`rethinkdc new-protocol` writes one.")
    if "overrides" in file.content:
        raise RequestError(f"{path}: 'overrides' is set by the command line only; change the values themselves.")
    return validated(file.content, str(path), lambda place: f"{path}, line {file.line(place)}: ")


def load_protocols(place: Path) -> dict[str, Protocol]:
    """Reads a protocol file, or those below a folder, by id.

    Raises:
        RequestError: there is none, one cannot be read, or two have one id.
    """
    found: dict[str, Protocol] = {}
    for path in protocol_files(place):
        protocol = load_protocol(path)
        if protocol.id in found:
            raise RequestError(f"Two files of {place} have the protocol id {protocol.id!r}; one of them is {path}.")
        found[protocol.id] = protocol
    if not found:
        raise RequestError(f"No protocol file (.toml) lies in {place}. `rethinkdc new-protocol` writes one.")
    return found


def check_purpose(content: Mapping[str, Any], known: Iterable[str], wrong: str, next_step: str) -> None:
    """Refuses in a line a file that was written for something else, as no key at its top is known or near.

    Args:
        content: what the file says.
        known: the keys that a file of the right kind has.
        wrong: how the error begins.
        next_step: how it ends.

    Raises:
        RequestError: names what the file has.
    """
    names = list(known)
    if any(key in names for key in content):
        return
    if any(difflib.get_close_matches(key, names, cutoff=0.7) for key in list(content)[:_LOOKED_AT]):
        return
    raise RequestError(f"{wrong}: it has {', '.join(map(repr, content)) or 'nothing'}. {next_step}")
