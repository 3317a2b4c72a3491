"""The card of a compressed set: where it comes from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rethinkdc.documents import first_fault, parse_json
from rethinkdc.notes import MethodCode, Notes, check_notes
from rethinkdc.types import ViewRule

CARD = "card.json"
"""The file in a set's folder that holds it, with what no column says."""


class Card(BaseModel):
    """Where a compressed set comes from: enough to make it again.

    ``seconds``: what its making took, of each artefact by ``stage:key`` (proxy, teacher, selection, synthesis), so that
    what others share is not counted twice; ``images_seen``: how many images went through networks meanwhile, named
    alike, less what was made before that was counted. ``clamp_error``, ``rounding_error``: the
    largest change of a pixel, in 0..1, when the images were stored. ``external_data``: data beyond the training set.
    ``code``: by which it was made. ``dataset``: what the training set was called where the set was written.
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
    code: tuple[MethodCode, ...] = ()
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


Pixels = Annotated[int, Field(ge=0, le=1 << 16)]


class About(BaseModel):
    """What the file of a card says of a set beside its columns; what is not said holds for sets made elsewhere.

    Attributes:
        class_names: names of all classes; empty = those of the columns.
        numbered: whether these are bare indices that nobody named.
        cell_boxes: (y, x, h, w) of each cell on the canvas; None = one cell.
        student_lr: a learned student rate.
        view_rule: how views are taken.
        card: where the set comes from.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    class_names: tuple[str, ...] = ()
    numbered: bool = False
    cell_boxes: tuple[tuple[Pixels, Pixels, Pixels, Pixels], ...] | None = None
    student_lr: Annotated[float, Field(gt=0, le=1e6)] | None = None
    view_rule: ViewRule = ViewRule()
    card: Card = Card()


def parse_about(text: str | bytes) -> About:
    """Reads the content of the file :data:`CARD`.

    Raises:
        ValueError: it is none; says in a line what is wrong with it.
    """
    try:
        return About.model_validate(parse_json(text))
    except ValidationError as error:
        raise ValueError(first_fault(error)) from None
