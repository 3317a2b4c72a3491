"""What the code of a plugin is: its syntax, and that of all that it imports out of its own distribution.

Comments, docstrings and layout are no part of it. What is imported by a name that only a running program knows, and
what is data and not code, cannot be seen: the first is told. Of the framework's own plugins the code is that of their
file and of their families: the rooms below have versions of their own in every key.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import Distribution, EntryPoint
from importlib.util import find_spec, resolve_name
from pathlib import Path, PurePosixPath
from typing import Any

_BY_NAME = frozenset({"import_module", "__import__"})
_BY_TEXT = frozenset({"exec", "eval"})
_OWN = "rethinkdc"
_FAMILIES = tuple(
    f"{_OWN}.{room}" for room in ("plugins", "pruning", "combination", "distillation", "labels", "evaluation")
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SILENT = {"ctx", "kind", "type_comment", "type_ignores"}
"""Fields of a syntax tree that say nothing of what is done."""


@dataclass(frozen=True)
class Code:
    """The code of a module.

    Attributes:
        digest: SHA-256 (hex) of its syntax and of that of the modules of its distribution that it imports.
        modules: names of these, its own first.
        unseen: places that import, or run, what is only known when they do: ``module, line 3: import_module``.
    """

    digest: str
    modules: tuple[str, ...]
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Module:
    """One module: the digest of its syntax, and the names that it may import."""

    digest: str
    imports: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()


def read_code(point: EntryPoint) -> Code:
    """Reads the code of the plugin that an entry point names; nothing is imported for it.

    Modules are the same code under every version of Python that parses them alike.
    """
    module = point.value.partition(":")[0].strip()
    own, found = _own_names(module, point.dist), dict[str, _Module]()
    waiting = [module]
    while waiting:
        # A package runs before what lies in it.
        for part in _with_parents(waiting.pop()):
            if part in found or not _belongs(part, own):
                continue
            if (file := _file_of(part)) is not None:
                about = file.stat()
                found[part] = _read(file, part, about.st_mtime_ns, about.st_size)
                waiting += sorted(found[part].imports)
    others = sorted(found.keys() - {module})
    whole = hashlib.sha256()
    for name in [module, *others] if module in found else others:
        whole.update(f"{name} {found[name].digest}\n".encode())
    unseen = tuple(place for name in sorted(found) for place in found[name].unseen)
    return Code(whole.hexdigest(), (module, *others), unseen)


def _belongs(name: str, own: set[str]) -> bool:
    """Whether a module is of a distribution with these top-level names."""
    top = name.partition(".")[0]
    return top in own and (top != _OWN or any(name == room or name.startswith(f"{room}.") for room in _FAMILIES))


def _own_names(module: str, distribution: Distribution | None) -> set[str]:
    """The top-level names of the distribution that a module belongs to."""
    top = module.partition(".")[0]
    listed = {_top_of(file) for file in (distribution.files if distribution else None) or ()}
    if top in listed:
        return {name for name in listed if name.isidentifier()}
    # Of an editable installation no list says what lies beside its module.
    file = _file_of(top)
    beside = () if file is None or file.name == "__init__.py" else file.parent.glob("*.py")
    return {top, *(each.stem for each in beside)}


def _top_of(file: PurePosixPath) -> str:
    first = file.parts[0]
    return first if len(file.parts) > 1 else first.partition(".")[0]


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _file_of(name: str) -> Path | None:
    """The file of a module; None where there is no such module, or it lies in no file."""
    known = getattr(sys.modules.get(name), "__file__", None)
    if known:
        return Path(known)
    parent, _, last = name.rpartition(".")
    if not parent:
        spec = _spec_of(name)
        return Path(spec.origin) if spec and spec.origin and spec.has_location else None
    for folder in _folders_of(name):
        if (file := folder / "__init__.py").is_file():
            return file
    for folder in _folders_of(parent):
        for suffix in (".py", *EXTENSION_SUFFIXES):
            if (file := folder / f"{last}{suffix}").is_file():
                return file
    return None


def _folders_of(name: str) -> list[Path]:
    """Where the modules of a package lie; none of it is imported."""
    parent = name.rpartition(".")[0]
    places = getattr(sys.modules.get(name), "__path__", None)
    if places is None and (not parent or parent in sys.modules):
        spec = _spec_of(name)
        places = spec.submodule_search_locations if spec else None
    if places is None and parent:
        places = [str(folder / name.rpartition(".")[2]) for folder in _folders_of(parent)]
    return [Path(place) for place in places or ()]


def _spec_of(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


@lru_cache(maxsize=1024)
def _read(file: Path, name: str, changed: int, size: int) -> _Module:  # noqa: ARG001 - of a file that changed it is another
    content = file.read_bytes()
    try:
        tree = ast.parse(content)
        spelled = "".join(_spell(tree))
    except (SyntaxError, ValueError, RecursionError):
        # Compiled, or of another Python: its bytes are what is known of it.
        return _Module(hashlib.sha256(content).hexdigest())
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    imports, unseen = set[str](), list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(node, package)
            imports |= {base, *(f"{base}.{alias.name}" for alias in node.names)} if base else set()
        elif isinstance(node, ast.Call) and (called := _loads(node.func)):
            target = node.args[0] if node.args else None
            if called in _BY_NAME and isinstance(target, ast.Constant) and isinstance(target.value, str):
                imports.add(_resolved(target.value, package))
            else:
                unseen.append(f"{name}, line {node.lineno}: {called}")
    return _Module(hashlib.sha256(spelled.encode()).hexdigest(), frozenset(imports), tuple(unseen))


def _base_of(node: ast.ImportFrom, package: str) -> str:
    return _resolved("." * node.level + (node.module or ""), package) if node.level else node.module or ""


def _resolved(name: str, package: str) -> str:
    try:
        return resolve_name(name, package)
    except ImportError:
        return ""


def _loads(called: ast.expr) -> str:
    """The name of a function that loads code; empty for any other, such as ``module.eval``."""
    if isinstance(called, ast.Name) and called.id in _BY_NAME | _BY_TEXT:
        return called.id
    return called.attr if isinstance(called, ast.Attribute) and called.attr in _BY_NAME else ""


def _spell(value: Any) -> Iterator[str]:
    """A syntax tree as text: without fields that are empty, so that those of later Pythons change nothing."""
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name, given in ast.iter_fields(value):
            item = _without_docstring(given) if name == "body" and isinstance(value, _DOCUMENTED) else given
            if name not in _SILENT and item is not None and item != []:
                yield f" {name}="
                yield from _spell(item)
        if isinstance(value, ast.Constant) and value.value is None:
            yield " value=None"
        yield ")"
    elif isinstance(value, list):
        yield "["
        for item in value:
            yield from _spell(item)
            yield ","
        yield "]"
    else:
        yield f"{type(value).__name__}:{value!r}"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    if body and isinstance(body[0], ast.Expr):
        said = body[0].value
        if isinstance(said, ast.Constant) and isinstance(said.value, str):
            return body[1:] or [ast.Pass()]
    return body
