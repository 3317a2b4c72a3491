"""What a plugin's hooks answer, once its module is imported."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from rethinkdc.contracts import hooks
from rethinkdc.errors import PluginError
from rethinkdc.method import Method
from rethinkdc.protocol.reading import protocol_files
from rethinkdc.registry.admission import check_class, check_view_op
from rethinkdc.views import ViewOp


@dataclass(frozen=True)
class Answers:
    """What one plugin registers."""

    summary: str = ""
    methods: list[type[Method]] = field(default_factory=list)
    protocols: list[Path] = field(default_factory=list)
    view_ops: list[type[ViewOp]] = field(default_factory=list)
    events: dict[str, pluggy.HookCaller] = field(default_factory=dict)


def ask(point: EntryPoint) -> Answers:
    """Imports the module of an entry point and asks its hooks.

    Raises:
        PluginError: it breaks the contract; says how.
        Exception: anything that an import, or a hook, may raise.
    """
    module = point.load()
    # A manager for each: the answers are this plugin's, also where two entry points name one module.
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    known = sorted(vars(manager.hook))
    manager.register(module)
    callers = {caller.name: caller for caller in manager.get_hookcallers(module) or []}
    if not callers:
        raise PluginError(f"The module {point.value} implements no hook. Known: {', '.join(known)}.")
    for name, caller in callers.items():
        if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls()):
            raise PluginError(f"It implements the hook {name!r}, which nobody calls. Known: {', '.join(known)}.")
    methods = _answered(manager.hook.register_methods)
    for method in methods:
        check_class(method)
    view_ops = _answered(manager.hook.register_view_ops)
    for op in view_ops:
        check_view_op(op)
    return Answers(
        summary=(inspect.getdoc(module) or "").split("\n", 1)[0],
        methods=methods,
        protocols=[_place(path) for path in _answered(manager.hook.register_protocols)],
        view_ops=view_ops,
        events={name: callers[name] for name in hooks.RUN_EVENTS if name in callers},
    )


def _place(path: Any) -> Path:
    """Where protocols lie.

    Raises:
        PluginError: it is no path.
    """
    if not isinstance(path, str | Path):
        raise PluginError(f"register_protocols must return paths, found {path!r}.")
    # Looked through while it is watched: nobody waits for a whole disk afterwards.
    protocol_files(Path(path))
    return Path(path)


def _answered(hook: pluggy.HookCaller) -> list[Any]:
    """What one plugin's implementation of a hook returned; nothing where it has none.

    Raises:
        PluginError: it returned no list.
    """
    found: list[Any] = []
    for answer in hook():
        if not isinstance(answer, list | tuple):
            raise PluginError(f"{hook.name} must return a list, found {answer!r}.")
        found.extend(answer)
    return found
