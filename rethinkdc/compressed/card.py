"""The card of a compressed set: where it comes from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from rethinkdc.notes import Notes, check_notes

CARD = "card.json"
"""The file in a set's folder that holds it, with what no column says."""


class Card(BaseModel):
    """Where a compressed set comes from: enough to make it again.

    ``seconds``: what its making took, of each artefact by ``stage:key`` (proxy, teacher, selection, synthesis), so that
    what others share is not counted twice; ``images_seen``: how many images went through networks meanwhile, named
    alike, less what was made before that was counted. ``clamp_error``, ``rounding_error``: the
    largest change of a pixel, in 0..1, when the images were stored. ``external_data``: data beyond the training set.
    ``dataset``: what the training set was called where the set was written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = ""
    definition: dict[str, Any] = {}
    ipc: int | None = None
    seeds: dict[str, int] = {}
    dataset: str = ""
    dataset_fingerprint: str = ""
    protocol: str = ""
    protocol_digest: str = ""
    versions: dict[str, str] = {}
    seconds: dict[str, float] = {}
    images_seen: dict[str, int] = {}
    external_data: list[str] = []
    clamp_error: float = 0.0
    rounding_error: float = 0.0
    notes: Annotated[dict[str, Any], AfterValidator(check_notes)] = {}

    @property
    def told(self) -> Notes:
        """What the framework reads of the notes."""
        return Notes.model_validate(self.notes)
