"""Answers with the page of the records that they are made of."""

from __future__ import annotations

from pathlib import Path

from rethinkdc.evidence.comparison import Comparison
from rethinkdc.evidence.explanation import Explanation
from rethinkdc.evidence.question import STUDY_FILE
from rethinkdc.evidence.writing import write_answer
from rethinkdc.reports.writing import write_report
from rethinkdc.runs.calls import ReportCall
from rethinkdc.runs.records import Records

REPORT_FILE = "report.html"


def write_answered(answer: Explanation | Comparison, folder: Path, records: Records) -> tuple[Path, ...]:
    """Writes an answer and the page of its records beside the study; returns all three files.

    Args:
        answer: to the question.
        folder: of the question.
        records: where its runs are on record.

    Raises:
        RequestError: none of its runs has a record, or a file cannot be written.
    """
    conditions = answer.conditions
    call = ReportCall(
        records=records.folder,
        out=folder / REPORT_FILE,
        ipc=conditions.ipc,
        protocol=conditions.protocol.rpartition(" v")[0],
        dataset=conditions.dataset,
    )
    explained = [answer] if isinstance(answer, Explanation) else []
    return folder / STUDY_FILE, write_answer(answer, folder), write_report(call, explained).path
