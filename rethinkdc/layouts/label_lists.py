"""Files that give the classes of a flat split: a table of names and classes, or a class for each image in order."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rethinkdc.errors import DataError
from rethinkdc.layouts.labelled import plain_name
from rethinkdc.layouts.synsets import Numbers, find_numbers, number_from
from rethinkdc.layouts.walking import is_hidden
from rethinkdc.storage import show_path

_ENDINGS = (".txt", ".csv", ".tsv")
_LARGEST = 64 << 20


@dataclass(frozen=True)
class LabelFile:
    """The classes that a file gives to images.

    Attributes:
        path: the file.
        classes: the class of each image, by its file name.
        used: all files that this needed.
        note: what was assumed; empty = nothing.
    """

    path: Path
    classes: Mapping[str, str]
    used: tuple[Path, ...]
    note: str = ""


def read_label_files(places: Sequence[Path], names: Sequence[str], class_names: Sequence[str]) -> list[LabelFile]:
    """Reads every file that gives classes to images: tables that name them; only where there is none, lists by order.

    Args:
        places: folders to look in, the preferred first.
        names: file names of the images, in the order of their paths.
        class_names: the classes that may be given.

    Raises:
        DataError: a file gives several classes to one image, or unknown ones to some.
    """
    known = {plain_name(name): name for name in class_names}
    tables = [(path, read_table(path)) for path in list_candidates(places)]
    named = [found for path, rows in tables if (found := _read_named(path, rows, names, known))]
    named = named or [found for path, rows in tables if (found := _read_numbered(path, rows, names, known, places))]
    if named:
        return named
    return [found for path, rows in tables if (found := _read_ordered(path, rows, names, known, places))]


def list_candidates(places: Sequence[Path]) -> Iterator[Path]:
    """Lists the text files that may give labels, those of the preferred folders first."""
    for place in places:
        for path in sorted(place.iterdir()):
            plain = path.suffix.lower() in _ENDINGS and not is_hidden(path.name) and path.is_file()
            if plain and path.stat().st_size <= _LARGEST:
                yield path


def read_table(path: Path) -> list[list[str]]:
    """Reads the cells of each line that is not empty: parted by tabs, semicolons or commas, or else by blanks.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"Cannot read {show_path(path)}: {error.strerror}. Check its permissions.") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    if mark := next((mark for mark in "\t;," if mark in first), None):
        # A NUL or an endless field would be an error of the parser; such files are no tables that name images.
        lines = [line for line in text.replace("\0", "").splitlines() if len(line) < csv.field_size_limit()]
        rows = csv.reader(lines, delimiter=mark)
        return [[cell.strip() for cell in row] for row in rows if any(map(str.strip, row))]
    return [line.split() for line in text.splitlines() if line.strip()]


def _read_named(
    path: Path, rows: Sequence[Sequence[str]], names: Sequence[str], known: Mapping[str, str]
) -> LabelFile | None:
    """Reads a table in which one column names images and one other column their classes; None where none does."""
    found = _find_images(rows, names)
    if found is None:
        return None
    at, pairs = found
    width = max(map(len, rows))
    given = {column: [_class_of(_cell(row, column), known) for _, row in pairs] for column in range(width)}
    given = {
        column: found for column, found in given.items() if column != at and 2 * sum(map(bool, found)) > len(pairs)
    }
    if not given:
        return None
    if len(set(map(tuple, given.values()))) > 1:
        raise DataError(
            f"{len(given)} columns of {show_path(path)} give classes, and they differ: columns "
            f"{', '.join(str(column + 1) for column in given)} of {width}. Leave one of them in the file."
        )
    column, classes = next(iter(given.items()))
    labelled = sum(_class_of(_cell(row, column), known) is not None for row in rows)
    more = labelled - sum(map(bool, classes))
    note = f"{show_path(path.name)} names {more:,} more images than are there." if more else ""
    return LabelFile(path, _pair_up(path, pairs, classes), (path,), note)


def _find_images(
    rows: Sequence[Sequence[str]], names: Sequence[str]
) -> tuple[int, list[tuple[str, Sequence[str]]]] | None:
    """Finds the column that names images, and the rows of those that are there; None where no column does."""
    images = {PurePosixPath(name).stem: name for name in names} | {name: name for name in names}
    width = max(map(len, rows), default=0)
    if width < 2 or len(set(names)) < len(names):
        return None
    hits = [sum(images.get(_cell(row, column, base=True)) is not None for row in rows) for column in range(width)]
    at = hits.index(max(hits))
    pairs = [(images[_cell(row, at, base=True)], row) for row in rows if _cell(row, at, base=True) in images]
    return (at, pairs) if pairs else None


def _read_numbered(
    path: Path, rows: Sequence[Sequence[str]], names: Sequence[str], known: Mapping[str, str], places: Sequence[Path]
) -> LabelFile | None:
    """Reads a table of two columns, images and the numbers of their classes; None where it is none."""
    found = _find_images(rows, names)
    if found is None or max(map(len, rows)) != 2:
        return None
    at, pairs = found
    given = [_cell(row, 1 - at) for _, row in pairs]
    numbers = _numbers_beside(path, places, known) if all(number.isdecimal() for number in given) else None
    if numbers is None:
        return None
    classes: list[str | None] = [*number_from(path, list(map(int, given)), numbers)]
    note = f"The numbers in {show_path(path.name)} count the classes as {numbers.path.name} does."
    return LabelFile(path, _pair_up(path, pairs, classes), (path, numbers.path), note)


def _numbers_beside(path: Path, places: Sequence[Path], known: Mapping[str, str]) -> Numbers | None:
    others = [(other, read_table(other)) for other in list_candidates(places) if other != path]
    return find_numbers(others, places, known)


def _pair_up(path: Path, pairs: Sequence[tuple[str, Sequence[str]]], given: Sequence[str | None]) -> dict[str, str]:
    classes: dict[str, str] = {}
    for (image, row), found in zip(pairs, given, strict=True):
        if found is None:
            raise DataError(f"{show_path(path)} gives the image {image} no class of the training images: {list(row)}.")
        if classes.setdefault(image, found) != found:
            raise DataError(f"{show_path(path)} gives the image {image} two classes: {classes[image]} and {found}.")
    return classes


def _cell(row: Sequence[str], column: int, *, base: bool = False) -> str:
    text = row[column] if column < len(row) else ""
    return PurePosixPath(text).name if base else text


def _class_of(cell: str, known: Mapping[str, str]) -> str | None:
    """The class that a cell names, alone or before the numbers of boxes, as in ``n03995372 85 1 499 272``."""
    whole = known.get(plain_name(cell))
    if whole or not cell:
        return whole
    named = {known[plain_name(word)] for word in cell.split() if plain_name(word) in known}
    return named.pop() if len(named) == 1 and plain_name(cell.split()[0]) in known else None


def _read_ordered(
    path: Path, rows: Sequence[Sequence[str]], names: Sequence[str], known: Mapping[str, str], places: Sequence[Path]
) -> LabelFile | None:
    """Reads a class, or the number of one, for each image in the order of their names."""
    lines = [row[0] for row in rows]
    if len(lines) != len(names) or any(len(row) > 1 for row in rows):
        return None
    by_order = f"{show_path(path.name)} was taken to list the images in the order of their names."
    named = [known.get(plain_name(line)) for line in lines]
    if all(named):
        # Every class just once: a list of the classes, not of the images' classes.
        if len(set(lines)) == len(lines) == len(known):
            return None
        return LabelFile(path, dict(zip(names, map(str, named), strict=True)), (path,), by_order)
    if not all(line.isdecimal() for line in lines):
        return None
    numbers = _numbers_beside(path, places, known)
    if numbers is None:
        return None
    classes = number_from(path, list(map(int, lines)), numbers)
    note = f"{by_order} Its numbers count the classes as {numbers.path.name} does."
    return LabelFile(path, dict(zip(names, classes, strict=True)), (path, numbers.path), note)
