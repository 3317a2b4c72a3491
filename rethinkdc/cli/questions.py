"""What ``explain``, ``compare`` and ``robust`` share. Imports nothing heavy before a command is called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rethinkdc.cli.options import Printed
from rethinkdc.cli.saying import say
from rethinkdc.runs.options import Option

if TYPE_CHECKING:
    from collections.abc import Collection

    from rethinkdc.evidence.comparison import Comparison
    from rethinkdc.evidence.explanation import Explanation
    from rethinkdc.evidence.question import Progressing, Question
    from rethinkdc.evidence.sensitivity import Sensitivity
    from rethinkdc.runs.resolving import Run
    from rethinkdc.runs.runner import Runner
    from rethinkdc.studies.calls import Sweeping
    from rethinkdc.studies.sweep import Elsewhere, Ended, Standing

    _Answer = TypeVar("_Answer", Explanation, Comparison, Sensitivity)


@dataclass(frozen=True, kw_only=True)
class AskedOnce(Printed):
    """What a question takes on the command line beside what its function does."""

    plan: Annotated[bool, Option("Show what would be run, and run nothing.")] = False


def print_plan(
    question: "Question[Any]", runner: "Runner", call: "Sweeping", elsewhere: "Elsewhere | None", *, as_json: bool
) -> None:
    """Every run of a question and how it stands."""
    from rethinkdc.cli import plan_tables

    standings = question.standings(runner)
    remaining = [standing for standing in standings if standing.remains()]
    plan = plan_tables.make_plan(question.study.title, standings, remaining, runner, call, elsewhere)
    plan_tables.print_plan(plan, as_json=as_json)


def carry_out_question(
    question: "Question[Any]",
    runner: "Runner",
    call: "Sweeping",
    elsewhere: "Elsewhere | None",
    *,
    as_json: bool,
    mine: "Collection[Run] | None" = None,
    ended_too: Callable[["Progressing[Any]"], None] = lambda _: None,
) -> "Progressing[Any]":
    """Writes the study and makes what is not on record, a line for each run.

    Args:
        question: what is asked.
        runner: makes the runs.
        call: how many side by side.
        elsewhere: the engine that makes them; None = this process and its own do.
        as_json: lines go to stderr, since stdout is the answer's alone.
        mine: the runs that this process makes; None = all.
        ended_too: called as each run has ended, after its line.
    """
    from rethinkdc.cli import sweep_tables
    from rethinkdc.evidence.question import Progressing

    file = question.write()
    known = Progressing(question, question.standings(runner), mine)
    remaining, done = known.remaining, 0
    say(f"{question.study.title}: {file}", err=as_json)
    say(sweep_tables.counted(known.standings, remaining), err=as_json)

    def report(standing: "Standing", ended: "Ended") -> None:
        nonlocal done
        done += 1
        which = question.name_part(standing.run)
        say(f"[{done}/{len(remaining)}] {which}: {sweep_tables.ending(ended)}", err=as_json)
        ended_too(known)

    known.carry_out(runner, report, jobs=call.processes, elsewhere=elsewhere)
    return known


def end_with(
    answer: "_Answer",
    known: "Progressing[Any]",
    runner: "Runner",
    print_answer: "Callable[[_Answer], None]",
    *,
    as_json: bool,
) -> None:
    """Writes the answer, its report too, and prints it; ends with exit code 1 where a run of the question failed."""
    from rethinkdc.cli import evidence_tables, tables
    from rethinkdc.evidence.writing import describe_answer
    from rethinkdc.reports.answers import write_answered

    written = write_answered(answer, known.question.folder, runner.records)
    if as_json:
        tables.print_json(describe_answer(answer))
    else:
        print_answer(answer)
        evidence_tables.print_files(written)
    if any(record.status == "failed" for record in known.records.values()):
        raise typer.Exit(1)
