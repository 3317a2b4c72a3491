"""What the numbers of classes mean in files of ImageNet's kind: a number beside each class, or one class on a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rethinkdc.errors import DataError
from rethinkdc.files.matlab_files import read_structs
from rethinkdc.layouts.labelled import plain_name
from rethinkdc.storage import show_path

_KIT_FIRST = "n02119789"
"""The class of number 1 in the development kit of ImageNet 2012, which does not sort its classes."""


@dataclass(frozen=True)
class Numbers:
    """The class of each number.

    Attributes:
        path: the file that says so.
        classes: by number.
        counted: whether these are numbers of lines, counted from 0 here, and not numbers that the file gives.
    """

    path: Path
    classes: Mapping[int, str]
    counted: bool


def find_numbers(
    tables: Sequence[tuple[Path, Sequence[Sequence[str]]]], places: Sequence[Path], known: Mapping[str, str]
) -> Numbers | None:
    """Finds the file that numbers all classes: the kit's ``meta.mat``, a table with numbers, or a class on each line.

    Args:
        tables: text files by their cells.
        places: folders in which ``meta.mat`` may lie.
        known: the classes, by their plain names.
    """
    for place in places:
        if (kit := place / "meta.mat").is_file():
            return Numbers(kit, _read_kit(kit, known), counted=False)
    for path, rows in tables:
        if classes := _read_numbered(rows, known):
            return Numbers(path, classes, counted=False)
    for path, rows in tables:
        first = [known.get(plain_name(row[0].split()[0])) for row in rows if row[0]]
        if len(first) == len(known) and set(first) == set(known.values()):
            return Numbers(path, dict(enumerate(map(str, first))), counted=True)
    return None


def number_from(path: Path, given: Sequence[int], numbers: Numbers) -> list[str]:
    """The classes of the numbers that a file gives.

    Raises:
        DataError: a number has no class; or it is not clear whether lines count from 0 or 1, or they are not the kit's.
    """
    start = _first_number(path, given, numbers) if numbers.counted else 0
    classes = {number + start: name for number, name in numbers.classes.items()}
    if strange := sorted(set(given) - set(classes)):
        raise DataError(
            f"{show_path(path)} gives the class numbers {', '.join(map(str, strange[:8]))}, which "
            f"{show_path(numbers.path)} does not have; it has {min(classes)}..{max(classes)}."
        )
    return [classes[number] for number in given]


def _first_number(path: Path, given: Sequence[int], numbers: Numbers) -> int:
    count = len(numbers.classes)
    if min(given) == 0:
        return 0
    if max(given) < count and "ground_truth" not in path.name:
        raise DataError(
            f"{show_path(path)} gives the class numbers {min(given)}..{max(given)}: for the {count} lines of "
            f"{show_path(numbers.path)} they may count from 0 or from 1. Write the classes' names instead."
        )
    if numbers.classes[0] != _KIT_FIRST in numbers.classes.values():
        raise DataError(
            f"{show_path(path)} counts ImageNet's classes as its development kit does, where {_KIT_FIRST} is 1; "
            f"{show_path(numbers.path)} lists them in another order. Put the kit's data/meta.mat or map_clsloc.txt "
            "beside it, or a file with the class of each image."
        )
    return 1


def _read_numbered(rows: Sequence[Sequence[str]], known: Mapping[str, str]) -> dict[int, str] | None:
    """Reads a table whose rows hold a class and its number: ``n02119789 1 kit_fox``."""
    classes: dict[int, str] = {}
    for row in rows:
        cells = [cell for text in row for cell in text.split()]
        if len(cells) < 2 or plain_name(cells[0]) not in known or not cells[1].isdecimal():
            return None
        classes[int(cells[1])] = known[plain_name(cells[0])]
    return classes if len(classes) == len(rows) and set(classes.values()) == set(known.values()) else None


def _read_kit(path: Path, known: Mapping[str, str]) -> dict[int, str]:
    classes: dict[int, str] = {}
    for number, name in read_structs(path, "synsets", ("ILSVRC2012_ID", "WNID")):
        if (
            not isinstance(name, str)
            or not isinstance(number, tuple)
            or len(number) != 1
            or number[0] != number[0] // 1
        ):
            raise DataError(f"{show_path(path)} numbers a class {number!r}, which it calls {name!r}. Restore the file.")
        if (
            plain_name(name) in known
            and classes.setdefault(int(number[0]), known[plain_name(name)]) != known[plain_name(name)]
        ):
            raise DataError(f"{show_path(path)} gives the number {int(number[0])} to two classes. Restore the file.")
    if not classes:
        raise DataError(f"{show_path(path)} numbers none of the training images' classes. Restore the file.")
    return classes
