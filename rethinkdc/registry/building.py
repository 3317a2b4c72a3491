"""Builds methods from references: validated, and with the references inside them made canonical."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pydantic import ValidationError

from rethinkdc.data.dataset import Dataset
from rethinkdc.errors import RequestError, nearest
from rethinkdc.layouts.file_datasets import FolderDataset, HubDataset
from rethinkdc.method import Method
from rethinkdc.models.external import external_model
from rethinkdc.reference import Reference
from rethinkdc.registry.finding import Finder, claimed_by_several
from rethinkdc.registry.spelling import SELECT, Spelling, read_values


class Builder:
    """Turns references into methods."""

    def __init__(self, finder: Finder, spelling: Spelling) -> None:
        self.finder = finder
        self.spelling = spelling

    def build(self, kind: str, reference: Reference | str) -> Method:
        """Validates a reference and returns its method; nested references are made canonical.

        Raises:
            RequestError: unknown method or parameter, or a value out of bounds; names the nearest known ones.
        """
        if kind == "dataset" and isinstance(reference, str) and (folder := self._folder(reference)):
            return folder
        wanted = self.spelling.read(kind, reference)
        if kind == "model" and not wanted.values and (external := external_model(wanted.name)):
            return external
        if kind == "dataset" and (local := self._unregistered_dataset(wanted)):
            return local
        return self._canonical(_construct(self.finder.find(kind, wanted.name), wanted))

    def check_unambiguous(self, kind: str, reference: Reference | str) -> None:
        """Refuses a reference, as typed by a user, that names a method which several distributions claim.

        Raises:
            RequestError: names the distributions, and how to say which one is meant; or a parameter is wrong.
        """
        if kind == "dataset" and isinstance(reference, str) and Path(reference).expanduser().exists():
            return
        wanted = self.spelling.read(kind, reference)
        claims = self.finder.claims(kind, wanted.name)
        if len(claims) > 1:
            raise claimed_by_several(kind, wanted.name, claims)
        if not claims:
            return
        # As it is typed: a canonical reference names its distribution, and what is left to a default is not in doubt.
        typed = _construct(claims[0].method, wanted)
        for key, named, inner in typed.references():
            if inner is not None and key in typed.model_fields_set:
                self.check_unambiguous(named, inner)

    def _canonical(self, method: Method) -> Method:
        """The method with each reference that it holds spelled the one way."""
        spelled: dict[str, list[Reference | None]] = defaultdict(list)
        for key, kind, inner in method.references():
            spelled[key].append(inner and self.spelling.reference(self.build(kind, inner)))
        values = {
            key: tuple(items) if isinstance(getattr(method, key), tuple) else items[0] for key, items in spelled.items()
        }
        return method.model_copy(update=values) if values else method

    def _folder(self, text: str) -> Dataset | None:
        """The folder of this path, whose characters may be the grammar's; a registered bare name comes first."""
        registered = "/" not in text and self.finder.claims("dataset", text)
        return FolderDataset(path=text) if not registered and Path(text).expanduser().exists() else None

    def _unregistered_dataset(self, wanted: Reference) -> Dataset | None:
        if folder := self._folder(wanted.name):
            return folder
        if wanted.name.startswith((".", "/", "~")):
            raise RequestError(
                f"No such dataset folder: {wanted.name}. Give an existing path, a known name or a hub id."
            )
        if wanted.name.count("/") == 1 and not self.finder.provides(wanted.name.partition("/")[0]):
            return HubDataset(repo=wanted.name)
        return None


def _construct(method: type[Method], wanted: Reference) -> Method:
    try:
        return method(**read_values(method, wanted))
    except ValidationError as error:
        raise RequestError(_explain(method, wanted, error)) from None


def _explain(method: type[Method], wanted: Reference, error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            problems.append(f"{wanted.name} has no parameter {key!r}. {nearest(key, method.model_fields)}")
        elif item["type"] == "missing":
            score = wanted.values.get("score")
            name = score.name if method.name == SELECT and isinstance(score, Reference) else wanted.name
            problems.append(
                f"{name} needs the parameter {key!r}, as in {name}:{key}=...: {method.model_fields[key].description}"
            )
        else:
            why = item["msg"].removeprefix("Value error, ")
            # Of several parameters together none is to blame, and the reason names them.
            found = f"{key} = {item['input']!r} is not valid: {why}" if key else why
            problems.append(f"{wanted.name}: {found}.")
    return " ".join(problems) + f" See `rethinkdc show {wanted.name}`."
