"""Protocol files: found, read and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.protocol.extending import EXTENDS, WITHOUT, line_in, read_chain, whole_content
from rethinkdc.protocol.protocol import Protocol, validated
from rethinkdc.protocol.toml_files import TomlFile
from rethinkdc.views import FindOps, ViewOp, foreign_names

STUDIES = "studies"
"""The folder beside protocols that holds studies, which are TOML files too."""
_AS_A_PATH = (".", "/", "~")
"""How a dataset begins that is a path for certain; others with a slash may be ids of the hub."""
_LOOKED_AT = 50
"""Keys of a file that may be misspelled."""
STUDY_KEYS = ("compressors", "runs", "include")
"""What makes a TOML file a study."""


def protocol_files(place: Path) -> list[Path]:
    """The protocol files below a folder, in order, but for those in a folder ``studies``; or the one file itself."""
    if not place.is_dir():
        return [place]
    return sorted(path for path in place.rglob("*.toml") if STUDIES not in path.relative_to(place).parts[:-1])


def load_protocol(path: Path, find_ops: FindOps | None = None) -> Protocol:
    """Reads a protocol file, with those that it extends.

    Args:
        path: the file.
        find_ops: finds the view ops of packages that it names; None = it may name none.

    Raises:
        RequestError: the file is missing, is no TOML or no protocol, or has unknown or wrong values, one line for each.
    """
    chain = read_chain(path)
    names = _foreign_names(chain)
    return _located(_read_protocol(chain, tuple(sorted(find_ops(names).items())) if names and find_ops else ()), chain)


def _located(protocol: Protocol, chain: tuple[TomlFile, ...]) -> Protocol:
    """The protocol with the path of its dataset, if it names one, taken from the file that says it."""
    named = protocol.default_dataset
    said = next((file.path for file in chain if "default_dataset" in file.content), None)
    if (
        named is None
        or said is None
        or not (named.startswith(_AS_A_PATH) or ("/" in named and (said.parent / named).exists()))
    ):
        return protocol
    return protocol.model_copy(update={"default_dataset": str((said.parent / Path(named).expanduser()).resolve())})


@lru_cache(maxsize=256)
def _foreign_names(chain: tuple[TomlFile, ...]) -> list[str]:
    return foreign_names([file.content for file in chain])


@lru_cache(maxsize=256)
def _read_protocol(chain: tuple[TomlFile, ...], view_ops: tuple[tuple[str, type[ViewOp]], ...]) -> Protocol:
    """Of the same texts the same value: a sweep asks for its protocols once for every run."""
    for file in chain:
        _check_file(file)
    return validated(whole_content(chain), str(chain[0].path), lambda place: line_in(chain, place), dict(view_ops))


def _check_file(file: TomlFile) -> None:
    if any(key in file.content for key in STUDY_KEYS):
        raise RequestError(f"{file.path} is a study, no protocol. Run it with `rethinkdc sweep {file.path}`.")
    known = [*Protocol.model_fields, EXTENDS, WITHOUT]
    check_purpose(file.content, known, f"{file.path} is no protocol", "`rethinkdc new-protocol` writes one.")
    if "overrides" in file.content:
        raise RequestError(f"{file.path}: 'overrides' is set by the command line only; change the values themselves.")


def load_protocols(place: Path, find_ops: FindOps | None = None) -> dict[str, Protocol]:
    """Reads a protocol file, or those below a folder, by id; arguments as of :func:`load_protocol`.

    Raises:
        RequestError: there is none, one cannot be read, or two have one id.
    """
    found: dict[str, Protocol] = {}
    for path in protocol_files(place):
        protocol = load_protocol(path, find_ops)
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
