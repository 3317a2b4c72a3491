"""JSON and TOML that strangers wrote, as plain values or refused: whatever is wrong with a text is one kind of error.

Their parsers raise several: of the syntax, of numbers with more digits than Python converts, of nesting beyond its
stack, of text that no encoding has. They also let a key stand twice, of which one value would be lost. Imports nothing
heavy.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same reader under its older name
    import tomli as tomllib

if TYPE_CHECKING:
    from pydantic import ValidationError

DEEPEST = 64
"""Lists and tables within each other; whoever walks through them may do so by recursion."""


def parse_json(text: str | bytes) -> Any:
    """Parses one JSON value; bytes in the encoding that they begin with, UTF-8 as a rule.

    NaN and infinities are read, as most programs write them.

    Raises:
        ValueError: it is no JSON, has a key twice, nests too deeply, or holds numbers or texts that nothing can hold.
    """
    try:
        plain = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
        # Asked for each number only where one may be that large: it takes time.
        parse_float = _finite if _BEYOND.search(plain) else None
        value = json.loads(plain, object_pairs_hook=_once, parse_float=parse_float)
        _check_depth(value)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if "\\u" in plain:
        # Half a character: no file and no terminal takes it.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def parse_json_lines(text: str) -> list[Any]:
    """Parses one JSON value on each line that is not empty; as :func:`parse_json`, and names the line."""
    values = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(parse_json(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return values


def parse_toml(text: str) -> dict[str, Any]:
    """Parses a TOML document.

    Raises:
        ValueError: it is no TOML, nests too deeply, or holds numbers that nothing can hold.
    """
    try:
        content = tomllib.loads(text)
        _check_depth(content)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return content


def first_fault(error: ValidationError) -> str:
    """The first thing that is wrong with a document, and where: ``card.ipc: Input should be a valid integer``."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])


_BEYOND = re.compile(r"[eE]\+?\d{3}|\d{300}")
_TOO_DEEP = f"more than {DEEPEST} lists and tables lie within each other"


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is larger than any that is computed with")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has the key {next(name for name in names if names.count(name) > 1)!r} twice")
    return content


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one) if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
