"""The Python face: one to one with the command line. Parameters are the fields of what each function takes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from rethinkdc.boards import Board
from rethinkdc.boards.claims import compare_claims
from rethinkdc.boards.leaderboard import rank_records
from rethinkdc.boards.parity import Claim
from rethinkdc.compressed import CompressedSet
from rethinkdc.evidence.calls import CompareCall, ExplainCall, RobustCall
from rethinkdc.evidence.comparing import answer_comparison, ask_comparison
from rethinkdc.evidence.comparison import Comparison
from rethinkdc.evidence.explaining import answer_explanation, ask_explanation
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.question import make_runs
from rethinkdc.evidence.sensitivity import Sensitivity
from rethinkdc.evidence.surveying import answer_sensitivity, ask_sensitivity, runs_to_make
from rethinkdc.inspection import Inspection, inspect_file
from rethinkdc.layouts.prepared import Prepared
from rethinkdc.preparation.calls import PrepareCall
from rethinkdc.preparation.fetching import Fetched, fetch_study
from rethinkdc.preparation.prepare import prepare_dataset
from rethinkdc.reports import ReportFile, write_plot, write_report
from rethinkdc.reports.answers import write_answered
from rethinkdc.runs.best_threads import runner_of
from rethinkdc.runs.calling import takes
from rethinkdc.runs.calls import (
    CompressCall,
    EvaluateCall,
    ExportCall,
    InspectCall,
    LeaderboardCall,
    ParityCall,
    PlotCall,
    ReportCall,
    RowsCall,
    RunCall,
    ScoreCall,
    TraceCall,
    VerifyCall,
)
from rethinkdc.runs.evaluating import evaluate_set
from rethinkdc.runs.exports import pick_rows, preview_to, score_rows, write_set, write_trace
from rethinkdc.runs.options import part_of
from rethinkdc.runs.records import Record
from rethinkdc.runs.request import Request
from rethinkdc.sharing import Exported, export_set
from rethinkdc.studies.calls import SweepCall
from rethinkdc.studies.opening import open_study
from rethinkdc.studies.planning import wanted_runs
from rethinkdc.studies.spreading import make_place
from rethinkdc.studies.sweep import Ended, Standing, carry_out, standings_of
from rethinkdc.verification import Verification, verify_records


@takes(RunCall)
def run(call: RunCall) -> Record:
    """Makes a compressed set, labels it, trains and tests a student, and returns the record.

    Example: ``run("pca:grid=3", "hard", ipc=10, seed=3)``

    Raises:
        RequestError: the request is wrong; nothing was written.
        DivergedError: training diverged; recorded as failed.
        MethodError: a method raised, or broke its contract; recorded as failed.
    """
    seen = preview_to(call.preview) if call.preview else None
    return runner_of(call).run(part_of(call, Request), force=call.forced, seen=seen)[0]


@takes(EvaluateCall)
def evaluate(call: EvaluateCall) -> Record:
    """Evaluates a finished set: plain tensors, a compressed set, or the place where one lies.

    Tensors are uint8 [M, 3, S, S], or float in 0..1 or normalised, at the protocol's size. Without a protocol the one
    holds that the set was made under, or the dataset's default.

    Example: ``evaluate(images, targets, protocol="digits-hard")``

    Raises:
        RequestError: sizes, types or classes do not fit the protocol.
    """
    return evaluate_set(call)[0]


@takes(InspectCall)
def inspect(call: InspectCall) -> Inspection:
    """Tells what a file or folder is, what a run or an evaluation takes it for, and the command that uses it.

    Nothing is trained but a teacher that is asked for, and nothing is written but the preview and the fingerprints of
    datasets. ``inspect(...).model_dump(mode="json")`` is what the command prints with ``--json``.

    Example: ``inspect("res_DC_CIFAR10_ConvNet_1ipc.pt", mean=(0.49, 0.48, 0.45), std=(0.2, 0.2, 0.2))``

    Raises:
        RequestError: it cannot be read, or is nothing that is known; says what is.
    """
    return inspect_file(call)


@takes(CompressCall)
def compress(call: CompressCall) -> CompressedSet:
    """Makes a compressed set and writes it to a folder (Parquet that ``datasets`` reads, and a card).

    Example: ``compress("pca", "pca-digits", ipc=10)``

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    return write_set(call)


@takes(PrepareCall)
def prepare(call: PrepareCall) -> tuple[Prepared, Path] | tuple[Fetched, ...]:
    """Reads a dataset's layout once, and writes shards of which any row is read at once.

    Of a ``study`` it fetches instead what its runs need of a network, and trains nothing.

    Example: ``prepare("imagenet-1k", short_side=256, out="imagenet-256px")``

    Returns:
        What the folder holds, and the folder, which is a dataset from then on; of a study what was fetched.

    Raises:
        RequestError: an option is wrong, the dataset cannot be read or changed, or the folder holds something else.
        StorageError: there is no room; the same call goes on from there.
    """
    return prepare_dataset(call) if call.study is None else fetch_study(call)


@takes(ExportCall)
def export(call: ExportCall) -> Exported:
    """Writes a finished set as a dataset that the Hugging Face hub shows, to a folder or to the hub itself.

    Parquet and card are those of :func:`compress`; a ``README.md`` says what the set is, how it was made and how it is
    evaluated. Images that lie as files are handed on as they are.

    Example: ``export("pca-digits", out="for-others", license="mit")``

    Returns:
        Where it is, and its fingerprint.

    Raises:
        RequestError: the set cannot be read, the place exists, or the hub cannot be reached.
    """
    return export_set(call)


@takes(ScoreCall)
def score(call: ScoreCall) -> tuple[Tensor, dict[str, Any]]:
    """Scores the training rows.

    Example: ``score("el2n", seed=1)``

    Returns:
        The scores, float32 [N] (larger = harder), and what they were made of, as JSON data.

    Raises:
        RequestError: an unknown score or a wrong value.
    """
    return score_rows(call)


@takes(RowsCall)
def rows(call: RowsCall) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Picks the training rows that a selector takes.

    Example: ``rows("k-means", ipc=10)``

    Returns:
        ``rows`` int64 [k] in pick order and, for weighted selectors, ``weights`` float32 [k]; and what they were made
        of, as JSON data.

    Raises:
        RequestError: the request is wrong, or the compressor makes images of its own.
    """
    return pick_rows(call)


@takes(TraceCall)
def trace(call: TraceCall) -> dict[str, Any]:
    """Writes the trace of the protocol's proxy, which every score of training dynamics can read.

    Example: ``trace("trace-digits")``

    Returns:
        What it was made of, as JSON data.

    Raises:
        RequestError: the request is wrong, or the folder exists.
    """
    return write_trace(call)


@takes(SweepCall)
def sweep(call: SweepCall) -> list[Record]:
    """Makes the runs of a study that are not on record yet; one that fails is recorded, and the others go on.

    The study is a file, the name of a shipped one, or a :class:`~rethinkdc.studies.study.Study`. With more than one
    job, or a time limit, a script must call this below ``if __name__ == "__main__":``.

    Example: ``sweep("digits-small", jobs=2)``

    Returns:
        One record per run, of a shard's, in the study's order: its first ok attempt, else its last.

    Raises:
        RequestError: the study or one of its runs is wrong; nothing was run.
    """
    study, name = open_study(call)
    runner, elsewhere = make_place(call)
    standings = standings_of(wanted_runs(study, name, call.shard, runner), runner.records)
    records = {standing.run.key: standing.record for standing in standings}
    remaining = [standing for standing in standings if standing.remains(retry_unsupported=call.retry_unsupported)]

    def keep(standing: Standing, ended: Ended) -> None:
        records[standing.run.key] = ended.record

    carry_out(remaining, runner, keep, jobs=call.processes, elsewhere=elsewhere)
    return [record for record in records.values() if record]


@takes(ExplainCall)
def explain(call: ExplainCall) -> Explanation:
    """Attributes a method's accuracy under soft labels to its images, its labels and the augmentation.

    Writes the study of the eight corners, the answer and a report into a folder, and makes what is not on record.

    Example: ``explain("rded", dataset="cifar10", seeds=2)``

    Raises:
        RequestError: the method is not known, or its labels are not soft; nothing was run.
    """
    runner, elsewhere = make_place(call)
    question = ask_explanation(call, runner)
    explanation = answer_explanation(make_runs(question, runner, jobs=call.processes, elsewhere=elsewhere))
    write_answered(explanation, question.folder, runner.records)
    return explanation


@takes(CompareCall)
def compare(call: CompareCall) -> Comparison:
    """Compares methods with random subsets of as many images, by pairs of the same seeds.

    Adds ``random``, the full set at equal steps and, under soft labels, ``noise``; writes the study, the answer and a
    report into a folder, and makes what is not on record.

    Example: ``compare(["pca", "el2n:direction=easy"], ipc=10)``

    Raises:
        RequestError: a method is not known, or the methods differ in the number of images; nothing was run.
    """
    runner, elsewhere = make_place(call)
    question = ask_comparison(call, runner)
    comparison = answer_comparison(make_runs(question, runner, jobs=call.processes, elsewhere=elsewhere))
    write_answered(comparison, question.folder, runner.records)
    return comparison


@takes(RobustCall)
def robust(call: RobustCall) -> Sensitivity:
    """Tells how far a comparison hangs on its protocol: the same methods under every setting of a declared family.

    The study has ``axes``: knobs with levels. Makes what is not on record, and writes study, answer and report into a
    folder. A setting counts when all of its runs have a result.

    Example: ``robust("robust/digits").pairs``

    Raises:
        RequestError: the study has no axes, or has fewer than two methods or two sets of each; nothing was run.
    """
    runner, elsewhere = make_place(call)
    question = ask_sensitivity(call, runner)
    mine = runs_to_make(question, call)
    known = make_runs(question, runner, jobs=call.processes, elsewhere=elsewhere, mine=mine)
    answer = answer_sensitivity(known, runner.records)
    write_answered(answer, question.folder, runner.records)
    return answer


@takes(LeaderboardCall)
def leaderboard(call: LeaderboardCall) -> list[Board]:
    """Ranks the methods on record, one board for each set of equal conditions; see :mod:`rethinkdc.boards`.

    Example: ``leaderboard("records", ipc=10)``

    Raises:
        RequestError: there is no record, or none that was asked for.
    """
    boards, left_out = rank_records(call)
    for one in left_out:
        warnings.warn(str(one), stacklevel=3)
    return boards


@takes(ParityCall)
def parity(call: ParityCall) -> list[Claim]:
    """Puts what authors report, under their own evaluation, beside what is on record, and names what differs.

    Example: ``parity("records", dataset="cifar10", measured=True)``

    Raises:
        RequestError: a file of published values cannot be read, or no value is of what was asked for.
    """
    return compare_claims(call)


@takes(ReportCall)
def report(call: ReportCall) -> ReportFile:
    """Writes boards and figures of the methods on record as one HTML page that needs no network.

    Example: ``report("records", out="report.html")``

    Raises:
        RequestError: there is no record, none that was asked for, or the file cannot be written.
    """
    return write_report(call)


@takes(PlotCall)
def plot(call: PlotCall) -> Path:
    """Draws one figure of the report into a picture; needs matplotlib, the extra ``plots``.

    Example: ``plot("records", figure="bytes", out="bytes.pdf")``

    Raises:
        RequestError: no figure has this name, or several have; matplotlib is missing; the file cannot be written.
    """
    return write_plot(call)


@takes(VerifyCall)
def verify(call: VerifyCall) -> Verification:
    """Computes again what records say: keys, seals, metrics from the predictions beside them, checksums.

    With ``replay`` each run is trained again and compared with its record, which stays as it is.

    Example: ``verify("records").holds``

    Raises:
        RequestError: there is no such record or folder.
    """
    return verify_records(call)


__all__ = [
    "compare",
    "compress",
    "evaluate",
    "explain",
    "export",
    "inspect",
    "leaderboard",
    "parity",
    "plot",
    "prepare",
    "report",
    "robust",
    "rows",
    "run",
    "score",
    "sweep",
    "trace",
    "verify",
]
