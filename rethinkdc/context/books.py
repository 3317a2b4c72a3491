"""Books: what the making of something told, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rethinkdc.errors import RequestError
from rethinkdc.notes import Notes, check_notes, merge_notes
from rethinkdc.storage import write_file

FILE = "about.json"
"""Lies beside every artefact: the books of its making."""


@dataclass
class Books:
    """Notes and costs of one piece of work, those of the artefacts that it used included.

    Attributes:
        notes: facts for the record.
        seconds: ``stage:key`` -> seconds of the making of each artefact.
        memory: ``stage:key`` -> bytes of resident memory that its making took at its peak.
        images: ``stage:key`` -> images that the making of each artefact put through networks; an artefact that has
            seconds and no images was made before they were counted.
        earlier: seconds that earlier tries and other ranks spent on this work.
        nested: seconds that this work waited for the artefacts that it used: they count in their own books.
        nested_images: images that were counted meanwhile.
    """

    notes: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    earlier: float = 0.0
    nested: float = 0.0
    nested_images: int = 0

    @property
    def beside(self) -> float:
        """Seconds that count for this work, beside those of this process's clock."""
        return self.earlier - self.nested

    def note(self, **facts: Any) -> None:
        """Adds facts: see :func:`~rethinkdc.notes.merge_notes`.

        Raises:
            RequestError: a fact has the name of one that the framework reads, and another form.
        """
        try:
            self.notes = merge_notes(self.notes, check_notes(facts))
        except ValueError as error:
            raise RequestError(f"Facts that a card or a method notes are not as records have them: {error}.") from None

    @property
    def told(self) -> Notes:
        """What the framework reads of the notes."""
        return Notes.model_validate(self.notes)

    def add(self, other: Books) -> None:
        """Adds the books of an artefact that this work used."""
        self.note(**other.notes)
        self.seconds.update(other.seconds)
        self.memory.update(other.memory)
        self.images.update(other.images)

    def write(self, folder: Path) -> None:
        """Writes the books beside the artefact in ``folder``."""
        about = {"notes": self.notes, "costs": self.seconds, "memory": self.memory, "images": self.images}
        write_file(folder / FILE, json.dumps(about, indent=1).encode())

    def by_stage(self) -> dict[str, float]:
        """Seconds of each stage."""
        return by_stage(self.seconds)


def read_books(folder: Path) -> Books:
    """The books that :meth:`Books.write` wrote beside an artefact."""
    about = json.loads((folder / FILE).read_text())
    return Books(about["notes"], about["costs"], about.get("memory", {}), about.get("images", {}))


def by_stage(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each stage from ``stage:key`` -> seconds."""
    stages: dict[str, float] = {}
    for key, value in seconds.items():
        stage = stage_of(key)
        stages[stage] = stages.get(stage, 0.0) + value
    return stages


def images_by_stage(images: Mapping[str, int], seconds: Mapping[str, float]) -> dict[str, int]:
    """Images of each stage from ``stage:key`` -> images; a stage is left out where those of one artefact are not known.

    Args:
        images: of the artefacts that counted them.
        seconds: of all artefacts.
    """
    unknown = {stage_of(key) for key in seconds if key not in images}
    stages: dict[str, int] = {}
    for key, value in images.items():
        if (stage := stage_of(key)) not in unknown:
            stages[stage] = stages.get(stage, 0) + value
    return stages


def stage_of(name: str) -> str:
    """The stage of ``stage:key``."""
    return name.partition(":")[0]
