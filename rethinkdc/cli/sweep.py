"""``rethinkdc sweep``: the runs of a study. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rethinkdc.cli.options import Printed, takes_options, with_bars
from rethinkdc.cli.saying import say
from rethinkdc.errors import RequestError
from rethinkdc.runs.options import Option
from rethinkdc.studies.calls import SweepCall

if TYPE_CHECKING:
    from rethinkdc.studies.sweep import Ended, Standing


@dataclass(frozen=True, kw_only=True)
class SweepCommand(Printed, SweepCall):
    """What the command takes beside what the function does."""

    plan: Annotated[bool, Option("Show what would be run, what it shares and how long it takes; run nothing.")] = False
    detect: Annotated[
        str | None, Option("With --plan: how many sets find a difference to random of so many points, e.g. 1.0.")
    ] = None


@takes_options(SweepCommand)
def sweep(command: SweepCommand) -> None:
    """Make the runs of a study that are not on record yet.

    A run that fails is recorded with its reason, the others go on, and the next sweep tries it again. The exit code is
    1 when a run failed. Over an engine each process makes one run after another; one that dies or has to make room is
    replaced, and its run goes on from what is kept. Example: rethinkdc sweep digits-small --jobs 2
    """
    from rethinkdc.cli import plan_tables, sweep_tables, tables
    from rethinkdc.studies.opening import open_study
    from rethinkdc.studies.planning import wanted_runs
    from rethinkdc.studies.spreading import make_place
    from rethinkdc.studies.sweep import carry_out, standings_of

    study, name = open_study(command)
    runner, elsewhere = make_place(with_bars(command))
    standings = standings_of(wanted_runs(study, name, command.shard, runner), runner.records)
    remaining = [standing for standing in standings if standing.remains(retry_unsupported=command.retry_unsupported)]
    if command.plan:
        title = study.title or name
        plan = plan_tables.make_plan(title, standings, remaining, runner, command, elsewhere, detect=command.detect)
        plan_tables.print_plan(plan, as_json=command.as_json)
        return
    if command.detect is not None:
        raise RequestError(f"--detect {command.detect} plans a study: add --plan, which runs nothing.")
    records: dict[str, Any] = {standing.run.key: standing.record for standing in standings}
    # With --json stdout is the records' alone.
    say(sweep_tables.counted(standings, remaining), err=command.as_json)
    done = 0

    def report(standing: "Standing", ended: "Ended") -> None:
        nonlocal done
        done += 1
        records[standing.run.key] = ended.record
        say(f"[{done}/{len(remaining)}] {sweep_tables.ending(ended)}", err=command.as_json)

    carry_out(remaining, runner, report, jobs=command.processes, elsewhere=elsewhere)
    if command.as_json:
        tables.print_json([record.model_dump(mode="json") for record in records.values()])
    else:
        say(sweep_tables.summary(list(records.values()), runner.records))
    if any(record.status == "failed" for record in records.values()):
        raise typer.Exit(1)
