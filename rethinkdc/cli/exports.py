"""The commands that write what people share beside scores: lists of rows, and traces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rethinkdc.cli.options import (
    BackingOption,
    CacheOption,
    CompressorOption,
    DatasetOption,
    DeviceOption,
    IpcOption,
    JsonOption,
    ProtocolOption,
    SeedOption,
    ThreadsOption,
    WorkersOption,
    checked_backing,
    machine,
)


def rows(
    compressor: CompressorOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write: FILE.safetensors and FILE.json.")],
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
    """Write the training rows that a selector picks.

    Example: rethinkdc rows --compressor k-means --ipc 10 --out k-means-digits
    """
    from rethinkdc.cli import tables
    from rethinkdc.context import ranks
    from rethinkdc.data.row_files import write_row_file
    from rethinkdc.runs import exports as sharing

    sharing.check_out(out)
    tensors, about = sharing.rows(
        compressor,
        dataset=dataset,
        protocol=protocol,
        ipc=ipc,
        seed=seed,
        backing=checked_backing(backing),
        **machine(None, cache_dir, device, workers, threads),
    )
    if not ranks.leads():
        return
    files = write_row_file(tensors, about, out)
    if as_json:
        tables.print_json(about)
        return
    typer.echo(f"Wrote {len(tensors['rows']):,} rows to {files[0]} and {files[1]}.")
    typer.echo(f"Use them with: --compressor rows:path={files[0]}")


def trace(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write; it must not exist.")],
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
    """Write the trace of the protocol's proxy, which every score of training dynamics can read.

    Example: rethinkdc trace --out trace-digits
    """
    from rethinkdc.cli import tables
    from rethinkdc.runs import exports as sharing

    about = sharing.trace(
        out,
        dataset=dataset,
        protocol=protocol,
        seed=seed,
        backing=checked_backing(backing),
        **machine(None, cache_dir, device, workers, threads),
    )
    if as_json:
        tables.print_json(about)
        return
    typer.echo(f"Wrote {about['epochs']} epochs of {about['rows']:,} rows to {out}.")
    typer.echo(f"Score from it with: rethinkdc score --score el2n:trace={out} --out FILE")
