"""The command line. Nothing heavy is imported before a command needs it: ``--help`` must answer at once."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from rethinkdc.cli.exports import rows, trace
from rethinkdc.cli.installation import check_installation
from rethinkdc.cli.leaderboard import leaderboard
from rethinkdc.cli.options import (
    BackingOption,
    CacheOption,
    CompressorOption,
    DatasetOption,
    DeviceOption,
    EvaluatorOption,
    ForceOption,
    IpcOption,
    JsonOption,
    LabelerOption,
    PreviewOption,
    ProtocolOption,
    RecordsOption,
    SeedOption,
    SeedsOption,
    StudentOption,
    ThreadsOption,
    WorkersOption,
    checked_backing,
    checked_form,
    machine,
    numbers,
    rate_or_file,
)
from rethinkdc.cli.sweep import sweep
from rethinkdc.context import ranks
from rethinkdc.errors import RequestError, RethinkError

app = typer.Typer(
    help="Benchmark dataset compression: make compressed sets, label them, evaluate them, compare them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_state = {"debug": False}
_INTERRUPTED = 130
"""What typer ends with on a keyboard interrupt."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"rethinkdc {version('rethinkdc')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""
    _state["debug"] = debug
    # Of ranks that torchrun starts, all make sets; of everything else there is one process's work.
    if context.invoked_subcommand not in ("run", "compress", "rows", "sweep") and not ranks.leads():
        raise typer.Exit


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
    preview: PreviewOption = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a compressed set, label it, train and test a student, and write the record.

    Example: rethinkdc run --compressor pca --labeler hard --seeds 0,1,2
    """
    from rethinkdc.api import parse_seeds
    from rethinkdc.cli import tables
    from rethinkdc.runs.exports import preview_to
    from rethinkdc.runs.request import Request

    runner = _runner(records, cache_dir, device, workers, threads)
    for name in tracker or []:
        runner.registry.trackers.add(name)
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
            backing=checked_backing(backing),
        )
        for chosen in parse_seeds(seeds, seed)
    ]
    if not ranks.leads():
        for request in requests:
            runner.take_part(request, force=force or (preview is not None and request is requests[0]))
        return
    # Of several seeds the picture is of the first.
    seen = preview_to(preview) if preview else None
    results = []
    for index, request in enumerate(requests):
        record, existed = runner.run(request, force=force, seen=None if index else seen)
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
    preview: PreviewOption = None,
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
        backing=checked_backing(backing),
        preview=preview,
        **machine(None, cache_dir, device, workers, threads),
    )
    if not ranks.leads():
        return
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
    place: Annotated[
        str,
        typer.Argument(
            metavar="SET",
            help="Folder of `compress --out`; Parquet folder or hub id with image and class_id; tree of image files; "
            "or tensors (.safetensors, .pt).",
        ),
    ],
    labeler: LabelerOption = "hard",
    dataset: DatasetOption = None,
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    seeds: SeedsOption = None,
    evaluator: EvaluatorOption = "standard",
    student: StudentOption = None,
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--labels", help="Of tensors: the file of the labels, where the images are alone in theirs."),
    ] = None,
    soft_labels: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--soft-labels", help="Of tensors: what soft labels are, logits or probabilities."),
    ] = None,
    mean: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--mean", help="Of tensors: channel means of the normalisation, e.g. 0.49,0.48,0.45."),
    ] = None,
    std: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--std", help="Of tensors: channel standard deviations of the normalisation."),
    ] = None,
    experiment: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--experiment", min=0, help="Of tensors of several experiments: which, from 0."),
    ] = None,
    student_lr: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--student-lr", help="Of tensors: the learned student rate, or the file that holds it."),
    ] = None,
    name: Annotated[Optional[str], typer.Option("--name", help="What tables call the set.")] = None,  # noqa: UP045
    preview: PreviewOption = None,
    records: RecordsOption = None,
    cache_dir: CacheOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = 1,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train and test a student on a finished compressed set, made here or elsewhere.

    Example: rethinkdc evaluate pca-digits

    Example: rethinkdc evaluate res_DM_CIFAR10_ConvNet_10ipc.pt --mean 0.4914,0.4822,0.4465 --std 0.2023,0.1994,0.2010
    """
    from rethinkdc import api
    from rethinkdc.cli import tables
    from rethinkdc.compressed import FileFacts
    from rethinkdc.registry.registry import Registry
    from rethinkdc.runs.records import Records

    facts = FileFacts(
        labels=labels,
        mean=numbers(mean, "--mean"),
        std=numbers(std, "--std"),
        soft_labels=checked_form(soft_labels),
        experiment=experiment,
        student_lr=rate_or_file(student_lr),
    )
    found = [
        api.evaluate_or_find(
            place,
            labeler=labeler,
            dataset=dataset,
            protocol=protocol,
            evaluator=evaluator,
            student=student,
            seed=chosen,
            facts=facts,
            name=name,
            preview=preview,
            force=force,
            **machine(records, cache_dir, device, workers, threads),
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
    from rethinkdc.cli import tables
    from rethinkdc.data.row_files import write_row_file
    from rethinkdc.runs.exports import check_out
    from rethinkdc.runs.exports import score as make_scores

    check_out(out)
    scores, about = make_scores(
        name,
        dataset=dataset,
        protocol=protocol,
        seed=seed,
        backing=checked_backing(backing),
        **machine(None, cache_dir, device, workers, threads),
    )
    files = write_row_file({"scores": scores}, about, out)
    if as_json:
        tables.print_json(about)
    else:
        typer.echo(f"Wrote {len(scores):,} scores to {files[0]} and {files[1]}.")
        typer.echo(
            f"Select by it with: --compressor file:path={files[0]},direction=hard"
            f" (any method that takes a score: scores={files[0]})"
        )


@app.command("list-plugins")
def list_plugins(as_json: JsonOption = False) -> None:
    """List every installed method with its kind, paper and distribution; broken ones with the reason."""
    from rethinkdc.cli import tables
    from rethinkdc.registry.registry import Registry

    tables.print_plugins(Registry(), as_json=as_json)


@app.command("list-protocols")
def list_protocols(as_json: JsonOption = False) -> None:
    """List every protocol with its labels, data, student and digest."""
    from rethinkdc.cli import tables
    from rethinkdc.registry.registry import Registry

    tables.print_protocols(Registry(), as_json=as_json)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A method, a dataset, a model or a protocol.")],
    dataset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--dataset", "-d", help="Show the values that a compressor would have on this dataset."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a method's parameters, or all values of a protocol with their sources.

    Example: rethinkdc show pca
    """
    from rethinkdc.registry.registry import Registry

    if dataset is None:
        from rethinkdc.cli import tables

        tables.print_one(Registry(), name, as_json=as_json)
    else:
        from rethinkdc.cli.settings import print_settings

        print_settings(Registry(), name, dataset, as_json=as_json)


app.command()(rows)
app.command()(trace)
app.command()(sweep)
app.command()(leaderboard)


def main() -> None:
    """Runs the command line: exit code 0 ok, 1 the run failed, 2 the request was wrong, 130 interrupted."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes the other arguments as they come
    try:
        check_installation()
        app()
    except RethinkError as error:
        if _state["debug"]:
            raise
        typer.secho(f"Error{_of_rank()}: {error}", fg=typer.colors.RED, err=True)
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            typer.secho("Interrupted. What was computed is kept; the same command goes on from there.", err=True)
        raise


def _of_rank() -> str:
    try:
        return "" if ranks.world() == 1 else f" of rank {ranks.rank()}"
    except RequestError:
        return ""


def _show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if issubclass(category, UserWarning) and ranks.leads():
        typer.secho(f"Warning: {message}", fg=typer.colors.YELLOW, err=True)


def _runner(records: Path | None, cache_dir: Path | None, device: str | None, workers: int | None, threads: int) -> Any:
    from rethinkdc.runs.machine import make_runner

    return make_runner(**machine(records, cache_dir, device, workers, threads))


def _overrides(pairs: list[str]) -> dict[str, Any]:
    from rethinkdc.reference import parse_reference

    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, _ = pair.partition("=")
        if not equals or not key:
            raise RequestError(f"--set {pair}: expected KEY=VALUE, for example training.batch=32.")
        found |= parse_reference(f"set:{pair}").values
    return found
