"""What defines a run: everything that its result depends on, and the key that this gives."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from rethinkdc.seeds import Seeds
from rethinkdc.storage import digest

KEY_LENGTH = 24
"""Hex digits of a run's key: 96 bits keep any two runs apart."""


UNKNOWN = "unknown:"


class MethodDefinition(BaseModel):
    """All that a method's result depends on.

    ``parameters`` are those that differ from their defaults, with nested methods, as JSON data. ``distribution`` is
    None for the framework's own methods; so is ``code``, the digest of a third party's, whose revisions nothing holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    revision: int
    parameters: dict[str, Any]
    distribution: str | None = None
    code: str | None = None

    @property
    def is_random(self) -> bool:
        """Whether it is the framework's own compressor ``random``, of any revision."""
        own = self.distribution is None and not self.parameters
        return own and (self.kind, self.name) == ("compressor", "random")

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_absent(dump(self), "distribution", "code")


class SetDefinition(BaseModel):
    """A finished set that takes the compressor's place; ``ipc`` None = the whole training set.

    ``fingerprint``: of its content; of a set that is still to be fetched ``unknown:`` and its place, which no run that
    was carried out has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["set"] = "set"
    name: str
    fingerprint: str
    ipc: int | None

    @property
    def is_known(self) -> bool:
        """Whether its content was ever seen here."""
        return not self.fingerprint.startswith(UNKNOWN)

    @property
    def is_random(self) -> bool:
        """Never: how its rows were drawn is not known."""
        return False


class Definition(BaseModel):
    """All that a run's result depends on; two runs are one if their definitions are equal.

    Attributes:
        dataset: fingerprint.
        compressor: what makes the set, or the finished set.
        labeler: what labels it.
        evaluator: what measures it.
        protocol: digest.
        student: the model that is trained.
        ipc: images per class; None = the whole training set.
        images: images in all, of a share or a list that is no ``ipc`` of each class; ``ipc`` is the rounded mean.
        seeds: one on each axis.
        tune: whether the run trains and tests on a split of the training set.
        semantics: versions of what the core does.
        cell_labels: version of static labels of cells; of runs whose static labels are of such.
        compressor_teachers: the protocol's teachers, of a compressor that asks one.
        labeler_teachers: the same, of a labeler that asks one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    compressor: MethodDefinition | SetDefinition
    labeler: MethodDefinition
    evaluator: MethodDefinition
    protocol: str
    student: MethodDefinition
    ipc: int | None
    images: int | None = None
    seeds: Seeds
    tune: bool
    semantics: dict[str, int]
    cell_labels: int | None = None
    compressor_teachers: dict[str, Any] | None = None
    labeler_teachers: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """Names the run: the beginning of the definition's digest."""
        return digest(self.model_dump(mode="json"))[:KEY_LENGTH]

    @property
    def method(self) -> str:
        """Digest of what a row of a board is about: how the set is made and labelled, whatever the seeds."""
        names = ("compressor", "labeler", "compressor_teachers", "labeler_teachers")
        content = self.model_dump(mode="json")
        compressor, labeler, *teachers = (content.get(name) for name in names)
        about = [compressor, labeler, teachers]
        return digest(about if self.cell_labels is None else [*about, self.cell_labels])

    @property
    def condition(self) -> str:
        """Digest of all but the compressor and the teachers that it asks: runs of one condition may be compared."""
        content = self.model_dump(mode="json", exclude={"compressor", "compressor_teachers", "cell_labels"})
        return digest(content)

    def with_compressor(
        self, compressor: MethodDefinition | SetDefinition, teachers: dict[str, Any] | None = None
    ) -> Definition:
        """The run of another compressor under the same condition, whose sets are seen whole.

        Args:
            compressor: the other.
            teachers: those that it asks.
        """
        update = {"compressor": compressor, "compressor_teachers": teachers, "cell_labels": None}
        return self.model_copy(update=update)

    @model_serializer(mode="wrap")
    def _dump(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_absent(dump(self), "images", "cell_labels", "compressor_teachers", "labeler_teachers")


def _without_absent(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Leaves out what is not there, as it was before there was such a key: a definition without it keeps its digest."""
    return {key: value for key, value in content.items() if key not in keys or value is not None}


__all__ = ["KEY_LENGTH", "Definition", "MethodDefinition", "SetDefinition"]
