"""What is wrong with a file of values: one line for each fault."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from rethinkdc.protocol.toml_files import Place
from rethinkdc.reference import Reference

_MISSING = ("missing", "missing_argument")
_SAID = ("value_error", "assertion_error")
_LONGEST = 60
_SHOWN = 12
_MOST = 50
"""Faults of one file that are told."""
_PLAIN = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_OTHER_TYPE = ("type", "parsing", "from_float")
"""How the names of errors end that say no more than that a value is of another type."""


def list_faults(
    error: ValidationError, content: Mapping[str, Any], kind: Any, where: Callable[[Place], str] = lambda _: ""
) -> list[str]:
    """One line for each fault: place, field, what was found, what is expected, the nearest name; in their order.

    Args:
        error: what validation says.
        content: what was validated; of a table no more than that it is one is repeated.
        kind: the model or dataclass that it should be.
        where: what a line begins with, from the place of the fault.
    """
    by_place: dict[Place, list[Any]] = defaultdict(list)
    errors = error.errors()
    for item in errors[:_MOST]:
        by_place[_place(item, content)].append(item)
    # A value that fits no alternative is wrong in each; the fault is what lies deepest.
    inner = [place for place in by_place if not any(_below(other, place) for other in by_place)]
    told = [where(place) + _describe(place, by_place[place], content, kind) for place in inner]
    return [*told, *([f"and {len(errors) - _MOST:,} more"] if len(errors) > _MOST else [])]


def fields_of(kind: Any) -> dict[str, Any]:
    """The fields of a model or a pydantic dataclass, with their types; of a union those of all its members."""
    return {
        name: info.annotation
        for one in _alternatives(kind)
        for name, info in (
            getattr(one, "model_fields", None) or getattr(one, "__pydantic_fields__", None) or {}
        ).items()
    }


def expected(kind: Any) -> str:
    """A type in words: ``a whole number``, ``'squash' or 'centre'``, ``a table with the fields ...``."""
    texts: dict[str, None] = {}
    for one in _alternatives(kind):
        origin = get_origin(one)
        if one is Reference:
            texts["a name, or a reference such as name:key=value"] = None
        elif origin is Literal:
            texts[" or ".join(repr(word) for word in get_args(one))] = None
        elif origin in (tuple, list):
            texts[_expected_list(get_args(one))] = None
        elif fields_of(one):
            texts[f"a table with the fields {_some(list(fields_of(kind)))}"] = None
        elif one is not type(None):
            texts[_PLAIN.get(one, "a table")] = None
    return " or ".join(texts)


def _place(item: Any, content: Any) -> Place:
    """Where a fault is in the content: without the names of the alternatives that were tried."""
    place: Place = ()
    node = content
    for part in item["loc"]:
        for key in (part, str(part)):
            if _holds(node, key):
                place, node = (*place, key), node[key]
                break
    # What is missing is in no content; a view without its op is none.
    if item["type"] in _MISSING:
        return (*place, item["loc"][-1])
    return (*place, item["ctx"]["discriminator"].strip("'")) if item["type"].startswith("union_tag") else place


def _holds(node: Any, key: str | int) -> bool:
    if isinstance(node, Mapping):
        return key in node
    return isinstance(node, list | tuple) and isinstance(key, int) and key < len(node)


def _below(place: Place, other: Place) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _describe(place: Place, items: list[Any], content: Any, kind: Any) -> str:
    item = items[0]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    value, there = _value(place, content)
    if item["type"] in _MISSING:
        return f"{name} is missing: expected {expected(_type_at(kind, place))}"
    found = f"{name} = {_found(value)}" if there else name
    if item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{found}: no such field. {_near(str(place[-1]), fields_of(_type_at(kind, place[:-1])))}"
    said = _problem(items, _type_at(kind, place))
    return f"{found}: {said}" if name else said


def _problem(items: list[Any], kind: Any) -> str:
    # Of several alternatives, the one that was read so far that it has something to say.
    item = next((each for each in items if each["type"] in _SAID), items[0])
    if item["type"] in _SAID:
        return str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "literal_error":
        words = item["ctx"]["expected"]
        return f"expected {words}.{_close(str(item['input']), words.replace(' or ', ', ').split(', '))}"
    if item["type"].startswith("union_tag"):
        known = [*_words(kind), *item["ctx"].get("known", ())]
        words, close = ", ".join(map(repr, known)), _close(item["ctx"].get("tag", ""), known)
        missing = " Or a package that brings it is missing: see `rethinkdc list-plugins --kind view-op`."
        return f"expected one of {words}.{close}{missing if 'known' in item['ctx'] else ''}"
    if item["type"] == "too_short":
        return f"expected at least {item['ctx']['min_length']}, each {expected(_item_type(kind))}"
    if "[key]" in item["loc"]:
        return "as a key: expected a whole number"
    bounded = [each for each in items if not each["type"].endswith(_OTHER_TYPE)]
    # A value of the type of one alternative alone, beyond its bounds.
    item = bounded[0] if len(bounded) == 1 else item
    if len(bounded) > 1 or item["type"].endswith(_OTHER_TYPE):
        return f"expected {expected(kind) or item['msg'].removeprefix('Input should be ')}"
    return str(item["msg"]).replace("Input should be ", "expected a value ").replace("Tuple", "List")


def _item_type(kind: Any) -> Any:
    return next((get_args(one)[0] for one in _alternatives(kind) if get_args(one)), None)


def _type_at(kind: Any, place: Place) -> Any:
    """The type of what lies at a place; of several that fit the union."""
    kinds = [kind]
    for part in place:
        kinds = [inner for one in kinds for inner in _types_below(one, part)]
    return Union[tuple(kinds)] if kinds else None  # noqa: UP007 - made of a list


def _types_below(kind: Any, part: str | int) -> Iterable[Any]:
    for one in _alternatives(kind):
        origin, inner = get_origin(one), get_args(one)
        if part in (fields := fields_of(one)):
            yield fields[str(part)]
        elif origin in (tuple, list) and isinstance(part, int) and inner:
            yield inner[0]
        elif origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            yield inner[1]


def _alternatives(kind: Any) -> list[Any]:
    origin = get_origin(kind)
    if origin is Annotated:
        return _alternatives(get_args(kind)[0])
    if origin in (Union, UnionType):
        return [one for member in get_args(kind) for one in _alternatives(member)]
    return [kind]


def _expected_list(inner: tuple[Any, ...]) -> str:
    if not inner or inner[-1] is Ellipsis:
        return f"a list, each {expected(inner[0])}" if inner else "a list"
    return f"a list of {len(inner)}, each {expected(inner[0])}"


def _words(kind: Any) -> list[str]:
    """The words that a type admits."""
    return [word for one in _alternatives(kind) if get_origin(one) is Literal for word in get_args(one)]


def _value(place: Place, content: Any) -> tuple[Any, bool]:
    for part in place:
        if not _holds(content, part):
            return None, False
        content = content[part]
    return content, True


def _found(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    if isinstance(value, list | tuple) and (len(text) > _LONGEST or any(isinstance(one, Mapping) for one in value)):
        return f"a list of {len(value)}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]}...{text[-1]}"


def _near(name: str, known: Iterable[str]) -> str:
    return _close(name, known).strip() or f"Known: {_some(list(known))}."


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, [word.strip("'\"") for word in known], n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
