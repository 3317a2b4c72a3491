"""Which class of a dataset each class of a foreign set is: by its name, or by the number that its name is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.layouts.labelled import plain_name

_NUMBERED = re.compile(r"(new|class)?[ _-]?(\d+)")
_NUMBER_AND_NAME = re.compile(r"(\d+)[ _.-]+(.*\D.*)")
_SHOWN = 5


class ClassPlaces(NamedTuple):
    """Where the classes of a set stand among those of a dataset.

    Attributes:
        places: int64, an index into the dataset's classes for each of the set's.
        told: how they were found, for the record; empty where the names are the dataset's own.
        named: whether they were found by their names, which proves their order; else by numbers, which prove nothing.
    """

    places: Tensor
    told: str = ""
    named: bool = False


def class_places(class_names: tuple[str, ...], known: tuple[str, ...], dataset: str) -> ClassPlaces:
    """Finds where each class of a set stands among the dataset's: by its name, else by the number that its name is.

    Published trees number their classes ``00007``, ``new007``, ``class_7`` or ``7_horse``; sorted as text, 10 comes
    before 7. A number without a word counts as an index only where the dataset has no class of that number elsewhere.

    Args:
        class_names: the set's classes.
        known: the dataset's.
        dataset: what to call it in errors.

    Raises:
        RequestError: neither names nor numbers fit, numbers start at 1, or may be meant in two ways.
    """
    ours, theirs = list(map(plain_name, known)), list(map(plain_name, class_names))
    plain = [_NUMBERED.fullmatch(name) for name in class_names]
    # Some of the classes are known by their names too, unless those are numbers, which may be indices.
    same = set(theirs) == set(ours) or (set(theirs) < set(ours) and not any(plain))
    if same and len(set(ours)) == len(known) and len(set(theirs)) == len(theirs):
        return ClassPlaces(torch.tensor([ours.index(name) for name in theirs]), named=True)
    if all(plain):
        numbers = [int(match[2]) for match in plain if match]
        if any(match[1] for match in plain if match):
            return _by_index(numbers, class_names, known, dataset)
        return _by_bare_number(numbers, class_names, known, dataset)
    named = [_NUMBER_AND_NAME.fullmatch(name) for name in class_names]
    if all(named):
        numbers = [int(match[1]) for match in named if match]
        _check_words([match[2] for match in named if match], numbers, class_names, known, dataset)
        return _by_index(numbers, class_names, known, dataset)
    raise _unknown(class_names, known, dataset)


def index_places(class_names: tuple[str, ...], known: tuple[str, ...]) -> ClassPlaces:
    """The places of classes that are bare indices: a label 2 is the dataset's class of index 2, whatever its name."""
    return ClassPlaces(torch.arange(min(len(class_names), len(known))), _tell_misleading(known))


def _tell_misleading(known: tuple[str, ...]) -> str:
    """Says what an index is where a class has that number for a name and another place; empty where none has."""
    for place, name in enumerate(known):
        if name.isdecimal() and int(name) != place and int(name) < len(known):
            return (
                f"classes: labels were taken as indices, so that {place} is the class called {name}, and not as names"
            )
    return ""


def check_numbers(numbers: Sequence[int], count: int, dataset: str) -> None:
    """Refuses class indices that a dataset of ``count`` classes has not; says so where they start at 1.

    Raises:
        RequestError: the largest is beyond the last class.
    """
    low, high = min(numbers, default=0), max(numbers, default=0)
    if high < count:
        return
    if low == 1 and high == count:
        raise RequestError(
            f"The set's classes are numbered 1 to {high}; those of {dataset} are counted from 0, {count} classes to "
            f"{count - 1}. Subtract 1 where they come from: labels - 1, or names one lower for folders."
        )
    raise RequestError(f"The set has class {high}; {dataset} has {count} classes.")


def _by_index(numbers: list[int], class_names: tuple[str, ...], known: tuple[str, ...], dataset: str) -> ClassPlaces:
    if len(set(numbers)) != len(numbers):
        raise _unknown(class_names, known, dataset)
    check_numbers(numbers, len(known), dataset)
    told = f"classes: {class_names[0]} is index {numbers[0]} ({known[numbers[0]]}), and so on"
    return ClassPlaces(torch.tensor(numbers), told)


def _by_bare_number(
    numbers: list[int], class_names: tuple[str, ...], known: tuple[str, ...], dataset: str
) -> ClassPlaces:
    """Classes called by a number alone: an index, or another spelling of the dataset's own numbers."""
    own = {int(name): place for place, name in enumerate(known) if name.isdecimal()}
    by_name = [own[number] for number in numbers if number in own]
    if len(by_name) == len(numbers) == len(set(numbers)) and max(numbers) >= len(known):
        # No index is that large: only the names can be meant.
        told = f"classes: {class_names[0]} is the dataset's {known[by_name[0]]}, and so on"
        return ClassPlaces(torch.tensor(by_name), told, named=True)
    for name, number in zip(class_names, numbers, strict=True):
        if own.get(number, number) != number < len(known):
            raise RequestError(
                f"The set's class {name!r} may be class {known[own[number]]!r} of {dataset}, or its class of index "
                f"{number}, which is called {known[number]!r}. Name the classes as the dataset does, or write "
                f"class_{number} for an index."
            )
    return _by_index(numbers, class_names, known, dataset)


def _check_words(
    words: list[str], numbers: list[int], class_names: tuple[str, ...], known: tuple[str, ...], dataset: str
) -> None:
    """Refuses a number beside a name where the dataset has that class at another place."""
    for name, word, number in zip(class_names, words, numbers, strict=True):
        if word in known and known.index(word) != number:
            raise RequestError(
                f"The set's class {name} is number {number}, but {word} is class {known.index(word)} of {dataset}. "
                "Rename the set's classes to the dataset's names alone."
            )


def _unknown(class_names: tuple[str, ...], known: tuple[str, ...], dataset: str) -> RequestError:
    return RequestError(
        f"The set's classes ({', '.join(class_names[:_SHOWN])}, ...) are not those of {dataset} "
        f"({', '.join(known[:_SHOWN])}, ...). Name them as the dataset does, or by their index: 0, 1, ..., class_0 or "
        "0_name."
    )
