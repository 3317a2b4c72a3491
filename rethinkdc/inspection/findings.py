"""What an inspection finds: frozen values, one kind for each thing that a file may be."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from rethinkdc.choices import FileKind
from rethinkdc.inspection.triage import Triage
from rethinkdc.notes import PixelsNote

F = TypeVar("F", bound="Finding")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Value):
    """A tensor, a column or a value in a file.

    Attributes:
        name: where it lies, such as ``data.0.1``; empty = the file is nothing else.
        dtype: of its numbers; ``text`` or the type of a plain value.
        shape: empty for one value.
        low: the least finite number; None where there is none.
        high: the largest finite number.
        missing: numbers that are NaN or infinite, and empty cells.
        value: of one value: itself.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    missing: int = 0
    value: str = ""


class Finding(_Value):
    """One thing that a file can be used as.

    Attributes:
        kind: what it is.
        taken: what each part was taken for, as the record of its use says it.
        ignored: what is there and not used, with counts.
        warnings: what makes it doubtful.
        refused: why it cannot be used as it is asked for; empty = it can.
        command: the command that uses it; a word in capitals is to be replaced.
    """

    kind: FileKind
    taken: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: str = ""
    command: str = ""


class DatasetFinding(Finding):
    """A folder of train and test images.

    Attributes:
        train: number of training images.
        test: number of test images.
        class_names: in the order of their indices.
        per_class: training images of each class.
        sizes: height x width of the images that were looked at -> how many.
        fingerprint: content hash.
        order: in what order the training rows lie, as far as the labels tell.
        protocol: the one that a run takes without --protocol, and its store's side in px.
    """

    kind: Literal["dataset"] = "dataset"
    train: int
    test: int
    class_names: tuple[str, ...]
    per_class: tuple[int, ...]
    sizes: dict[str, int]
    fingerprint: str
    order: str
    protocol: str


class SetFinding(Finding):
    """A finished set; the values are None where it cannot be read as it is asked for.

    Attributes:
        method: what its card calls it.
        source: the form in which it lies.
        images: how many.
        size: their side in px.
        per_class: images of each class, in the order of the dataset's classes where it fits one, else of its own.
        class_names: those classes.
        soft_labels: whether it has learned labels.
        student_lr: its learned student rate.
        pixels: what storing float images as bytes costs, as the record says it: mean, std, clamped, clamp_error,
            rounding_error.
        likely: the one known mean and std that make whole bytes of its values, as options; empty = none such, or those
            that were stated.
        classes: how its classes were found among the dataset's.
        dataset: the dataset that it was fitted to.
        protocol: the protocol that it was fitted to.
        triage: what a teacher says of it; None = none was asked.
    """

    kind: Literal["set"] = "set"
    method: str = ""
    source: str = ""
    images: int | None = None
    size: int | None = None
    per_class: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    soft_labels: bool = False
    student_lr: float | None = None
    pixels: PixelsNote | None = None
    likely: str = ""
    classes: str = ""
    dataset: str = ""
    protocol: str = ""
    triage: Triage | None = None


class RowsFinding(Finding):
    """A list of training rows.

    Attributes:
        dataset: whose rows.
        order: what proves that the file numbers the rows as the dataset does.
        rows: how many.
        per_class: of each class.
        weights: the least and the largest, where there are weights.
    """

    kind: Literal["rows"] = "rows"
    dataset: str
    order: str
    rows: int
    per_class: tuple[int, ...]
    weights: tuple[float, float] | None = None


class ScoresFinding(Finding):
    """One number for each training row.

    Attributes:
        dataset: whose rows.
        order: what proves that the file numbers the rows as the dataset does.
        rows: how many.
        low: the least.
        high: the largest.
        distinct: different values.
    """

    kind: Literal["scores"] = "scores"
    dataset: str
    order: str
    rows: int
    low: float
    high: float
    distinct: int


class TraceFinding(Finding):
    """The trace of a proxy."""

    kind: Literal["trace"] = "trace"
    dataset: str
    rows: int
    epochs: int
    clean_epochs: tuple[int, ...]
    accuracy: float


class WeightsFinding(Finding):
    """The weights of a network.

    Attributes:
        tensors: how many.
        parameters: numbers in them.
        dtypes: of the tensors.
        classes: outputs that its last matrix has; None = it has none.
        models: the models that it fits by names and shapes, with the side in px at which.
    """

    kind: Literal["weights"] = "weights"
    tensors: int
    parameters: int
    dtypes: tuple[str, ...]
    classes: int | None
    models: tuple[str, ...]


class TextFinding(Finding):
    """A protocol, a study or records: what it says in a few words."""

    kind: Literal["protocol", "study", "record", "records"]
    about: dict[str, str]


class Inspection(_Value):
    """What a file or folder is.

    Attributes:
        file: as it was named.
        bytes: of the file; None for a folder.
        parts: tensors, columns and values in the file, in its order.
        findings: what it can be used as.
        refused: what it was tried as and is not, with the reason.
        preview: the picture that was written.
    """

    file: str
    bytes: int | None
    parts: tuple[Part, ...] = ()
    findings: tuple[SerializeAsAny[Finding], ...]
    refused: dict[str, str] = {}
    preview: str = ""

    def find(self, kind: type[F]) -> F | None:
        """The finding of a kind; None where it is none such."""
        return next((found for found in self.findings if isinstance(found, kind)), None)
