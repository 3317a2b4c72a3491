"""The lines for pip that rebuild the environment of a record."""

from __future__ import annotations

from rethinkdc.runs.record import Record


def requirements_of(record: Record) -> list[str]:
    """A requirement for each distribution that a record names, in its version; comments say what pip cannot.

    A checkout has no version of its own: its line is commented out, with the digest of the code that was carried out.
    """
    told = record.environment
    versions = {**told.get("versions", {}), **record.plugins}
    checkouts = {one.distribution: one.digest for one in record.code if one.editable}
    lines = [f"# {record.key}, of {record.created}, with Python {told.get('python', 'unknown')}"]
    for name, version in sorted(versions.items()):
        public, _, local = str(version).partition("+")
        if name in checkouts:
            git = told.get("git") if name == "rethinkdc" else None
            commit = f", commit {git['commit']}" if isinstance(git, dict) and "commit" in git else ""
            lines.append(f"# {name}=={public}: a checkout{commit}, whose code had the digest {checkouts[name][:12]}")
        else:
            lines.append(f"{name}=={public}" + (f"  # {local}" if local else ""))
    return lines


__all__ = ["requirements_of"]
