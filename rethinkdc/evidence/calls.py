"""What questions take. Imports nothing heavy."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rethinkdc.errors import RequestError
from rethinkdc.runs.options import Option
from rethinkdc.runs.request import Basis, Tiling, parse_seeds
from rethinkdc.studies.calls import StudyRequest, Sweeping


def read_students(text: str) -> tuple[str, ...]:
    """Reads models with commas between them; those inside brackets are of a model's own values."""
    return tuple(part.strip() for part in re.split(r",(?![^\[]*\])", text))


@dataclass(frozen=True, kw_only=True)
class Asking(Sweeping, Tiling, Basis):
    """What every question takes: the data, the protocol, how large the sets are, how many, and where answers go."""

    ipc: Annotated[int | None, Option("Images per class; default: the set's, or the protocol's.", minimum=1)] = None
    evaluator: Annotated[str, Option("Evaluator.", short="-e")] = "standard"
    seeds: Annotated[int | str, Option("How many sets of each method, as 5, or which seeds, as 0,1,2.", typed=str)] = 5
    out: Annotated[
        str | Path | None,
        Option(
            "Folder for study, answer and report; default: named after the question.",
            short="-o",
            typed=Path,
        ),
    ] = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The seeds.

        Raises:
            RequestError: they are no number of sets and no list.
        """
        text = str(self.seeds).strip()
        if text.isdecimal():
            if text == "0":
                raise RequestError("--seeds 0: one set at least is needed, as in --seeds 5 or --seeds 0,1.")
            return tuple(range(int(text)))
        try:
            return tuple(seeds.set for seeds in parse_seeds(text.removesuffix(",")))
        except RequestError:
            raise RequestError(
                f"--seeds {self.seeds}: expected how many sets, such as 5, or which seeds, such as 0,1,2."
            ) from None


@dataclass(frozen=True)
class ExplainCall(Asking):
    """What ``explain`` takes."""

    method: Annotated[
        str, Option("A compressor, such as pca, or a finished set: a folder, a file or a hub id.", argument="METHOD")
    ]
    labeler: Annotated[
        str | None,
        Option("The method's soft labels; default: those that a set brings, or soft.", short="-l"),
    ] = field(default=None, kw_only=True)
    student: Annotated[str | None, Option("Model in place of the protocol's student, e.g. timm/resnet18.")] = field(
        default=None, kw_only=True
    )


@dataclass(frozen=True)
class CompareCall(Asking):
    """What ``compare`` takes."""

    methods: Annotated[
        Sequence[str],
        Option(
            "Compressors, such as pca and el2n:direction=easy, and finished sets.",
            argument="METHOD...",
            typed=list[str],
        ),
    ]
    labeler: Annotated[str, Option("Labels of all of them, e.g. hard or soft.", short="-l")] = field(
        default="hard", kw_only=True
    )
    students: Annotated[
        Sequence[str],
        Option("Models in place of the protocol's student, e.g. convnet,timm/resnet18.", typed=str, read=read_students),
    ] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        # Copies: the caller's lists may change afterwards. One name alone is one, not its letters.
        for name in ("methods", "students"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class RobustCall(Sweeping, StudyRequest):
    """What ``robust`` takes."""

    shard: Annotated[
        str | None,
        Option("Make one part of so many of the runs, counted from 0; the answer is of all that is on record then."),
    ] = None
    on_record: Annotated[bool, Option("Run nothing: answer from what is on record.")] = False
    out: Annotated[
        str | Path | None,
        Option("Folder for study, answer and report; default: named after the study.", short="-o", typed=Path),
    ] = None


__all__ = ["Asking", "CompareCall", "ExplainCall", "RobustCall"]
