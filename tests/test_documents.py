"""JSON and TOML of strangers: plain values, or one kind of error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rethinkdc.documents import DEEPEST, parse_json, parse_json_lines, parse_toml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN, st.booleans())
def test_what_json_says_is_read(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text) == value
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe{", "decode"),
        (b'"\xed\xa0\x80"', "decode"),
        (b'"\\ud800"', "surrogates"),
        (b'{"\\udfff": 1}', "surrogates"),
        (b"9" * 5000, "digits"),
        (b'[{"a": 1, "b": 2, "a": 3}]', "key 'a' twice"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "within each other"),
        (b"[" * 100_000, "within each other"),
        (b'{"a":' * 100_000, "within each other"),
        (b"[1] 2", "Extra data"),
    ],
)
def test_whatever_is_wrong_with_json_is_one_kind_of_error(text: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_json(text)


def test_a_whole_character_in_two_halves_is_read() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "😀"


def test_of_lines_the_wrong_one_is_named() -> None:
    assert parse_json_lines('{"a": 1}\n\n[2]') == [{"a": 1}, [2]]
    with pytest.raises(ValueError, match=r"line 2: .*twice"):
        parse_json_lines('[1]\n{"a": 1, "a": 2}')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a =", "Invalid value"),
        ("a = 1\na = 2", "overwrite"),
        (f"a = {'9' * 5000}", "digits"),
        (f"a = {'[' * 100}{']' * 100}", "within each other"),
        (f"a = {'[' * 100_000}", "within each other"),
        (f"a = {'{ b = ' * 5000}", "within each other"),
    ],
)
def test_whatever_is_wrong_with_toml_is_one_kind_of_error(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_toml(text)
