"""Requests and machines as JSON data, so that another process, on whatever host, can carry out the same run.

What is written is made of the options themselves: one that is added travels too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.calls import AnyRequest, FinishedRequest, FinishedSet
from rethinkdc.runs.options import Options, option_fields
from rethinkdc.runs.request import Request
from rethinkdc.seeds import Seeds

T = TypeVar("T", bound=Options)


def write_request(asked: AnyRequest) -> dict[str, Any]:
    """The request as JSON data, which :func:`read_request` reads as the same one.

    Raises:
        RequestError: it holds a value of Python's that no file can hold, such as a set in memory.
    """
    if isinstance(asked, FinishedRequest):
        return {"set": write_options(asked.finished), "request": write_options(asked.request)}
    return {"request": write_options(asked)}


def read_request(content: Mapping[str, Any]) -> AnyRequest:
    """Reads what :func:`write_request` wrote.

    Raises:
        RequestError: it has an option that is not known here, or a value out of bounds.
    """
    request = read_options(Request, content["request"])
    return FinishedRequest(read_options(FinishedSet, content["set"]), request) if "set" in content else request


def write_options(values: Options) -> dict[str, Any]:
    """The options of a dataclass that are not as they are by default, as JSON data; paths as they are.

    Raises:
        RequestError: a value that no file can hold.
    """
    assert is_dataclass(values)
    held = ((one, getattr(values, one.name)) for one in option_fields(type(values)))
    return {one.name: _plain(one.flag, value) for one, value in held if not _same(value, one.default)}


def read_options(kind: type[T], content: Mapping[str, Any]) -> T:
    """Reads what :func:`write_options` wrote.

    Raises:
        RequestError: it has an option that is not known here, or a value out of bounds.
    """
    known = {field.name for field in fields(kind)}
    if unknown := [name for name in content if name not in known]:
        raise RequestError(
            f"The option {unknown[0]!r} is not known to this version of rethinkdc, which another one wrote. "
            f"{nearest(unknown[0], known)} Install the same version on all hosts."
        )
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
    if isinstance(values.get("seed"), Mapping):
        values["seed"] = Seeds.model_validate(values["seed"])
    return kind(**values)


def _plain(flag: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(flag, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(flag, inner) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise RequestError(
        f"{flag}: a {type(value).__name__} lives in this process alone, and cannot be sent to another. Give the path "
        "of a file or folder, or sweep without --engine."
    )


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


__all__ = ["read_options", "read_request", "write_options", "write_request"]
