"""The reference of protocols and studies, made of their files."""

from __future__ import annotations

from docs.generating.markdown import anchor, code, plain, table
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.registry import Registry
from rethinkdc.studies.reading import load_study
from rethinkdc.studies.shipped import shipped_studies

GROUPS = {
    "digits": "digits",
    "mnist-5k": "mnist-5k",
    "cifar10-small": "cifar10-small",
    "cifar100": "cifar100",
    "cifar10": "cifar10",
    "tiny-imagenet": "tiny-imagenet",
    "imagenet1k": "imagenet1k",
    "imagenet-100": "imagenet-subsets",
    "imagenette": "imagenet-subsets",
    "imagewoof": "imagenet-subsets",
}
"""Page of the protocols whose id begins so; the first that fits counts."""


def protocol_pages(registry: Registry) -> dict[str, str]:
    """The list of all protocols, a page of whole files for each kind of data, and the list of studies."""
    groups: dict[str, list[Protocol]] = {}
    for protocol in registry.protocols.all().values():
        if (group := group_of(protocol.id)) is not None:
            groups.setdefault(group, []).append(protocol)
    pages = {f"reference/protocols-{group}.md": _files(group, found) for group, found in groups.items()}
    return {"reference/protocols.md": _list(groups), "reference/studies.md": _studies(), **pages}


def group_of(protocol: str) -> str | None:
    """The page that a protocol stands on; None of one that does not come with the framework."""
    return next((page for start, page in GROUPS.items() if protocol.startswith(f"{start}-")), None)


def _list(groups: dict[str, list[Protocol]]) -> str:
    rows = [
        [
            f"[{code(one.id)}](protocols-{group}.md#{anchor(one.id)})",
            one.track,
            one.status,
            code(one.digest[:12]),
            plain(one.summary),
        ]
        for group, found in groups.items()
        for one in found
    ]
    lead = (
        "A protocol fixes all of an experiment that is not the method. Every field has [a page](../protocols.md), "
        "and so has [a protocol of your own](../how-to/my-protocol.md). Results under two digests never stand in one "
        "table.\n"
    )
    return "\n".join(["# Protocols\n", lead, table(["protocol", "labels", "status", "digest", "what it is"], rows)])


def _files(group: str, protocols: list[Protocol]) -> str:
    sections = [
        f"## {one.id}\n\n{plain(one.summary)} Version {one.version}, digest {code(one.digest[:12])}.\n\n"
        f"```toml\n{write_toml(one).split(_HEAD_ENDS, 1)[-1].strip()}\n```\n"
        for one in protocols
    ]
    lead = "Each as the whole file that `rethinkdc show NAME --toml` prints, with the source of each value.\n"
    return "\n".join([f"# Protocols: {group}\n", lead, *sections])


_HEAD_ENDS = "\n\n"
"""The lines that every written file begins with end with an empty one."""


def _studies() -> str:
    rows = [[code(name), plain(load_study(name).title)] for name in shipped_studies()]
    lead = "A study says which runs to make: `rethinkdc sweep NAME`. [How one is written](../how-to/a-study.md).\n"
    return "\n".join(["# Studies\n", lead, table(["study", "what it asks"], rows)])
