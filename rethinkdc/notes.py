"""What cards and records note beside their numbers: what was read, which teachers were asked, what is doubtful.

Files hold notes as JSON data, to which any plugin adds facts of its own; here is what the framework reads of them.
Imports nothing heavy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

Fraction = Annotated[float, Field(ge=0, le=1)]


class _Note(BaseModel):
    """What is noted of one thing; facts that only their author reads may stand beside."""

    model_config = ConfigDict(frozen=True, extra="allow")


class MethodCode(BaseModel):
    """The code that a method was carried out by, and all its parameters with their values.

    Attributes:
        method: kind and name: ``compressor pca``.
        distribution: that it comes from.
        version: of it.
        digest: of its syntax and of what it imports out of its distribution; see :mod:`rethinkdc.code`.
        editable: whether the distribution was a checkout, whose code changes without its version.
        unseen: places that load code by a name that only a running program knows, and that the digest is not of.
        parameters: those at their default too, as JSON data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    distribution: str
    version: str
    digest: str
    editable: bool = False
    unseen: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}


class TeacherNote(_Note):
    """A teacher that was asked.

    Attributes:
        top1: of the test images, or of those of the split; None = not measured.
        purposes: what it was asked for, such as ``labels``.
        weights: what was chosen, renamed and left out when its weights were read from a file.
    """

    top1: Fraction | None = None
    purposes: tuple[str, ...] = Field(default=(), alias="for")
    weights: tuple[str, ...] = ()


class FileNote(_Note):
    """What a file of rows or scores was taken for.

    Attributes:
        file: its place.
        taken: how it was read, a phrase each.
        order: of its rows.
        warnings: what makes that doubtful.
    """

    file: str
    taken: tuple[str, ...]
    order: str
    warnings: tuple[str, ...] = ()


class PixelsNote(_Note):
    """What storing float images as bytes did to them.

    Attributes:
        mean: channel means that were added; None = the images were taken as pixels in 0..1.
        std: channel standard deviations that were multiplied.
        clamped: share of values that were brought into 0..1.
        clamp_error: the largest such change, in 0..1 of the pixels.
        rounding_error: the largest change by rounding, alike.
    """

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    clamped: Fraction
    clamp_error: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    rounding_error: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Facts(BaseModel):
    """What a user should know of how the files of a dataset were read.

    Attributes:
        notes: what was assumed, a sentence each.
        passed_over: what was left out, and how many files or links of each kind.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    notes: tuple[str, ...] = ()
    passed_over: dict[str, int] = {}

    @classmethod
    def of(cls, passed_over: Iterable[Mapping[str, int]], notes: Iterable[str] = ()) -> Facts:
        """Adds up what several parts of a dataset left out."""
        total: Counter[str] = Counter()
        for part in passed_over:
            total.update(part)
        # Two parts that were read alike say the same.
        return cls(notes=tuple(dict.fromkeys(notes)), passed_over=dict(sorted(total.items())))

    def tell(self) -> str:
        """One sentence for what was left out and one for each note; empty when there is nothing to tell."""
        counted = ", ".join(f"{count:,} x {what}" for what, count in self.passed_over.items())
        return " ".join([f"Passed over: {counted}."] * bool(counted) + list(self.notes))


class ProtocolNote(_Note):
    """A protocol that was derived from the data.

    Attributes:
        id: its own.
        size: side of its images in pixels.
        model: name of its student.
    """

    id: str
    size: int = Field(validation_alias=AliasPath("store", "size"))
    model: str = Field(validation_alias=AliasPath("student", "model", "name"))


class Notes(_Note):
    """What the framework reads of notes.

    Attributes:
        teachers: by the name of each.
        external_data: data beyond the training set that was used.
        files_read: files of rows and scores.
        files: of the dataset.
        pixels: of a set whose images came as floats.
        source: where a set that was made elsewhere comes from.
        read: what a set was taken for, a sentence each.
        classes: how its classes were matched with the dataset's.
        experiment: which of several in one file it is.
        student_lr: where a learned rate was read.
        learned: what a set brings beside its images that was learned, and whether it counted, a phrase each.
        doubts: what makes a result doubtful, a sentence each.
        overrides: values of the protocol that were replaced.
        setting: of which family of protocols, and which, the run was made as; other families may share it.
        derived_protocol: one that was derived from the data, and no file holds.
        proxy: where the proxy's training comes from.
        remade: what a forced run made anew: kinds of artefacts, and the student.
    """

    teachers: dict[str, TeacherNote] = {}
    external_data: tuple[str, ...] = ()
    files_read: tuple[FileNote, ...] = ()
    files: Facts = Facts()
    pixels: PixelsNote | None = None
    source: str = ""
    read: tuple[str, ...] = ()
    classes: str = ""
    experiment: str = ""
    student_lr: str = ""
    learned: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    overrides: dict[str, Any] = {}
    setting: str = ""
    derived_protocol: ProtocolNote | None = None
    proxy: str = ""
    remade: tuple[str, ...] = ()

    @property
    def reading(self) -> tuple[str, ...]:
        """What a file of tensors or rows was taken for."""
        experiment = (f"experiment {self.experiment}",) if self.experiment else ()
        rate = (f"student_lr {self.student_lr}",) if self.student_lr else ()
        return (*experiment, *self.read, *rate)


def check_notes(notes: dict[str, Any]) -> dict[str, Any]:
    """The same notes, if all that the framework reads of them is as it is written.

    Raises:
        ValueError: it is not; names the first entry that differs.
    """
    try:
        Notes.model_validate(notes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return notes


def merge_notes(notes: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Notes from two sources: teachers, external data and files add up, of all else the newer counts."""
    merged = {**notes, **more}
    if files := [*notes.get("files_read", ()), *more.get("files_read", ())]:
        merged["files_read"] = [file for place, file in enumerate(files) if file not in files[:place]]
    if external := {*notes.get("external_data", ()), *more.get("external_data", ())}:
        merged["external_data"] = sorted(external)
    teachers: dict[str, dict[str, Any]] = {key: dict(about) for key, about in notes.get("teachers", {}).items()}
    for key, about in more.get("teachers", {}).items():
        known = teachers.get(key, {})
        measured = known.get("top1") if about["top1"] is None else about["top1"]
        roles = sorted({*known.get("for", ()), *about["for"]})
        teachers[key] = {**about, "top1": measured, "for": roles}
    return {**merged, "teachers": teachers} if teachers else merged
