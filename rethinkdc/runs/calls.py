"""What each public function and command takes: a request, the machine, and what becomes of the result.

Imports nothing heavy. Quoted types are of values that only Python hands over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from rethinkdc.choices import FileKind, Force, LabelForm
from rethinkdc.cores import read_count
from rethinkdc.errors import RequestError
from rethinkdc.runs.options import Option, Options
from rethinkdc.runs.request import Judging, Labelling, Precise, Request, Seeded, SetRequest

if TYPE_CHECKING:
    from torch import Tensor

    from rethinkdc.compressed import CompressedSet
    from rethinkdc.types import Progress


def read_numbers(flag: str, text: str) -> tuple[float, ...]:
    """Reads one number for each channel, or one for all: ``0.49,0.48,0.45``.

    Raises:
        RequestError: the text is no list of numbers.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise RequestError(f"{flag} {text}: expected three numbers, such as 0.49,0.48,0.45, or one.") from None


def read_rate(text: str) -> float | Path:
    """Reads a learned student rate: the number itself, or the file that holds it."""
    try:
        return float(text)
    except ValueError:
        return Path(text)


RecordsFolder: TypeAlias = Annotated[
    str | Path | None, Option("Folder of records; default: RETHINKDC_RECORDS or ./records.", typed=Path)
]
Picture: TypeAlias = Annotated[
    str | Path | None,
    Option("Picture of the set to write, e.g. grid.png: its first images by class.", typed=Path),
]
NewFolder: TypeAlias = Annotated[str | Path, Option("Folder to write; it must not exist.", short="-o", typed=Path)]


CacheFolder: TypeAlias = Annotated[
    str | Path | None, Option("Folder of the cache; default: RETHINKDC_CACHE or the platform's.", typed=Path)
]
Workers: TypeAlias = Annotated[
    int | None, Option("Threads that render views ahead; results do not depend on it.", minimum=0)
]
Reporting: TypeAlias = Annotated[
    "Progress | None", Option("Where long work reports to; default: nowhere.", python_only=True)
]


@dataclass(frozen=True, kw_only=True)
class Networked(Options):
    """Whether the network may be asked for what is not on this machine."""

    offline: Annotated[
        bool, Option("Open no socket; what is not on this machine is an error that says how to fetch it.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class Machine(Networked):
    """What computes, and where it keeps what it shares."""

    cache_dir: CacheFolder = None
    device: Annotated[str | None, Option("cpu, cuda or cuda:N.")] = None
    workers: Workers = None
    rehash: Annotated[
        bool, Option("Read the files of datasets and sets again, whatever their sizes and times say of a change.")
    ] = False
    threads: Annotated[
        int | str,
        Option(
            "Threads that compute on a CPU; the bits of a result depend on it. auto, of run: what suits its student "
            "best here, measured once.",
            typed=str,
            read=partial(read_count, "--threads"),
        ),
    ] = 1
    progress: Reporting = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "threads", read_count("--threads", self.threads))
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class Keeping(Options):
    """Where results go, what of them is kept, who hears of them, and how long a run may take."""

    records: RecordsFolder = None
    no_predictions: Annotated[
        bool, Option("Keep no predictions beside records; paired tests and calibration need them.")
    ] = False
    no_sheet: Annotated[bool, Option("Keep no contact sheet of the set beside records; reports show it.")] = False
    tracker: Annotated[
        str | Sequence[str],
        Option(
            "Plugin that follows the runs through their events, e.g. jsonl, tensorboard or wandb:mode=offline.",
            typed=list[str],
            read=tuple,
        ),
    ] = ()
    time_limit: Annotated[
        float | None,
        Option("Seconds that each run may take, waiting for what others make included; then it is recorded as failed."),
    ] = None

    def __post_init__(self) -> None:
        if self.time_limit is not None and not 0 < self.time_limit < math.inf:
            raise RequestError(f"--time-limit {self.time_limit:g}: a number of seconds above 0 is needed.")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class Recording(Keeping):
    """As :class:`Keeping`, and whether to a result that is there another is added, and of what."""

    force: Annotated[
        bool | Force | None,
        Option(
            "Run again although an ok record exists, and make set, scores and labels anew; --force=student takes those "
            "of the cache.",
            bare="all",
        ),
    ] = None

    def __post_init__(self) -> None:
        if isinstance(self.force, bool):
            object.__setattr__(self, "force", "all" if self.force else None)
        super().__post_init__()

    @property
    def forced(self) -> Force | None:
        """What is made anew; None = what is on record stands."""
        return None if isinstance(self.force, bool) else self.force


@dataclass(frozen=True)
class RunCall(Recording, Machine, Request):
    """What ``run`` takes."""

    preview: Picture = field(default=None, kw_only=True)


@dataclass(frozen=True)
class CompressCall(Machine, SetRequest):
    """What ``compress`` takes."""

    out: NewFolder
    preview: Picture = field(default=None, kw_only=True)


@dataclass(frozen=True)
class RowsCall(Machine, SetRequest):
    """What ``rows`` takes."""


@dataclass(frozen=True)
class ScoreCall(Machine, Precise, Seeded):
    """What ``score`` takes."""

    score: Annotated[str, Option("Score, e.g. el2n or el2n:observe=clean.", short="-s")]


@dataclass(frozen=True)
class TraceCall(Machine, Seeded):
    """What ``trace`` takes."""

    out: NewFolder


@dataclass(frozen=True, kw_only=True)
class SetFacts(Options):
    """What a finished set does not say of itself."""

    labels: Annotated[
        str | Path | None,
        Option("Of tensors: the file of the labels, where the images are alone in theirs.", typed=Path),
    ] = None
    soft_labels: Annotated[LabelForm | None, Option("Of tensors: what soft labels are, logits or probabilities.")] = (
        None
    )
    mean: Annotated[
        Sequence[float] | None,
        Option(
            "Of tensors: channel means of the normalisation, e.g. 0.49,0.48,0.45.",
            typed=str,
            read=partial(read_numbers, "--mean"),
        ),
    ] = None
    std: Annotated[
        Sequence[float] | None,
        Option(
            "Of tensors: channel standard deviations of the normalisation.",
            typed=str,
            read=partial(read_numbers, "--std"),
        ),
    ] = None
    experiment: Annotated[int | None, Option("Of tensors of several experiments: which, from 0.", minimum=0)] = field(
        default=None, kw_only=True
    )
    student_lr: Annotated[
        float | str | Path | None,
        Option("Of tensors: the learned student rate, or the file that holds it.", typed=str, read=read_rate),
    ] = None


@dataclass(frozen=True)
class FinishedSet(SetFacts):
    """A finished set, made here or elsewhere."""

    images: Annotated[
        "Tensor | CompressedSet | str | Path",
        Option(
            "Folder of `compress --out`; Parquet folder or hub id with image and class_id; tree of image files; "
            "or tensors (.safetensors, .pt, .npz, .npy), also a folder of images and labels.",
            argument="SET",
            typed=str,
        ),
    ]
    targets: Annotated["Tensor | None", Option("With tensors: classes of the images, int64 [M].", python_only=True)] = (
        None
    )
    weights: Annotated[
        "Tensor | None", Option("With tensors: loss weights of the images, float [M].", python_only=True)
    ] = field(default=None, kw_only=True)
    soft_targets: Annotated[
        "Tensor | None", Option("With tensors: learned labels as logits, float [M, C].", python_only=True)
    ] = field(default=None, kw_only=True)
    name: Annotated[str | None, Option("What tables call the set.")] = field(default=None, kw_only=True)


@dataclass(frozen=True)
class FinishedRequest:
    """A run of a finished set.

    Attributes:
        finished: the set: where it lies, what tables call it, what it does not say of itself.
        request: all else; its compressor is empty, since nothing compresses.
    """

    finished: FinishedSet
    request: Request


AnyRequest: TypeAlias = Request | FinishedRequest
"""What a study asks for, and worker processes are sent."""


@dataclass(frozen=True)
class EvaluateCall(Recording, Machine, Judging, Labelling, Precise, Seeded, FinishedSet):
    """What ``evaluate`` takes."""

    preview: Picture = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ExportCall(Networked, FinishedSet):
    """What ``export`` takes."""

    out: Annotated[
        str | Path,
        Option("Folder to write, or hub:OWNER/NAME to upload to; neither may exist.", short="-o", typed=str),
    ] = field(kw_only=True)
    license: Annotated[str, Option("Licence of the set, as the hub spells it, e.g. mit or cc-by-4.0.")] = field(
        default="unknown", kw_only=True
    )
    private: Annotated[bool, Option("On the hub: for yourself alone.")] = field(default=False, kw_only=True)


@dataclass(frozen=True)
class InspectCall(Machine, Precise, Seeded, SetFacts):
    """What ``inspect`` takes."""

    file: Annotated[
        str | Path,
        Option(
            "A dataset's folder, a finished set, rows, scores, a trace, weights, a protocol, a study or records.",
            argument="FILE",
            typed=str,
        ),
    ]
    kind: Annotated[
        FileKind | None, Option("What it is to be read as, where several are possible; default: all.", flag="--as")
    ] = field(default=None, kw_only=True)
    teacher: Annotated[
        str | None,
        Option(
            "Teacher that a finished set is tested with for class order and normalisation, e.g. trained or "
            "checkpoint:path=FILE,model=NAME; a trained one is trained once."
        ),
    ] = field(default=None, kw_only=True)
    column: Annotated[str | None, Option("Of rows and scores: the column that holds them.")] = field(
        default=None, kw_only=True
    )
    order: Annotated[str | None, Option("Of rows and scores: that of the rows, as rows:order= has it.")] = field(
        default=None, kw_only=True
    )
    like: Annotated[
        str | Path | None, Option("Of rows and scores: folder of the copy that they were made on.", typed=Path)
    ] = field(default=None, kw_only=True)
    entry: Annotated[str | None, Option("Of weights: where in the file they are, as checkpoint:entry= has it.")] = (
        field(default=None, kw_only=True)
    )
    model: Annotated[
        str | None, Option("Of weights: the model that they should fit; default: those that are known.")
    ] = field(default=None, kw_only=True)
    preview: Picture = field(default=None, kw_only=True)


@dataclass(frozen=True)
class LeaderboardCall(Options):
    """What ``leaderboard`` takes."""

    records: RecordsFolder = None
    metric: Annotated[
        str | None,
        Option("What ranks, such as top5 or loss; without it each evaluator's main one.", short="-m"),
    ] = field(default=None, kw_only=True)
    ipc: Annotated[int | None, Option("Only boards of this ipc.", minimum=1)] = field(default=None, kw_only=True)
    protocol: Annotated[
        str | None, Option("Only boards of this protocol: id, or beginning of a digest.", short="-p")
    ] = field(default=None, kw_only=True)
    dataset: Annotated[
        str | None, Option("Only boards of this dataset: label, or beginning of a fingerprint.", short="-d")
    ] = field(default=None, kw_only=True)
    study: Annotated[
        str | Path | None,
        Option(
            "Only runs of this study (a .toml file or the name of a shipped one), beside what it has as reported.",
            typed=str,
        ),
    ] = field(default=None, kw_only=True)
    pool_devices: Annotated[
        bool, Option("Compare runs of several devices and numbers of threads; without it they part boards.")
    ] = field(default=False, kw_only=True)
    test_error: Annotated[bool, Option("Also the test set's own error of each difference, from kept predictions.")] = (
        field(default=False, kw_only=True)
    )
    against: Annotated[
        str | None,
        Option("Differences to the same sets under this labeler, such as hard, in place of random; only its boards."),
    ] = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ParityCall(Options):
    """What ``parity`` takes."""

    records: RecordsFolder = None
    reported: Annotated[
        str | Path | None,
        Option("File of published values (.toml), or the name of a shipped one; default: the authors' own.", typed=str),
    ] = field(default=None, kw_only=True)
    method: Annotated[str | None, Option("Only values of this compressor.", short="-c")] = field(
        default=None, kw_only=True
    )
    dataset: Annotated[str | None, Option("Only values on this dataset.", short="-d")] = field(
        default=None, kw_only=True
    )
    protocol: Annotated[str | None, Option("Only values under this protocol.", short="-p")] = field(
        default=None, kw_only=True
    )
    ipc: Annotated[int | None, Option("Only values of this ipc.", minimum=1)] = field(default=None, kw_only=True)
    measured: Annotated[bool, Option("Only values that a record stands beside.")] = field(default=False, kw_only=True)


@dataclass(frozen=True)
class DrawnCall(LeaderboardCall):
    """What is drawn: boards of records, and answers that ``explain`` left."""

    answers: Annotated[
        str | Path | None,
        Option("Folder in which explain left answers that are drawn too, e.g. evidence.", typed=Path),
    ] = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ReportCall(DrawnCall):
    """What ``report`` takes."""

    out: Annotated[str | Path, Option("HTML file to write; one that is there is replaced.", short="-o", typed=Path)] = (
        field(default="report.html", kw_only=True)
    )


@dataclass(frozen=True)
class PlotCall(DrawnCall):
    """What ``plot`` takes."""

    figure: Annotated[
        str | None,
        Option("Name of a figure as --list shows it, or its kind where one figure is of it.", argument="NAME"),
    ] = field(default=None, kw_only=True)
    out: Annotated[
        str | Path | None,
        Option("Picture to write, such as bytes.png or bytes.pdf; default: NAME.png.", short="-o", typed=Path),
    ] = field(default=None, kw_only=True)


@dataclass(frozen=True)
class VerifyCall(Networked):
    """What ``verify`` takes."""

    place: Annotated[
        str | Path | None,
        Option(
            "A record's file, the beginning of its key, its folder, or any tree of records; default: the records.",
            argument="RECORD|FOLDER",
            typed=str,
        ),
    ] = None
    records: RecordsFolder = field(default=None, kw_only=True)
    replay: Annotated[
        bool,
        Option("Also train each run again, on the kind of device and with the threads of its record; keeps nothing."),
    ] = field(default=False, kw_only=True)
    from_scratch: Annotated[
        bool, Option("With --replay: in an empty cache, so that proxies, teachers, sets and labels are made again too.")
    ] = field(default=False, kw_only=True)
    dataset: Annotated[
        str | None, Option("With --replay: name or folder of the data, where the record's name is none.", short="-d")
    ] = field(default=None, kw_only=True)
    protocol: Annotated[
        str | None, Option("With --replay: file of the protocol, where the record's id is not known here.", short="-p")
    ] = field(default=None, kw_only=True)
    cache_dir: CacheFolder = field(default=None, kw_only=True)
    workers: Workers = field(default=None, kw_only=True)
    progress: Reporting = field(default=None, kw_only=True)
