"""The reference of methods: a page for each kind, made of the classes' docstrings and fields."""

from __future__ import annotations

from docs.generating.docstrings import docstring
from docs.generating.markdown import anchor, code, plain, table
from rethinkdc.cli.in_full import type_text
from rethinkdc.method import Method
from rethinkdc.reference import print_value
from rethinkdc.registry import Registry
from rethinkdc.registry.providers import OWN

TITLES = {
    "compressor": "Compressors",
    "score": "Scores",
    "labeler": "Labelers",
    "teacher": "Teachers",
    "evaluator": "Evaluators",
    "dataset": "Datasets",
    "model": "Models",
    "tracker": "Trackers",
    "engine": "Engines",
}
LEADS = {
    "compressor": "Each makes a compressed set. Every [score](scores.md) is one too, once it is told which end to "
    "keep: `el2n:direction=easy`.",
    "score": "Each gives every training row a number; the larger end is the one that its paper keeps.",
    "labeler": "Each gives a compressed set its labels, on one of four [tracks](../ideas.md#tracks).",
    "teacher": "Each gives a trained network. `timm/NAME` and `torchvision/NAME` are teachers too.",
    "evaluator": "Each trains a student on a labelled set and measures it.",
    "dataset": "Each is known by its name; a folder or a hub id stands where a name does.",
    "model": "Each is a network by name, as are `timm/NAME` and `torchvision/NAME`.",
    "tracker": "Each hears what happens in runs: `--tracker NAME`, with its parameters where it has some.",
    "engine": "Each gives a sweep the processes that make its runs: `--engine NAME`.",
}


def method_pages(registry: Registry) -> dict[str, str]:
    """Path -> page, one for each kind."""
    return {f"reference/{kind}s.md": _page(kind, registry) for kind in TITLES}


def built_in(kind: str, registry: Registry) -> list[type[Method] | str]:
    """The methods of a kind that come with the framework; the name of one without a class."""
    rows = [row for row in registry.listing() if row.kind == kind and row.provider.distribution == OWN]
    return [row.method or row.name for row in rows]


def parameters(method: type[Method]) -> str:
    """The table of a method's fields; a sentence where it has none."""
    if not method.model_fields:
        return "No parameters.\n"
    shapes = method.model_json_schema()["properties"]
    rows = [
        [
            code(key),
            plain(type_text(shapes[key])),
            "needed" if info.is_required() else code(print_value(info.get_default(call_default_factory=True))),
            plain(info.description or ""),
        ]
        for key, info in method.fields().items()
    ]
    return table(["parameter", "type", "default", "what it is"], rows)


def _page(kind: str, registry: Registry) -> str:
    methods = built_in(kind, registry)
    families: dict[str, list[str]] = {}
    for one in methods:
        families.setdefault("" if isinstance(one, str) else one.family, []).append(
            one if isinstance(one, str) else one.name
        )
    lines = [f"# {TITLES[kind]}", "", LEADS[kind], ""]
    for family, names in sorted(families.items()):
        links = ", ".join(f"[{code(name)}](#{anchor(name)})" for name in names)
        lines += [f"- {f'*{family}*: ' if family else ''}{links}"]
    return "\n".join([*lines, "", *map(_section, methods)])


def _section(method: type[Method] | str) -> str:
    if isinstance(method, str):
        return f"## {method}\n\nNo parameters; it implements the [run events](hooks.md).\n"
    facts = [method.family, method.paper, f"revision {method.revision}"]
    wants = getattr(method, "wants", None)
    proxy = f"Proxy of its paper: {plain(wants.text)}.\n" if wants else ""
    about = f"*{', '.join(filter(None, facts))}*\n"
    return "\n".join([f"## {method.name}\n", docstring(method), about, proxy, parameters(method)])
