"""Claims beside records, in each form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

from pydantic import TypeAdapter

from rethinkdc.boards.parity import Claim, Ours
from rethinkdc.cli.board_tables import BOLD
from rethinkdc.cli.board_texts import markdown
from rethinkdc.cli.json_output import document
from rethinkdc.cli.saying import say
from rethinkdc.cli.text_table import TextTable, styled, window_width, wrap
from rethinkdc.studies.reported import Reported
from rethinkdc.texts import escape_markdown

_LEFT = ("method", "labels", "deviations")
_NOTE = (
    "Percent, with the standard deviation where there is one; ours is over sets, with how many and what computed. "
    "* conditions of the authors' value are not all known, or not those of the protocol."
)


def print_claims(claims: Sequence[Claim], form: Literal["rich", "md", "json"]) -> None:
    """Prints published values beside what is on record, a table for each dataset and protocol."""
    if form == "json":
        print(json.dumps(TypeAdapter(list[Claim]).dump_python(list(claims), mode="json"), indent=1), file=document())
        return
    if not claims:
        say("No record stands beside a published value. Leave --measured out to see what is published.")
        return
    sources = list(dict.fromkeys(_source(claim.reported) for claim in claims))
    notes = [f"[{number}] {text}" for number, text in enumerate(sources, start=1)]
    tables = list(_tables(claims, sources))
    if form == "md":
        print("\n\n".join(markdown(title, columns, [], _LEFT) for title, columns in tables))
        print("\n".join(["", *(f"- {escape_markdown(note)}" for note in (_NOTE, *notes))]))
        return
    width = window_width()
    sheets = [
        "\n".join([styled(wrap(title, width), BOLD), *TextTable(columns, named="deviations").draw(width)])
        for title, columns in tables
    ]
    print("\n\n".join([*sheets, "\n".join(wrap(note, width) for note in (_NOTE, *notes))]))


def _tables(claims: Sequence[Claim], sources: Sequence[str]) -> Iterator[tuple[str, dict[str, list[str]]]]:
    for (dataset, protocol), group in groupby(claims, key=lambda one: (one.reported.dataset, one.reported.protocol)):
        several = list(group)
        heads = ["method", "labels", "student", "size", "authors", "ours", "deviations"]
        if len({claim.reported.student for claim in several}) == 1:
            heads.remove("student")
        lines = [line for claim in several for line in _lines(claim, sources)]
        yield f"{dataset} under {protocol}", {head: [line[head] for line in lines] for head in heads}


def _lines(claim: Claim, sources: Sequence[str]) -> Iterator[dict[str, str]]:
    said = claim.reported
    first = {
        "method": said.compressor or said.set or "",
        "labels": said.labeler or said.track or "",
        "student": said.student or "",
        "size": said.size,
        "authors": _authors(said, sources),
    }
    for number, ours in enumerate(claim.ours or (None,)):
        told = first if not number else dict.fromkeys(first, "")
        yield {**told, "ours": _write(ours) if ours else "", "deviations": "; ".join(ours.deviations) if ours else ""}


def _authors(said: Reported, sources: Sequence[str]) -> str:
    doubt = "*" if said.conditions or not said.reliable else ""
    number = sources.index(_source(said)) + 1
    return f"{_percent(said.value, said.sd, digits=1)}{doubt} [{number}]"


def _write(ours: Ours) -> str:
    counted = f"{ours.result.n} {ours.n_counts if ours.result.n > 1 else ours.n_counts.removesuffix('s')}"
    machines = [machine.name for machine in ours.machines if machine.name]
    return f"{_percent(ours.result.mean, ours.result.deviation)} ({', '.join([counted, *machines])})"


def _percent(value: float, deviation: float | None, digits: int = 2) -> str:
    spread = "" if deviation is None else f" ± {100 * deviation:.{digits}f}"
    return f"{100 * value:.{digits}f}{spread}"


def _source(said: Reported) -> str:
    doubt = "" if said.reliable else "the source leaves doubt about the value"
    told = "; ".join(text for text in (said.conditions, doubt) if text)
    return f"{said.source}{f'; * {told}' * bool(told)}."
