"""What a board says in words: its conditions, and what a reader must know beside the numbers."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator

from rethinkdc.boards.accuracies import HARD
from rethinkdc.boards.beside import Machine
from rethinkdc.boards.board import CODE, MARK, Board
from rethinkdc.boards.ranking import LEAST
from rethinkdc.boards.row import Row
from rethinkdc.metrics import NEUTRAL
from rethinkdc.seeds import write_seeds


def caption(board: Board) -> str:
    """The conditions that the rows share."""
    return f"{conditions(board)}, student {board.student}"


def conditions(board: Board) -> str:
    """The conditions but for the student."""
    mark = f", {board.changed}" if board.modified else ""
    evaluator = f", evaluator {board.evaluator}" if board.evaluator != "standard" else ""
    machine = "devices pooled" if board.machine is None else board.machine.name
    return (
        f"{board.protocol} ({board.protocol_digest[:12]}{mark}), {board.dataset} ({board.dataset_fingerprint[:12]}), "
        f"{board.track} labels, {board.size}{evaluator}" + (f", {machine}" if machine else "")
    )


def name_method(row: Row, board: Board) -> str:
    """The compressor; with its labeler where the board has several."""
    return f"{row.compressor} + {row.labeler}" if board.labelers > 1 else row.compressor


def notes_on(board: Board) -> list[str]:
    """What a reader must know beside the numbers: what n counts, what was tested, what is missing."""
    told = (_on_counts, _on_tests, _on_labelers, _on_columns, _on_code, _on_checks, _on_published, _on_missing)
    return [note for tell in told for note in tell(board)]


def lacking_notes(board: Board, *, everything: bool) -> list[tuple[str, str]]:
    """What scores need that no record has, and the command that makes it.

    Args:
        board: whose rows have the scores.
        everything: also what only ARS needs, where no row has it; and each method by itself.
    """
    wanted = {"HLR", "IOR", "LRS"}
    wanted |= {"ARS"} if everything or any(row.robustness and row.robustness.ars for row in board.rows) else set()
    lacking = [one for one in board.lacking if wanted & set(one.scores)]
    if everything or len(lacking) < 2:
        return [(f"Not on record, for {' and '.join(one.scores)}: {one.accuracy}.", one.command) for one in lacking]
    first, *others = lacking
    more = f"{others[0].accuracy}" if len(others) == 1 else f"{len(others)} more"
    return [(f"Not on record, for {' and '.join(first.scores)}: {first.accuracy}, and {more}.", first.command)]


def _on_counts(board: Board) -> Iterator[str]:
    measured = [row for row in board.rows if row.result]
    few = [row for row in measured if row.result and row.result.n < LEAST and not row.full]
    if few:
        tested = any(row.difference is not None and row.difference.holm_p is not None for row in few)
        counted = "; its p counts in the family of this board all the same" if tested else ""
        yield f"n counts sets; n below {LEAST} supports no claim and gets no rank{counted}."
    several = [row for row in measured if row.result and row.n_counts == "sets" and row.runs > row.result.n]
    if told := [f"{name_method(row, board)} ({row.runs} runs)" for row in several]:
        yield f"Runs that share the seed of their set count once, as their mean: {', '.join(told)}."
    fixed = [row for row in measured if row.n_counts == "students"]
    if fixed:
        of_one_set = any(not row.full for row in fixed)
        alone = " Ranks, bands and p speak of these sets alone, not of others of their methods." if of_one_set else ""
        yield f"n counts students of one set: {', '.join(name_method(row, board) for row in fixed)}.{alone}"
    seeds = {name_method(row, board): ", ".join(map(str, row.values)) for row in measured if not row.full}
    usual = Counter(seeds.values()).most_common(1)
    if others := [f"{name} {text}" for name, text in seeds.items() if text != usual[0][0]]:
        yield f"Seeds differ: most have {usual[0][0]}; {'; '.join(others)}. Differences are over common seeds."
        if len({tuple(row.values) for row in board.rows if row.rank}) > 1:
            yield "Ranks compare means over different seeds; bands compare over common ones."
    if len({row.machines for row in measured}) > 1 or any(len(row.machines) > 1 for row in measured):
        told = [f"{name_method(row, board)} ({', '.join(map(_call_machine, row.machines))})" for row in measured]
        yield f"Pooled over devices: {'; '.join(told)}."
    if across := [f"{name_method(row, board)} ({row.pairs_across})" for row in measured if row.pairs_across]:
        yield f"Pairs with {board.reference} of which different devices computed the two runs: {', '.join(across)}."


def _call_machine(machine: Machine) -> str:
    return machine.name or "not told"


def _on_tests(board: Board) -> Iterator[str]:
    claims = sum(row.difference is not None and row.difference.holm_p is not None for row in board.rows)
    if claims:
        family = f", after Holm over the {claims} methods of this board" if claims > 1 else ""
        yield (
            f"± 95%: paired t interval of the difference to {board.reference}, by itself; p: of the paired t "
            f"test{family}."
        )
    ranked = [row for row in board.rows if row.band]
    if len(ranked) > 1:
        yield (
            "One band: not told apart from its best method by paired t tests at 5 %, after Holm over all pairs of "
            "ranked methods."
        )
    if few := [name_method(row, board) for row in ranked if (row.band_pairs or 0) < 2]:
        yield f"In its band for want of common seeds: {', '.join(few)}."


def _on_labelers(board: Board) -> Iterator[str]:
    """What tells what labels do, where one set is on the board under several."""
    under: dict[str, list[str]] = defaultdict(list)
    for row in board.rows:
        if row.result:
            under[row.compressor].append(row.labeler)
    shared = [labeler for labelers in under.values() if len({*labelers}) > 1 for labeler in labelers]
    if shared and board.against is None:
        usual = HARD if HARD in shared else Counter(sorted(shared)).most_common(1)[0][0]
        yield (
            "Differences are to random under the same labels; to the same sets under other ones: "
            f"rethinkdc leaderboard --against {shlex.quote(usual)}"
        )


def _on_columns(board: Board) -> Iterator[str]:
    measured = [row for row in board.rows if row.result]
    if any(MARK in row.compressor for row in board.rows):
        yield (
            f"{MARK.strip()} parts what has one name and is not the same: other code (its digest is the mark), sets "
            "that were evaluated from files, other revisions or other files."
        )
    if any(row.receiver_bytes for row in measured):
        yield "receiver: images as JPEG q75, labels, and the teacher where it is asked while training."
    unknown = [name_method(row, board) for row in measured if row.total_images_seen is None]
    if unknown and len(unknown) < len(measured):
        yield f"images seen: not known of {', '.join(unknown)}."
    if any(row.robustness and row.robustness.lrs is not None for row in board.rows):
        yield (
            "HLR (lower is better) and IOR, in the metric's unit; LRS and ARS lie in 0..1 and are neutral at "
            f"{NEUTRAL:.4f}. A method and random count over common seeds; their hard twins, and "
            "runs without augmentation, each over all seeds on record."
        )
    asked = [row for row in measured if row.image_error]
    if any(row.image_error.interval for row in asked if row.image_error):
        yield (
            f"± images: the test set's own error of the difference to {board.reference} at 95 %, by the paired "
            "bootstrap over test images, with these sets and students."
        )
    for row in asked:
        assert row.image_error is not None
        if row.image_error.missing:
            yield f"{name_method(row, board)}: predictions are missing: {'; '.join(row.image_error.missing)}"
    yield from (
        f"{name_method(row, board)} has used external data: {', '.join(row.external)}."
        for row in measured
        if row.external
    )


def _on_code(board: Board) -> Iterator[str]:
    for row in board.rows:
        name = name_method(row, board)
        for method, codes in row.code.items():
            shown = " and ".join(code[:CODE] for code in codes)
            if len(codes) > 1:
                yield f"{name}: its runs were carried out by different code of {method} ({shown})."
            elif row.code_here.get(method, codes[0]) not in codes:
                yield f"{name}: carried out by code {shown} of {method}; installed is {row.code_here[method][:CODE]}."


def _on_checks(board: Board) -> Iterator[str]:
    known = {method.partition(": ")[2]: extent for row in board.rows for method, extent in row.checked.items()}
    if known:
        named = (name + (" (its quick part)" if extent == "quick" else "") for name, extent in sorted(known.items()))
        yield f"Kept the rules of check-plugin, by the code that ran: {', '.join(named)}."


def _on_published(board: Board) -> Iterator[str]:
    for (source, conditions), number in board.sources.items():
        yield f"[{number}] {source}" + (f"; * conditions differ: {conditions}" if conditions else "") + "."


def _on_missing(board: Board) -> Iterator[str]:
    for row in board.rows:
        alike: dict[str, list[str]] = defaultdict(list)
        for run in row.missing:
            alike[f"{run.status}: {run.reason}"].append(write_seeds(run.seeds))
        yield from (f"{name_method(row, board)}, seed {'; '.join(seeds)}: {reason}" for reason, seeds in alike.items())
