"""Plain values as TOML text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from rethinkdc.errors import RequestError


def write_value(value: Any) -> str:
    """A value in one line; tables are inline ones.

    Raises:
        RequestError: TOML has no word for it, as for None.
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{write_key(key)} = {write_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | PurePath):
        return _quote(str(value))
    if isinstance(value, int | float):
        return repr(value)
    raise RequestError(f"{value!r} cannot be written in TOML.")


def write_key(key: str) -> str:
    """A key, quoted where it is no bare word."""
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else _quote(key)


def _quote(text: str) -> str:
    # JSON's escapes are among TOML's.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
