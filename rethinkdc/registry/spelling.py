"""The short forms that references are read from and printed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.method import Method
from rethinkdc.models.external import TimmModel, TorchvisionModel
from rethinkdc.reference import Reference, parse_reference
from rethinkdc.registry.finding import Finder

SELECT = "select"
"""The compressor that a score's bare name stands for."""
SCORE_FILE = "file"
"""The score that is read from a file."""
_LIBRARIES = ("timm", "torchvision")
"""Teachers that are named ``library/NAME``."""


class Spelling:
    """Reads what a user writes as the name and the parameters of one class, and prints a method the shortest way."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder

    def read(self, kind: str, reference: Reference | str) -> Reference:
        """Parses a reference and writes its short form out.

        Raises:
            RequestError: the text does not follow the grammar; says where.
        """
        wanted = parse_reference(reference) if isinstance(reference, str) else reference
        if kind == "compressor":
            return self._selected(wanted)
        return _in_library(wanted) if kind == "teacher" else wanted

    def reference(self, method: Method) -> Reference:
        """The canonical reference; a selection by score goes under the score's own name."""
        values = {key: _plain(value) for key, value in method.changed().items()}
        if method.kind == "compressor" and method.name == SELECT:
            score = values.pop("score")
            if not self.finder.claims("compressor", score.name):
                return Reference(name=score.name, values={**score.values, **values})
            values = {"score": score, **values}
        if isinstance(method, TimmModel | TorchvisionModel):
            return Reference(name=f"{method.name}/{method.id}")
        if method.kind == "teacher" and method.name in _LIBRARIES:
            return Reference(name=f"{method.name}/{values.pop('id')}", values=values)
        return Reference(name=self.finder.name_of(method), values=values)

    def _selected(self, wanted: Reference) -> Reference:
        """Reads a score's name as the compressor ``select`` on that score, unless a compressor has the name."""
        if self.finder.claims("compressor", wanted.name) or not self.finder.claims("score", wanted.name):
            return wanted
        fields = self.finder.find("compressor", SELECT).model_fields
        own = {key: value for key, value in wanted.values.items() if key in fields}
        scores = {key: value for key, value in wanted.values.items() if key not in fields}
        return Reference(name=SELECT, values={"score": Reference(name=wanted.name, values=scores), **own})


def read_values(method: type[Method], wanted: Reference) -> Mapping[str, Any]:
    """The parameters; ``scores=FILE``, given to any method that takes a score, is the score ``file`` of that path.

    Raises:
        RequestError: both a score and a file of scores are given.
    """
    values = wanted.values
    if "scores" not in values or "scores" in method.model_fields or "score" not in method.model_fields:
        return values
    if "score" in values:
        raise RequestError(f"{wanted.name}: give either score=NAME or scores=FILE, not both.")
    others = {key: value for key, value in values.items() if key != "scores"}
    return {"score": Reference(name=SCORE_FILE, values={"path": str(values["scores"])}), **others}


def _in_library(wanted: Reference) -> Reference:
    """Reads ``timm/NAME`` as the teacher ``timm`` with this id; the same for torchvision."""
    library, slash, identity = wanted.name.partition("/")
    if not slash or library not in _LIBRARIES:
        return wanted
    return Reference(name=library, values={"id": identity, **wanted.values})


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value
