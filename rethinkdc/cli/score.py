"""``rethinkdc score``. Imports nothing heavy before the command is called."""

from dataclasses import dataclass

from rethinkdc import ranks
from rethinkdc.cli.options import NewFiles, Printed, takes_options, with_bars
from rethinkdc.cli.saying import say
from rethinkdc.runs.calls import ScoreCall


@dataclass(frozen=True, kw_only=True)
class ScoreCommand(Printed, ScoreCall, NewFiles):
    """What the command takes beside what the function does."""


@takes_options(ScoreCommand)
def score(command: ScoreCommand) -> None:
    """Score every training image and write the scores.

    Example: rethinkdc score --score el2n --out el2n-digits
    """
    from rethinkdc.cli import tables
    from rethinkdc.notes import Notes
    from rethinkdc.row_files.files import write_row_file
    from rethinkdc.runs.exports import check_out, score_rows

    check_out(command.out)
    scores, about = score_rows(with_bars(command))
    if not ranks.leads():
        return
    files = write_row_file({"scores": scores}, about, command.out)
    if command.as_json:
        tables.print_json(about)
        return
    tables.print_files_read(Notes.model_validate(about["notes"]))
    say(f"Wrote {len(scores):,} scores to {files[0]} and {files[1]}.")
    say(
        f"Select by it with: --compressor file:path={files[0]},direction=hard"
        f" (any method that takes a score: scores={files[0]})"
    )
