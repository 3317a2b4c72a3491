"""The command line. Nothing heavy is imported before a command needs it: ``--help`` must answer at once."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from rethinkdc.errors import RequestError, RethinkError

app = typer.Typer(
    help="Benchmark dataset compression: make compressed sets, label them, evaluate them, compare them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_state = {"debug": False}

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
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Run again although an ok record exists.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"rethinkdc {version('rethinkdc')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""
    _state["debug"] = debug


@app.command()
def run(
    compressor: CompressorOption,
    labeler: LabelerOption = "hard",
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    ipc: IpcOption = None,
    seed: SeedOption = 0,
    seeds: SeedsOption = None,
    evaluator: EvaluatorOption = "standard",
    student: StudentOption = None,
    tune: Annotated[bool, typer.Option("--tune", help="Train and test on a split of the training set.")] = False,
    override: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Override a protocol value, e.g. training.batch=32; marks the record modified."),
    ] = None,
    tracker: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--tracker", help="Plugin that follows the run through its events."),
    ] = None,
    records: RecordsOption = None,
    cache_dir: CacheOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = 1,
    backing: BackingOption = "auto",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a compressed set, label it, train and test a student, and write the record.

    Example: rethinkdc run --compressor pca --labeler hard --seeds 0,1,2
    """
    from rethinkdc.api import parse_seeds
    from rethinkdc.cli import tables
    from rethinkdc.request import Request

    runner = _runner(records, cache_dir, device, workers, threads)
    for name in tracker or []:
        runner.registry.found.activate(name)
    requests = [
        Request(
            compressor=compressor,
            labeler=labeler,
            evaluator=evaluator,
            dataset=dataset,
            protocol=protocol,
            student=student,
            ipc=ipc,
            seeds=chosen,
            tune=tune,
            overrides=_overrides(override or []),
            backing=_backing(backing),
        )
        for chosen in parse_seeds(seeds, seed)
    ]
    results = []
    for request in requests:
        record, existed = runner.run(request, force=force)
        results.append((record, existed))
        if not as_json:
            tables.print_run(record, runner.records, existed=existed)
    if as_json:
        tables.print_json([record.model_dump(mode="json") for record, _ in results])
    else:
        tables.print_summary([record for record, _ in results], runner.records, runner.registry)


@app.command()
def compress(
    compressor: CompressorOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write; it must not exist.")],
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    ipc: IpcOption = None,
    seed: SeedOption = 0,
    cache_dir: CacheOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = 1,
    backing: BackingOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Make a compressed set and write it as a folder that `datasets.load_dataset` reads.

    Example: rethinkdc compress --compressor pca --out pca-digits
    """
    from rethinkdc import api
    from rethinkdc.cli import tables

    made = api.compress(
        compressor,
        out,
        dataset=dataset,
        protocol=protocol,
        ipc=ipc,
        seed=seed,
        backing=_backing(backing),
        **_machine(None, cache_dir, device, workers, threads),
    )
    about = {"folder": str(out), "images": len(made), "card": made.card.model_dump(mode="json")}
    if as_json:
        tables.print_json(about)
    else:
        typer.echo(f"Wrote {len(made):,} images of {len(made.class_names)} classes to {out}.")
        given = {"--dataset": dataset, "--protocol": protocol, "--seed": seed or None}
        chosen = "".join(f" {option} {value}" for option, value in given.items() if value is not None)
        typer.echo(f"Evaluate it with: rethinkdc evaluate {out}{chosen}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder of `compress --out`, or Parquet with image and class_id.")],
    labeler: LabelerOption = "hard",
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    seeds: SeedsOption = None,
    evaluator: EvaluatorOption = "standard",
    student: StudentOption = None,
    records: RecordsOption = None,
    cache_dir: CacheOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = 1,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train and test a student on a finished compressed set.

    Example: rethinkdc evaluate pca-digits
    """
    from rethinkdc import api
    from rethinkdc.cli import tables
    from rethinkdc.records import Records
    from rethinkdc.registry import Registry

    found = [
        api.evaluate_or_find(
            folder,
            labeler=labeler,
            dataset=dataset,
            protocol=protocol,
            evaluator=evaluator,
            student=student,
            seed=chosen,
            force=force,
            **_machine(records, cache_dir, device, workers, threads),
        )
        for chosen in api.parse_seeds(seeds, seed)
    ]
    if as_json:
        tables.print_json([record.model_dump(mode="json") for record, _ in found])
        return
    for record, existed in found:
        tables.print_run(record, Records(records), existed=existed)
    tables.print_summary([record for record, _ in found], Records(records), Registry())


@app.command()
def score(
    name: Annotated[str, typer.Option("--score", "-s", help="Score, e.g. el2n or el2n:observe=clean.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: FILE.safetensors and FILE.json.")],
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    cache_dir: CacheOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = 1,
    backing: BackingOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Score every training image and write the scores.

    Example: rethinkdc score --score el2n --out el2n-digits
    """
    from rethinkdc import api
    from rethinkdc.cli import tables

    api.check_out(out)
    scores, about = api.score(
        name,
        dataset=dataset,
        protocol=protocol,
        seed=seed,
        backing=_backing(backing),
        **_machine(None, cache_dir, device, workers, threads),
    )
    tables.write_scores(scores, about, out)
    if as_json:
        tables.print_json(about)
    else:
        files = " and ".join(str(tables.score_file(out, suffix)) for suffix in (".safetensors", ".json"))
        typer.echo(f"Wrote {len(scores):,} scores to {files}.")


@app.command("list-plugins")
def list_plugins(as_json: JsonOption = False) -> None:
    """List every installed method with its kind, paper and distribution; broken ones with the reason."""
    from rethinkdc.cli import tables
    from rethinkdc.registry import Registry

    tables.print_plugins(Registry(), as_json=as_json)


@app.command("list-protocols")
def list_protocols(as_json: JsonOption = False) -> None:
    """List every protocol with its labels, data, student and digest."""
    from rethinkdc.cli import tables
    from rethinkdc.registry import Registry

    tables.print_protocols(Registry(), as_json=as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A method, a dataset, a model or a protocol.")],
    as_json: JsonOption = False,
) -> None:
    """Show a method's parameters, or all values of a protocol with their sources.

    Example: rethinkdc show pca
    """
    from rethinkdc.cli import tables
    from rethinkdc.registry import Registry

    tables.print_one(Registry(), name, as_json=as_json)


def main() -> None:
    """Runs the command line: exit code 0 ok, 1 the run failed, 2 the request was wrong."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes the other arguments as they come
    try:
        app()
    except RethinkError as error:
        if _state["debug"]:
            raise
        typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.secho("Interrupted. What was computed is kept; the same command goes on from there.", err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if issubclass(category, UserWarning):
        typer.secho(f"Warning: {message}", fg=typer.colors.YELLOW, err=True)


def _runner(records: Path | None, cache_dir: Path | None, device: str | None, workers: int | None, threads: int) -> Any:
    from rethinkdc.api import make_runner

    return make_runner(**_machine(records, cache_dir, device, workers, threads))


def _machine(
    records: Path | None, cache_dir: Path | None, device: str | None, workers: int | None, threads: int
) -> dict[str, Any]:
    from rethinkdc.progress import Bars

    return {
        "records": records,
        "cache_dir": cache_dir,
        "device": device,
        "workers": workers,
        "threads": threads,
        "progress": Bars(),
    }


def _overrides(pairs: list[str]) -> dict[str, Any]:
    from rethinkdc.method import parse_reference

    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if not equals or not key:
            raise RequestError(f"--set {pair}: expected KEY=VALUE, for example training.batch=32.")
        found |= parse_reference(f"set:{pair}").values
    return found


def _backing(name: str) -> Any:
    if name not in ("auto", "decoded", "encoded"):
        raise RequestError(f"--backing {name}: choose auto, decoded or encoded.")
    return name
