"""``rethinkdc compare``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rethinkdc.cli.options import takes_options, with_bars
from rethinkdc.cli.questions import AskedOnce, carry_out_question, end_with, print_plan
from rethinkdc.cli.saying import say
from rethinkdc.evidence.calls import CompareCall

if TYPE_CHECKING:
    from rethinkdc.evidence.question import Progressing


@dataclass(frozen=True)
class CompareCommand(AskedOnce, CompareCall):
    """What the command takes beside what the function does."""


@takes_options(CompareCommand)
def compare(command: CompareCommand) -> None:
    """Compare methods with random subsets of as many images, by pairs of the same seeds.

    What is missing is added and run: random, the full set at equal steps and, under soft labels, noise. All methods
    run at the first seed before any runs at the second. Example: rethinkdc compare pca el2n:direction=easy --ipc 10
    """
    from rethinkdc.cli import evidence_tables
    from rethinkdc.evidence.comparing import answer_comparison, ask_comparison
    from rethinkdc.evidence.wording import tell_comparison
    from rethinkdc.studies.spreading import make_place

    runner, elsewhere = make_place(with_bars(command))
    question = ask_comparison(command, runner)
    if command.plan:
        print_plan(question, runner, command, elsewhere, as_json=command.as_json)
        return
    told = 0

    def tell(known: "Progressing[Any]") -> None:
        """Says how the methods stand whenever all of them have one more seed."""
        nonlocal told
        now = answer_comparison(known)
        asked = [one for one in now.contenders if one.role in ("random", "method")]
        whole = min(len(one.outcome.values) for one in asked)
        if told < whole < len(command.numbers):
            told = whole
            for line in tell_comparison(now):
                if "not run yet" not in line:
                    say(f"  {line}", err=command.as_json)

    known = carry_out_question(question, runner, command, elsewhere, as_json=command.as_json, ended_too=tell)
    end_with(answer_comparison(known), known, runner, evidence_tables.print_comparison, as_json=command.as_json)
