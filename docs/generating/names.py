"""The reference of Python: what the faces name, and the hooks."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable
from importlib import import_module
from types import ModuleType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from docs.generating.docstrings import as_markdown, docstring
from docs.generating.markdown import code, plain, table
from rethinkdc.contracts import hooks

FACES = {
    "python": ("rethinkdc", "Python functions"),
    "contracts": ("rethinkdc.contracts", "Contracts"),
    "pruning": ("rethinkdc.pruning", "Family: pruning"),
    "combination": ("rethinkdc.combination", "Family: combination"),
    "distillation": ("rethinkdc.distillation", "Family: distillation"),
    "labels": ("rethinkdc.labels", "Family: labels"),
    "evaluation": ("rethinkdc.evaluation", "Family: evaluation"),
    "data": ("rethinkdc.data", "Data"),
    "models": ("rethinkdc.models", "Models"),
    "testing": ("rethinkdc.testing", "Testing"),
}
"""Page -> module and title; what they name in ``__all__`` is public, and nothing else."""


def name_pages() -> dict[str, str]:
    """Path -> page of each face, and of the hooks."""
    pages = {f"reference/{page}.md": _face(*found) for page, found in FACES.items() if page != "models"}
    return {**pages, "reference/networks.md": _face(*FACES["models"]), "reference/hooks.md": _hooks()}


def _face(module: str, title: str) -> str:
    face = import_module(module)
    lines = [f"# {title}\n", f"`import {module}`\n", _about(face)]
    return "\n".join([*lines, *(_section(name, getattr(face, name), face) for name in face.__all__)])


def _about(face: ModuleType) -> str:
    return docstring(face)


def _section(name: str, thing: Any, face: ModuleType) -> str:
    return "\n".join([f"## {name}\n", _signature(name, thing), _told(name, thing, face), _members(thing)])


def _signature(name: str, thing: Any) -> str:
    if inspect.isclass(thing) and (issubclass(thing, BaseModel) or issubclass(thing, enum.Enum | BaseException)):
        bases = ", ".join(base.__name__ for base in thing.__bases__)
        return f"```text\nclass {name}({bases})\n```\n"
    if callable(thing) and not get_args(thing):
        try:
            words = "class " if inspect.isclass(thing) else ""
            return f"```text\n{words}{_wrapped(name, inspect.signature(thing))}\n```\n"
        except (TypeError, ValueError):
            return ""
    return f"```text\n{name} = {_value(thing)}\n```\n"


def _wrapped(name: str, signature: inspect.Signature) -> str:
    """On one line where it fits a page, else a line for each parameter."""
    text = _plain_types(f"{name}{signature}")
    if len(text) <= 100:
        return text
    words = [_plain_types(str(one)) for one in signature.parameters.values()]
    kinds = [one.kind for one in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        words.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    back = signature.return_annotation
    ends = "" if back is inspect.Signature.empty else f" -> {_plain_types(inspect.formatannotation(back))}"
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){ends}"


def _plain_types(text: str) -> str:
    """Types without the modules that they lie in, and without quotes."""
    text = re.sub(r"<(?:function|object|factory)\b.*? at 0x[0-9a-f]+>|<factory>", "...", text)
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", "", text.replace("'", ""))
    text = re.sub(r"\bForwardRef\((.*?)\)", r"\1", re.sub(r"\bNoneType\b", "None", text))
    return re.sub(r"\b(?:typing|pathlib|collections\.abc|torch)\.", "", text)


def _type(kind: Any) -> str:
    """A type as one writes it, without what checks its values."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_type, inner))
    if kind in (None, type(None)):
        return "None"
    if kind is Ellipsis:
        return "..."
    if inner and origin is not Literal and origin is not Callable:
        return f"{origin.__name__}[{', '.join(map(_type, inner))}]"
    return _plain_types(inspect.formatannotation(kind))


def _value(thing: Any) -> str:
    text = _type(thing) if get_origin(thing) else _plain_types(repr(thing))
    return text if len(text) <= 300 else f"{text[:297]}..."


def _told(name: str, thing: Any, face: ModuleType) -> str:
    """Its docstring; of a constant the string below it in the source of the module that it is from."""
    if inspect.isclass(thing) or inspect.isroutine(thing):
        return docstring(thing)
    below = re.compile(rf'^{re.escape(name)}\b[^\n]*=(?:(?!\n\n).)*?\n"""((?:(?!""").)*)"""', re.MULTILINE | re.DOTALL)
    found = next(filter(None, (below.search(_source(module)) for module in _modules_of(face))), None)
    return as_markdown(inspect.cleandoc(found[1])) if found else ""


def _modules_of(face: ModuleType) -> list[ModuleType]:
    names = re.findall(r"^from (rethinkdc[\w.]*) import", _source(face), re.MULTILINE)
    return [face, *map(import_module, names)]


def _source(module: ModuleType) -> str:
    return inspect.getsource(module)


def _members(thing: Any) -> str:
    """Fields and own public methods of a class."""
    if not inspect.isclass(thing) or issubclass(thing, BaseException):
        return ""
    fields = thing.model_fields if issubclass(thing, BaseModel) else {}
    rows = [[code(name), code(_type(info.annotation)), plain(info.description or "")] for name, info in fields.items()]
    lines = [table(["field", "type", "what it is"], rows)] if rows else []
    for name, member in vars(thing).items():
        function = getattr(member, "__func__", member)
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            lines.append(f"**`{name}`**\n\n{_quoted(docstring(member))}")
        elif inspect.isfunction(function):
            signature = _plain_types(f"{name}{inspect.signature(function)}")
            lines.append(f"**`{signature}`**\n\n{_quoted(docstring(function))}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.splitlines())


def _hooks() -> str:
    found = [name for name, one in vars(hooks).items() if hasattr(one, f"{hooks.GROUP}_spec")]
    lines = ["# Hooks\n", docstring(hooks)]
    for name in found:
        hook = getattr(hooks, name)
        signature = _plain_types(f"{name}{inspect.signature(hook)}")
        lines += [f"## {name}\n", f"```text\n{signature}\n```\n", docstring(hook)]
    return "\n".join(lines)
