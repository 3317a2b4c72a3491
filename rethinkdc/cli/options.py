"""Options that several commands have, and what they stand for. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from rethinkdc.errors import RequestError

CompressorOption = Annotated[
    str, typer.Option("--compressor", "-c", help="Compressor, e.g. pca, random, el2n:direction=easy, pca:grid=3.")
]
DatasetOption = Annotated[
    Optional[str],  # noqa: UP045 - typer reads annotations on Python 3.10 too
    typer.Option("--dataset", "-d", help="Name, folder or hub id; default: the protocol's, or digits."),
]
ProtocolOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--protocol", "-p", help="Protocol id or TOML file; default: the one for the dataset and labels."),
]
IpcOption = Annotated[Optional[int], typer.Option("--ipc", help="Images per class; default: the protocol's.")]  # noqa: UP045
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="One seed for every axis of randomness.")]
SeedsOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--seeds", help="Several runs: 0,1,2 moves all axes, student=0,1,2 one of them."),
]
LabelerOption = Annotated[str, typer.Option("--labeler", "-l", help="Labeler, e.g. hard.")]
EvaluatorOption = Annotated[str, typer.Option("--evaluator", "-e", help="Evaluator.")]
StudentOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--student", help="Model in place of the protocol's student, e.g. timm/resnet18."),
]
RecordsOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--records", help="Folder of records; default: RETHINKDC_RECORDS or ./records."),
]
CacheOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--cache-dir", help="Folder of the cache; default: RETHINKDC_CACHE or the platform's."),
]
DeviceOption = Annotated[Optional[str], typer.Option("--device", help="cpu, cuda or cuda:N.")]  # noqa: UP045
WorkersOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--workers", min=0, help="Threads that render views ahead; results do not depend on it."),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Threads that compute on a CPU; the bits of a result depend on it.")
]
BackingOption = Annotated[
    str, typer.Option("--backing", help="How images are held: auto, decoded or encoded; results do not depend on it.")
]
PreviewOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--preview", help="Picture of the set to write, e.g. grid.png: its first images by class."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Run again although an ok record exists.")]


def machine(
    records: Path | None, cache_dir: Path | None, device: str | None, workers: int | None, threads: int
) -> dict[str, Any]:
    """Keyword arguments of ``rethinkdc.runs.machine.make_runner``."""
    from rethinkdc.cli.progress import Bars
    from rethinkdc.context.ranks import leads

    return {
        "records": records,
        "cache_dir": cache_dir,
        "device": device,
        "workers": workers,
        "threads": threads,
        "progress": Bars() if leads() else None,
    }


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """One number for each channel, or one for all: ``0.49,0.48,0.45``.

    Raises:
        RequestError: the text is no list of numbers.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise RequestError(f"{option} {text}: expected three numbers, such as 0.49,0.48,0.45, or one.") from None


def rate_or_file(text: str | None) -> float | Path | None:
    """Reads a learned student rate: the number itself, or the file that holds it."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return Path(text)


def checked_backing(name: str) -> Any:
    """The name of a backing.

    Raises:
        RequestError: there is none of this name.
    """
    if name not in ("auto", "decoded", "encoded"):
        raise RequestError(f"--backing {name}: choose auto, decoded or encoded.")
    return name


def checked_form(name: str | None) -> Any:
    """What soft labels are.

    Raises:
        RequestError: there is no such form.
    """
    if name not in (None, "logits", "probabilities"):
        raise RequestError(f"--soft-labels {name}: choose logits or probabilities.")
    return name
