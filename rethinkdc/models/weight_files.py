"""Weights out of a file, however its trainer wrapped them: which entry they are, and what was left out."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from rethinkdc.errors import RequestError
from rethinkdc.files.first_bytes import name_file
from rethinkdc.files.torch_files import read_torch

_ANEW = "torch.save(model.state_dict(), FILE), or safetensors.torch.save_file."
_ENTRIES = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net_state_dict",
    "net",
    "network",
    "weights",
    "params",
)
"""Where trainers put weights, the first that is there counts: averaged weights are those that they report."""
_DEPTH = 4
_SHOWN = 6


class Weights(NamedTuple):
    """Tensors of a network by their names, as a file has them.

    Attributes:
        tensors: by name.
        told: what was chosen and what left out, for the record.
    """

    tensors: dict[str, Tensor]
    told: tuple[str, ...] = ()


def read_weights(path: Path, entry: str | None = None) -> Weights:
    """Reads the state dict in a file, out of the containers that trainers put around it.

    Args:
        path: ``.safetensors``, or what torch.save wrote; nothing but tensors and plain values is loaded.
        entry: where in the file they are: names and numbers with dots between, such as ``student.state_dict``, or what
            the names of the wanted tensors begin with; None = found by the names in common use.

    Raises:
        RequestError: the file cannot be read, or what it holds is no state dict or several; names them.
    """
    content = _load(path)
    found, told = (content, []) if entry is None else (_walk(content, entry, path), [f"entry {entry}"])
    place = _find(found, path, entry)
    for key in place:
        left = sorted(str(name) for name in found if name != key)
        told.append(f"entry {key!r}" + (f", left out: {_list(left)}" if left else ""))
        found = found[key]
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if others := [str(name) for name in found if str(name) not in tensors]:
        told.append(f"left out, no tensors: {_list(others)}")
    return Weights(tensors, tuple(told))


def _load(path: Path) -> Any:
    if path.suffix != ".safetensors":
        return read_torch(path, _ANEW)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise RequestError(f"Cannot read the weights {path}: {error.strerror or error}.") from error
    except SafetensorError as error:
        if zipfile.is_zipfile(path):
            raise RequestError(f"{path} is no safetensors file but a zip archive, as .pt and .npz are.") from error
        known = name_file(path) or f"is damaged, or no safetensors file: {error}"
        raise RequestError(f"{path} {known}.") from error


def _find(content: Any, path: Path, entry: str | None) -> tuple[str, ...]:
    """The keys that lead to the one state dict in ``content``."""
    if not isinstance(content, Mapping) or not _holds_state(content):
        places = [".".join(place) for place in _states(content)]
        more = f" It holds {len(places)} state dicts: choose with entry={' or entry='.join(places[:3])}, ..."
        where = path if entry is None else f"{path}, entry {entry},"
        raise RequestError(
            f"{where} holds no state dict: found {_describe(content)}.{more if places else ''} Known: tensors by name, "
            f"alone or below one of {', '.join(_ENTRIES)}."
        )
    inner = [key for key, value in content.items() if isinstance(value, Mapping) and _holds_state(value)]
    usual = [key for key in _ENTRIES if key in inner]
    if usual:
        return usual[0], *_find(content[usual[0]], path, entry)
    if _is_state(content):
        return ()
    if len(inner) > 1:
        raise RequestError(f"{path} holds several networks: choose one with entry={' or entry='.join(inner)}.")
    return inner[0], *_find(content[inner[0]], path, entry)


def _walk(content: Any, entry: str, path: Path) -> Any:
    """What lies at an entry: below keys and list numbers, or all tensors whose names begin with it."""
    parts = entry.split(".")
    for place, part in enumerate(parts):
        if isinstance(content, Mapping) and part in content:
            content = content[part]
        elif isinstance(content, list | tuple) and part.isdecimal() and int(part) < len(content):
            content = content[int(part)]
        else:
            start = ".".join([*parts[place:], ""])
            names = list(content) if isinstance(content, Mapping) else []
            inside = {str(name)[len(start) :]: content[name] for name in names if str(name).startswith(start)}
            if not inside:
                raise RequestError(f"{path} has no entry {entry}: at {part!r} it holds {_describe(content)}.")
            return inside
    return content


def _is_state(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, str) for key in content) and any(isinstance(value, Tensor) for value in content.values())


def _holds_state(content: Mapping[Any, Any], depth: int = _DEPTH) -> bool:
    if _is_state(content):
        return True
    inner = [value for value in content.values() if isinstance(value, Mapping)]
    return depth > 0 and any(_holds_state(value, depth - 1) for value in inner)


def _states(content: Any, depth: int = _DEPTH) -> Iterator[tuple[str, ...]]:
    """Places of state dicts in lists and mappings."""
    if isinstance(content, Mapping) and _is_state(content):
        yield ()
        return
    inner = content.items() if isinstance(content, Mapping) else enumerate(content) if _is_list(content) else ()
    for key, value in inner if depth else ():
        yield from ((str(key), *place) for place in _states(value, depth - 1))


def _holds_bare(content: Any, depth: int = _DEPTH) -> bool:
    """Whether lists, also within lists, hold tensors: as buffers of trainings keep the parameters of each epoch."""
    return any(
        isinstance(value, Tensor) or (depth > 0 and _is_list(value) and _holds_bare(value, depth - 1))
        for value in content
    )


def _is_list(content: Any) -> bool:
    return isinstance(content, list | tuple)


def _describe(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a mapping of {_list([str(key) for key in content])}" if content else "an empty mapping"
    if _is_list(content):
        bare = ", tensors without names" if _holds_bare(content) else ""
        return f"a list of {len(content)}{bare}"
    return type(content).__name__


def _list(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
