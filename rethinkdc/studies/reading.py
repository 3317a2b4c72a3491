"""Study files: found, read strictly, and checked with all that they include."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rethinkdc.errors import RequestError
from rethinkdc.protocol.faults import list_faults
from rethinkdc.protocol.reading import STUDY_KEYS, check_purpose
from rethinkdc.protocol.toml_files import TomlFile, read_toml
from rethinkdc.studies.packaged import known_studies
from rethinkdc.studies.shipped import find_shipped
from rethinkdc.studies.study import Study


def load_study(name: str | Path) -> Study:
    """Reads a study, by the path of its file or the name of a shipped or a package's one, and those that it includes.

    Raises:
        RequestError: there is none, or it has unknown or wrong values, one line for each; or studies include each
            other.
    """
    return _load(str(name), (), {})


def _load(name: str, through: tuple[Path, ...], known: dict[str, Study]) -> Study:
    """Reads a study; ``through`` are the files that include it, one in the other, ``known`` those read before."""
    if name not in known:
        known[name] = _read_study(name, through, known)
    return known[name]


def _read_study(name: str, through: tuple[Path, ...], known: dict[str, Study]) -> Study:
    path = find_shipped(name, known_studies(name), "study")
    file = read_toml(path, "study", "Give the path of a .toml file, or the name of a shipped study.")
    content, names = file.content, [field.name for field in fields(Study)]
    if any(key in content for key in ("student", "extends")) and not any(key in content for key in STUDY_KEYS):
        raise RequestError(f"{path} is a protocol, no study. Use it with --protocol {path}.")
    check_purpose(content, names, f"{path} is no study", 'A study has a line such as compressors = ["random", "pca"].')
    included, faults = _included(file, (*through, path.resolve()), known)
    try:
        values = {**content, "include": included} if "include" in content else content
        study = TypeAdapter(Study).validate_python(values, context={"folder": path.parent})
        study.blocks()
    except ValidationError as error:
        faults += list_faults(error, content, Study, lambda place: f"{path}, line {file.line(place)}: ")
    except RequestError as error:
        faults.append(f"{path}: {error}")
    if faults:
        raise RequestError("\n".join([f"{path} is not a valid study:", *faults]))
    return study


def _included(
    file: TomlFile, through: tuple[Path, ...], known: dict[str, Study]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The studies that a file includes, and what is wrong with them."""
    named = file.content.get("include", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        where = f"{file.path}, line {file.line(('include',))}: include"
        return [], [f"{where}: expected a list of texts, each the path of a study file or the name of a shipped study"]
    included, faults = [], []
    for index, name in enumerate(named):
        try:
            place = str((file.path.parent / Path(name).expanduser()).resolve()) if name.endswith(".toml") else name
            _check_chain(place, through)
            included.append({"name": place, "study": _load(place, through, known)})
        except RequestError as error:  # noqa: PERF203 - each may be wrong in its own way
            faults.append(f"{file.path}, line {file.line(('include', index))}: include[{index}] = {name!r}: {error}")
    return included, faults


def _check_chain(name: str, through: tuple[Path, ...]) -> None:
    path = find_shipped(name, known_studies(name), "study").resolve()
    if path in through:
        chain = [*through[through.index(path) :], path]
        raise RequestError(f"studies include each other: {' includes '.join(each.name for each in chain)}.")
