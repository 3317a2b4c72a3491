"""``rethinkdc explain``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc.cli.options import takes_options, with_bars
from rethinkdc.cli.questions import AskedOnce, carry_out_question, end_with, print_plan
from rethinkdc.evidence.calls import ExplainCall


@dataclass(frozen=True)
class ExplainCommand(AskedOnce, ExplainCall):
    """What the command takes beside what the function does."""


@takes_options(ExplainCommand)
def explain(command: ExplainCommand) -> None:
    """Attribute a method's accuracy under soft labels to its images, its labels and the augmentation.

    Eight corners of three switches are trained under one budget: its own images or noise, soft labels or hard, new
    views or one fixed view of each image. Each switch is credited with its Shapley value. What is on record is used.
    Example: rethinkdc explain rded --dataset cifar10 --seeds 2
    """
    from rethinkdc.cli import evidence_tables
    from rethinkdc.evidence.explaining import answer_explanation, ask_explanation
    from rethinkdc.studies.spreading import make_place

    runner, elsewhere = make_place(with_bars(command))
    question = ask_explanation(command, runner)
    if command.plan:
        print_plan(question, runner, command, elsewhere, as_json=command.as_json)
        return
    known = carry_out_question(question, runner, command, elsewhere, as_json=command.as_json)
    end_with(answer_explanation(known), known, runner, evidence_tables.print_explanation, as_json=command.as_json)
