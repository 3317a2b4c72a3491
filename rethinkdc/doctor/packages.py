"""The distributions that are installed: whether they fit, and whether there are two of one name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, requires, version

from packaging.requirements import Requirement

from rethinkdc.doctor.finding import Finding
from rethinkdc.doctor.installation import PACKAGE, others_in

_OWN = "rethinkdc"


def look_at_distributions() -> Iterator[Finding]:
    """This distribution, another of its name, and what it needs."""
    versions = sorted({found.version for found in distributions(name=_OWN)})
    others = others_in(PACKAGE)
    anew = "python -m pip uninstall --yes rethinkdc (twice), then: python -m pip install 'rethinkdc>=1.0'"
    if others or len(versions) > 1:
        told = f"Versions {' and '.join(versions)} of rethinkdc are installed" if len(versions) > 1 else "Two tools mix"
        files = f"; files of the other lie in {PACKAGE}: {', '.join(others)}" if others else ""
        yield Finding(_OWN, "fault", f"{told}{files}. Below 1.0 it is another tool of the same name.", anew)
    else:
        yield Finding(_OWN, "fine", f"rethinkdc {version(_OWN)} at {PACKAGE}, and no other tool of the name.")
    needed = [Requirement(text) for text in requires(_OWN) or ()]
    plain = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    unmet = [told for one in plain if (told := _unmet(one))]
    if unmet:
        words = " ".join(f"'{one.name}{one.specifier}'" for one in plain if _unmet(one))
        yield Finding("packages", "fault", f"Not as needed: {'; '.join(unmet)}.", f"python -m pip install {words}")
    else:
        yield Finding("packages", "fine", f"All {len(plain)} packages that it needs are there, in fitting versions.")


def _unmet(needed: Requirement) -> str:
    """What is wrong with a package; empty where nothing is."""
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return f"{needed.name} is missing"
    fits = needed.specifier.contains(found, prereleases=True)
    return "" if fits else f"{needed.name} is {found}, and {needed.specifier} is needed"
