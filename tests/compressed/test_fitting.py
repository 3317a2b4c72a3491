"""The classes of a set in the dataset's order."""

from __future__ import annotations

import unicodedata

import pytest

from rethinkdc.compressed.fitting import class_places
from rethinkdc.errors import RequestError

SORTED_AS_TEXT = tuple(sorted(map(str, range(12))))


@pytest.mark.parametrize("names", [tuple(f"{index:05}" for index in range(12)), ("0", "1", "2")])
def test_a_number_that_is_a_place_and_another_classs_name_is_refused(names: tuple[str, ...]) -> None:
    """Sorted as text, the class of index 2 is named 10."""
    with pytest.raises(
        RequestError, match=r"The set's class '0*2' may be the class '2' of some, or its number 2, .*'10'"
    ):
        class_places(names, SORTED_AS_TEXT, "some")


def test_classes_counted_from_1_are_not_taken_for_places() -> None:
    with pytest.raises(RequestError, match="'001' may be the class '1' of some, or its number 1, which is '2'"):
        class_places(("000", "001", "002"), ("1", "2", "3"), "some")


def test_numbers_that_are_place_and_name_at_once_and_names_that_say_so_are_read() -> None:
    assert class_places(("00001", "00000"), ("0", "1", "2"), "some").tolist() == [1, 0]
    assert class_places(("class 2", "class 10"), SORTED_AS_TEXT, "some").tolist() == [2, 10]
    assert class_places(SORTED_AS_TEXT[::-1], SORTED_AS_TEXT, "some").tolist() == list(range(11, -1, -1))


def test_names_are_the_same_in_every_unicode_form() -> None:
    names = tuple(unicodedata.normalize("NFD", name) for name in ("z", "caf\u00e9"))
    assert class_places(names, ("caf\u00e9", "z"), "some").tolist() == [1, 0]
