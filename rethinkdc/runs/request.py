"""What a user asks for. Imports nothing heavy: the command line's help is made of it.

The request of a run is put together of what smaller requests need: a score has a dataset, a protocol and a seed, a set
has a compressor too. Studies and commands take the same pieces.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from rethinkdc.choices import Backing, Precision
from rethinkdc.errors import RequestError, nearest
from rethinkdc.runs.options import Option, Options

if TYPE_CHECKING:
    from rethinkdc.seeds import Seeds

DEFAULT_DATASET = "mnist-5k"
DEFAULT_IPC = 10


def read_overrides(pairs: list[str]) -> dict[str, Any]:
    """Reads ``training.batch=32`` and the like.

    Raises:
        RequestError: one is no KEY=VALUE, or its value cannot be read.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if not equals or not key:
            raise RequestError(f"--set {pair}: expected KEY=VALUE, for example training.batch=32.")
        overrides |= _read_override(pair)
    return overrides


def _read_override(pair: str) -> dict[str, Any]:
    from rethinkdc.reference import parse_reference

    try:
        return dict(parse_reference(f"set:{pair}").values)
    except RequestError:
        raise RequestError(
            f"--set {pair}: the value cannot be read. Numbers, words and lists such as [0.5,1.0] can be given here; "
            "tables belong in a file: `rethinkdc new-protocol` writes one to change."
        ) from None


def _as_in_files(key: str, value: Any) -> Any:
    """A value as a protocol's file says it: a reference is a text there."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_as_in_files(key, one) for one in value]
    if isinstance(value, Mapping):
        return {name: _as_in_files(key, one) for name, one in value.items()}
    from rethinkdc.reference import Reference

    if isinstance(value, Reference):
        return str(value)
    raise RequestError(f"overrides[{key!r}] = {value!r}: expected a number, a text, a list or a table of them.")


def read_share(text: str) -> float:
    """Reads a share of the training set: ``0.3`` or ``30%``.

    Raises:
        RequestError: the text is neither.
    """
    percent = text.strip().endswith("%")
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        raise RequestError(f"--keep {text}: expected a share of the training set, such as 0.3 or 30%.") from None
    return number / 100 if percent else number


@dataclass(frozen=True, kw_only=True)
class Basis(Options):
    """What everything is made from and under."""

    dataset: Annotated[
        str | None, Option("Name, folder or hub id; default: the protocol's, or mnist-5k.", short="-d")
    ] = None
    protocol: Annotated[
        str | None, Option("Protocol id or TOML file; default: the one for the dataset and labels.", short="-p")
    ] = None
    backing: Annotated[
        Backing, Option("How images are held: auto, decoded or encoded; results do not depend on it.")
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class Seeded(Basis):
    """What is made with draws."""

    seed: Annotated["int | Seeds", Option("One seed for every axis of randomness.", minimum=0, typed=int)] = 0

    @property
    def seeds(self) -> "Seeds":
        """The seed of each axis."""
        # Not imported above: it imports pydantic, which help needs nowhere.
        from rethinkdc.seeds import Seeds

        return self.seed if isinstance(self.seed, Seeds) else Seeds.all(self.seed)


@dataclass(frozen=True, kw_only=True)
class Precise(Options):
    """In what numbers networks compute that sets and labels are made with."""

    precision: Annotated[
        Precision | None,
        Option(
            "Numbers of synthesis and of teachers' training in place of the protocol's: float32, tf32, tf32-conv (in "
            "convolutions alone) or bf16; marks the record modified."
        ),
    ] = None

    @property
    def changes(self) -> dict[str, Any]:
        """Values of the protocol that are replaced."""
        return {} if self.precision is None else {"precision": self.precision}


@dataclass(frozen=True, kw_only=True)
class Tiling(Options):
    """What is refused unless it is asked for twice."""

    small_cells: Annotated[bool, Option("Allow cells of less than 4 px, where a method tiles its canvases.")] = False


@dataclass(frozen=True)
class SetRequest(Tiling, Precise, Seeded):
    """A compressed set."""

    compressor: Annotated[str, Option("Compressor, e.g. pca, random, el2n:direction=easy, pca:grid=3.", short="-c")]
    ipc: Annotated[int | None, Option("Images per class; default: the protocol's.")] = field(default=None, kw_only=True)
    keep: Annotated[
        float | None,
        Option(
            "Share of the training set in place of --ipc, e.g. 0.3 or 30%: so much of each class.",
            typed=str,
            read=read_share,
        ),
    ] = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Labelling(Options):
    """Which labels a set gets."""

    labeler: Annotated[str, Option("Labeler, e.g. hard.", short="-l")] = "hard"


@dataclass(frozen=True, kw_only=True)
class Judging(Options):
    """Who says how good a labelled set is."""

    evaluator: Annotated[str, Option("Evaluator.", short="-e")] = "standard"
    student: Annotated[str | None, Option("Model in place of the protocol's student, e.g. timm/resnet18.")] = None


@dataclass(frozen=True, kw_only=True)
class Tuned(Options):
    """Whether anything is chosen by the result: then never on test images."""

    tune: Annotated[bool, Option("Train and test on a split of the training set.")] = False


@dataclass(frozen=True, kw_only=True)
class Departures(Tuned):
    """What departs from the protocol as it is written; none of it stands in a table with what does not."""

    overrides: Annotated[
        Mapping[str, Any],
        Option(
            "Override a protocol value, e.g. training.batch=32; marks the record modified.",
            flag="--set",
            typed=list[str],
            read=read_overrides,
        ),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.overrides, Mapping):
            raise RequestError(f"overrides = {self.overrides!r}: expected a table such as {{'training.batch': 32}}.")
        # A copy: the caller's may change afterwards.
        object.__setattr__(self, "overrides", {key: _as_in_files(key, value) for key, value in self.overrides.items()})
        super().__post_init__()


@dataclass(frozen=True)
class Request(Departures, Judging, Labelling, SetRequest):
    """A run; every field is optional but the compressor."""

    setting: Annotated[
        str, Option("Which setting of a family of protocols it is, noted on the record.", python_only=True)
    ] = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        told = self.overrides.get("precision", self.precision)
        if self.precision is not None and told != self.precision:
            raise RequestError(
                f"--set precision={told} and --precision {self.precision} differ: leave one of them out."
            )

    @property
    def changes(self) -> dict[str, Any]:
        return {**self.overrides, **super().changes}


def parse_seeds(text: str | None, seed: int = 0) -> "list[Seeds]":
    """Reads ``0,1,2`` (all axes together) or ``student=0,1,2`` (one axis; the others keep ``seed``).

    Raises:
        RequestError: no list of whole numbers, or an unknown axis.
    """
    from rethinkdc.seeds import AXES, Seeds

    if text is None:
        return [Seeds.all(seed)]
    axis, _, values = text.rpartition("=")
    if axis and axis not in AXES:
        raise RequestError(f"--seeds {text}: unknown axis {axis!r}. {nearest(axis, AXES)}")
    try:
        numbers = [int(value) for value in values.split(",")]
    except ValueError:
        raise RequestError(f"--seeds {text}: expected whole numbers such as 0,1,2 or student=0,1,2.") from None
    if len(set(numbers)) != len(numbers) or min(numbers) < 0:
        raise RequestError(f"--seeds {text}: the seeds must differ and not be negative.")
    if not axis:
        return [Seeds.all(number) for number in numbers]
    return [Seeds.all(seed).model_copy(update={axis: number}) for number in numbers]
