"""``rethinkdc robust``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc.cli.options import takes_options, with_bars
from rethinkdc.cli.questions import AskedOnce, carry_out_question, end_with
from rethinkdc.evidence.calls import RobustCall


@dataclass(frozen=True, kw_only=True)
class RobustCommand(AskedOnce, RobustCall):
    """What the command takes beside what the function does."""


@takes_options(RobustCommand)
def robust(command: RobustCommand) -> None:
    """Tell how far a comparison hangs on its protocol: the same methods under every setting of a declared family.

    The study's [axes] are knobs with levels; a grid of more than `settings` of them is run as an orthogonal fraction.
    Told are the settings in which one method is above another, the knob that flips them, Kendall's tau between orders,
    and shares of variance. What is on record is used. Example: rethinkdc robust robust/digits
    """
    from rethinkdc.cli import robust_tables
    from rethinkdc.evidence.surveying import answer_sensitivity, ask_sensitivity, runs_to_make
    from rethinkdc.studies.spreading import make_place

    runner, elsewhere = make_place(with_bars(command))
    question = ask_sensitivity(command, runner)
    mine = runs_to_make(question, command)
    if command.plan:
        robust_tables.print_plan(question, mine, runner, command, elsewhere, as_json=command.as_json)
        return
    known = carry_out_question(question, runner, command, elsewhere, as_json=command.as_json, mine=mine)
    answer = answer_sensitivity(known, runner.records)
    end_with(answer, known, runner, robust_tables.print_sensitivity, as_json=command.as_json)
