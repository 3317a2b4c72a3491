"""``rethinkdc sweep``: the runs of a study. Imports nothing heavy before the command is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from rethinkdc.cli.options import (
    BackingOption,
    CacheOption,
    DeviceOption,
    JsonOption,
    RecordsOption,
    WorkersOption,
    checked_backing,
    machine,
)

if TYPE_CHECKING:
    from rethinkdc.runs.sweep import Ended, Standing


def sweep(
    study: Annotated[str, typer.Argument(help="A study file (.toml), or the name of a shipped study.")],
    dataset: Annotated[
        Optional[str],  # noqa: UP045 - typer reads annotations on Python 3.10 too
        typer.Option("--dataset", "-d", help="Name, folder or hub id in place of the study's."),
    ] = None,
    protocol: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--protocol", "-p", help="Protocol id or TOML file in place of the study's."),
    ] = None,
    seeds: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--seeds", help="In place of the study's: 0,1,2 moves all axes, student=0,1,2 one of them."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be run, and run nothing.")] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Processes side by side; results do not depend on it.")
    ] = 1,
    retry_unsupported: Annotated[
        bool, typer.Option("--retry-unsupported", help="Also try again what was unsupported.")
    ] = False,
    records: RecordsOption = None,
    cache_dir: CacheOption = None,
    device: DeviceOption = None,
    workers: WorkersOption = None,
    backing: BackingOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Make the runs of a study that are not on record yet.

    A run that fails is recorded with its reason, the others go on, and the next sweep tries it again. The exit code is
    1 when a run failed. Example: rethinkdc sweep digits-small --jobs 2
    """
    from rethinkdc.cli import sweep_tables, tables
    from rethinkdc.runs.machine import make_runner
    from rethinkdc.runs.study import load_study, runs_of
    from rethinkdc.runs.sweep import carry_out, standings_of

    chosen = load_study(study).replaced(dataset=dataset, protocol=protocol, seeds=seeds)
    runner = make_runner(**machine(records, cache_dir, device, workers, 1))
    runs = runs_of(chosen, study, runner.registry, runner.cache, checked_backing(backing))
    standings = standings_of(runs, runner.records)
    remaining = [standing for standing in standings if standing.remains(retry_unsupported=retry_unsupported)]
    if plan:
        rows = [(standing, standing in remaining) for standing in standings]
        sweep_tables.print_plan(rows, chosen.title or study, as_json=as_json)
        return
    found: dict[str, Any] = {standing.run.key: standing.record for standing in standings}
    # With --json stdout is the records' alone.
    typer.echo(sweep_tables.counted(standings, remaining), err=as_json)
    done = 0

    def report(standing: Standing, ended: Ended) -> None:
        nonlocal done
        done += 1
        found[standing.run.key] = ended.record
        typer.echo(f"[{done}/{len(remaining)}] {sweep_tables.ending(ended)}", err=as_json)

    carry_out(remaining, runner, report, jobs=jobs)
    if as_json:
        tables.print_json([record.model_dump(mode="json") for record in found.values()])
    else:
        typer.echo(sweep_tables.summary(list(found.values()), runner.records))
    if any(record.status == "failed" for record in found.values()):
        raise typer.Exit(1)
