"""The plugins that are installed, and the datasets that are at hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rethinkdc.data.dataset import Dataset
from rethinkdc.doctor.finding import Finding
from rethinkdc.offline import is_offline
from rethinkdc.registry.registry import Registry


def look_at_plugins(registry: Registry) -> Iterator[Finding]:
    """What is registered, and each that is not as it should be, with whose it is."""
    listed = registry.listing()
    kinds = Counter(row.kind for row in listed if row.status == "ok")
    told = ", ".join(f"{count} {kind}s" for kind, count in sorted(kinds.items()))
    yield Finding("plugins", "fine", f"Installed: {told}.")
    for row in listed:
        provider = row.provider
        if row.status == "disabled":
            yield Finding("plugins", "fine", f"The plugin {row.name} of {provider} is disabled: {row.reason}.")
        elif row.status in ("broken", "incompatible"):
            mend = f"python -m pip install --upgrade {provider.distribution}"
            whose = f"The plugin {row.name} of {provider} cannot be used: {row.reason}"
            yield Finding("plugins", "fault", whose, f"{mend}; or uninstall it")
        elif row.status == "clash":
            yield Finding(
                "plugins",
                "notice",
                f"The {row.kind} {row.name} of {provider} has a name that is taken: {row.reason}.",
                f"write {provider.distribution}/{row.name}",
            )


def look_at_datasets(registry: Registry) -> Iterator[Finding]:
    """Which datasets a run can begin with at once."""
    here, away = list[str](), list[str]()
    for row in registry.listing():
        if row.kind != Dataset.kind or row.status != "ok" or row.method is None:
            continue
        if any(field.is_required() for field in row.method.model_fields.values()):
            continue
        dataset = row.method()
        assert isinstance(dataset, Dataset)
        (here if dataset.signature() else away).append(row.name)
    yield Finding("datasets", "fine", f"At hand: {', '.join(sorted(here)) or 'none'}.")
    if away:
        fetched = "are fetched from the hub when they are first used" + (
            ", which --offline forbids" if is_offline() else ""
        )
        yield Finding(
            "datasets",
            "notice" if is_offline() else "fine",
            f"Not here yet: {', '.join(sorted(away))}; they {fetched}. A folder of one's own does as well: "
            "--dataset FOLDER.",
        )
