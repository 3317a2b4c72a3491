"""What a new package and all that is in it are called, and which names are free."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.util import find_spec

from rethinkdc.errors import RequestError
from rethinkdc.registry.providers import OWN, installed_offers

_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40
_WORDS = ("true", "false", "none")
"""What the grammar of references reads as something else."""


@dataclass(frozen=True)
class Naming:
    """The names of one new package.

    Attributes:
        name: of the method, and of its entry point: ``nearest-mean``.
        distribution: what pip calls the package: ``rethinkdc-nearest-mean``.
        package: what is imported: ``rethinkdc_nearest_mean``.
        module: the method's name as a word of Python: ``nearest_mean``.
        method: the class: ``NearestMean``.
    """

    name: str
    distribution: str
    package: str
    module: str
    method: str


def name_package(name: str) -> Naming:
    """The names that follow from that of a method.

    Raises:
        RequestError: it has not the form of a name, or an installed distribution has it already; says what is known.
    """
    if not _FORM.fullmatch(name) or len(name) > _LONGEST or name in _WORDS:
        raise RequestError(
            f"The name {name!r} cannot be that of a plugin: small letters, digits and single hyphens, a letter first, "
            f"{_LONGEST} characters at most, such as {_proposed(name)}."
        )
    module = name.replace("-", "_")
    prefixed = name if name.startswith(f"{OWN}-") else f"{OWN}-{name}"
    naming = Naming(
        name=name,
        distribution=prefixed,
        package=prefixed.replace("-", "_"),
        module=module,
        method="".join(part.capitalize() for part in name.split("-")),
    )
    _require_free(naming)
    return naming


def _require_free(naming: Naming) -> None:
    owners = [offer.provider for offer in installed_offers() if offer.point.name == naming.name]
    if owners:
        raise RequestError(
            f"The name {naming.name!r} is taken: {owners[0]} has a plugin of that name, and of two nobody could say "
            f"which one is meant. Choose another, such as my-{naming.name}; `rethinkdc list-plugins` lists those that "
            "are installed."
        )
    if find_spec(naming.package) is not None:
        raise RequestError(
            f"The module {naming.package}, which {naming.name!r} would be, is installed already. Choose another name."
        )


def _proposed(name: str) -> str:
    """A name of the right form that is near to a wrong one."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    near = "-".join(words)[:_LONGEST].strip("-")
    return near if _FORM.fullmatch(near) and near not in _WORDS and not keyword.iskeyword(near) else "nearest-mean"
