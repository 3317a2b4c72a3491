"""Inputs that people brought, in a folder that is no part of the project: where it is not, these tests are skipped.

The folder is that of ``RETHINKDC_CASES``, else ``../shared/cases`` beside the repository. Its ``ANSWERS.tsv`` names in
each line one file or several, and the right answer.
"""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from rethinkdc.plugins.datasets.digits import Digits
from rethinkdc.types import Images

PLACE = os.environ.get("RETHINKDC_CASES") or Path(__file__).parents[3] / "shared" / "cases"


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of the inputs."""
    folder = Path(PLACE)
    if not (folder / "ANSWERS.tsv").is_file():
        pytest.skip(f"there are no inputs at {folder}: set RETHINKDC_CASES to their folder")
    return folder


@pytest.fixture(scope="session")
def answers(cases: Path) -> dict[str, list[str]]:
    """What each line of the answers names, as FOLDER/NAME."""
    with (cases / "ANSWERS.tsv").open(encoding="utf-8") as file:
        lines = [row[0] for row in csv.reader(file, delimiter="\t")][1:]
    return {line: [name for token in _tokens(line) for name in _expand(cases, token)] for line in lines}


@pytest.fixture(scope="session")
def names_in(cases: Path, answers: dict[str, list[str]]) -> Callable[[str], set[str]]:
    """All inputs of one folder: those that lie there, and those that the answers name beside them."""

    def names(folder: str) -> set[str]:
        named = {name for found in answers.values() for name in found if name.startswith(f"{folder}/")}
        lying = {f"{folder}/{path.name}" for path in (cases / folder).iterdir()}
        return {name.removeprefix(f"{folder}/") for name in named | lying}

    return names


@pytest.fixture(scope="session")
def digits() -> Images:
    """The training images that the scores and rows belong to."""
    train: Images = Digits().load().train
    return train


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without the warnings that a reading prints: what they say is asserted where it is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _tokens(line: str) -> Iterator[str]:
    """``scores/a.npy, .npz`` and ``rows/a.npy b.pt``: later names take over what they lack from the one before."""
    folder, stem = "", ""
    for token in re.split(r"[ ,]+", line.partition(" + ")[0].strip()):
        folder, name = token.split("/", 1) if "/" in token else (folder, token)
        name = stem + name if name.startswith(".") else name
        stem = name.rpartition(".")[0] if "." in name else name
        yield f"{folder}/{name}"


def _expand(cases: Path, token: str) -> list[str]:
    folder, name = token.split("/", 1)
    found = [path.name for path in (cases / folder).iterdir() if fnmatch(path.name, name)] if "*" in name else []
    return [f"{folder}/{each}" for each in found] or [token]
