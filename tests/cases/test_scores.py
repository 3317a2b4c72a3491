"""Files of scores: all of them hold the same ones, each in the form of somebody's tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from rethinkdc.errors import DataError
from rethinkdc.row_files.files import read_scores
from rethinkdc.types import Images


class Answer(NamedTuple):
    """What must come out.

    Attributes:
        taken: part of what the columns were taken for.
        refused: part of the refusal; empty = it is read.
        warned: part of a warning; empty = there is none.
        same: whether the scores are those of all others.
    """

    taken: str = "line order: row numbers"
    refused: str = ""
    warned: str = ""
    same: bool = True


ANSWERS = {
    "savetxt.txt": Answer(),
    "idx_score_shuffled.csv": Answer("column 'idx': row numbers"),
    "id_score_shuffled.csv": Answer("column 'sample_id': row numbers"),
    "permutation.csv": Answer(warned="an index list or ranks rather than scores", same=False),
    "sorted.csv": Answer(warned="sorted in the rows' order", same=False),
    "el2n.npy": Answer(),
    "el2n.npz": Answer("column 'scores': scores"),
    "el2n.pt": Answer(),
    "el2n.json": Answer(),
    "data-score.pt": Answer("column 'targets': labels"),
    "pandas_series_noindex.csv": Answer("its first line, 0: pandas' header, not used"),
    "pandas_series.csv": Answer("the nameless column: row numbers"),
    "headerless_two.csv": Answer("column 1: row numbers"),
    "decimal_comma.csv": Answer("column 'row': row numbers"),
    "utf16.csv": Answer(),
    "empty_cell.csv": Answer(refused="1 rows without a number .* entry 6"),
    "filename_score.csv": Answer(refused="column 'filename' has no meaning here: .* column=score"),
    "inf.csv": Answer(warned="479 of 1,437 scores are infinite", same=False),
    "big_ties.csv": Answer(warned="equal as float32", same=False),
}


def test_every_input_has_an_answer(names_in: Callable[[str], set[str]]) -> None:
    assert names_in("scores") == set(ANSWERS)


@pytest.mark.parametrize("name", ANSWERS)
def test_scores(name: str, cases: Path, digits: Images) -> None:
    answer, path = ANSWERS[name], cases / "scores" / name
    if answer.refused:
        with pytest.raises(DataError, match=answer.refused):
            read_scores(path, digits)
        return
    read = read_scores(path, digits)
    assert any(answer.taken in told for told in read.reading.taken)
    assert any(answer.warned in told for told in read.reading.warnings) == bool(answer.warned)
    others = read_scores(cases / "scores" / "savetxt.txt", digits).scores
    assert torch.allclose(read.scores, others, rtol=0, atol=1e-6) == answer.same


def test_scores_that_are_infinite_stay_so_and_leave_the_others_alone(cases: Path, digits: Images) -> None:
    read, plain = (read_scores(cases / "scores" / name, digits).scores for name in ("inf.csv", "savetxt.txt"))
    finite = read.isfinite()
    assert 0 < int(finite.sum()) < len(read)
    assert torch.allclose(read[finite], plain[finite], rtol=0, atol=1e-6)
