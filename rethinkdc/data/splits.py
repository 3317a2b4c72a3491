"""A dataset's train and test images, and the layout a protocol asks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rethinkdc.notes import Facts
from rethinkdc.storage import digest
from rethinkdc.types import Images

_Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Schema(BaseModel):
    """Number of classes and of images in each split; None = any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: _Count
    train: _Count | None = None
    test: _Count | None = None


def always_the_same() -> None:
    """Of what lies in memory."""


@dataclass(frozen=True)
class Splits:
    """The two parts of a dataset: same classes, same order; what its source calls them, and what was assumed of it.

    ``check_unchanged`` raises a ``DataError`` where files that are read as they are needed changed since the parts were
    loaded: what was made of them is then not what the fingerprint says.
    """

    train: Images
    test: Images
    facts: Facts = field(default_factory=Facts)
    check_unchanged: Callable[[], None] = always_the_same
    names: tuple[str, str] = ("train", "test")

    @property
    def fingerprint(self) -> str:
        """Content hash (hex) of both parts."""
        return splits_fingerprint(self.train.fingerprint, self.test.fingerprint)


def splits_fingerprint(train: str, test: str) -> str:
    """The fingerprint of a dataset from those of its parts."""
    return digest({"train": train, "test": test})


def schema_of(splits: Splits) -> Schema:
    """The schema that exactly these splits have."""
    return Schema(classes=len(splits.train.class_names), train=len(splits.train), test=len(splits.test))
