"""Answers that are written and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rethinkdc.errors import RequestError
from rethinkdc.evidence.comparison import Comparison
from rethinkdc.evidence.conditions import Conditions
from rethinkdc.evidence.corners import CORNERS
from rethinkdc.evidence.explanation import Explanation, explain_corners
from rethinkdc.evidence.outcome import Outcome
from rethinkdc.evidence.reading import read_answers
from rethinkdc.evidence.writing import ANSWER_FILE, write_answer
from rethinkdc.measurement import Metric
from rethinkdc.runs.schemas import seal_of

CONDITIONS = Conditions(
    dataset="digits",
    protocol="digits-soft v1",
    protocol_digest="0" * 64,
    ipc=10,
    metric=Metric("top1", "higher", "fraction"),
)


def explanation() -> Explanation:
    corners = {
        corner: Outcome({0: 0.1 + 0.1 * place, 2: 0.15 + 0.09 * place}, {1: "it diverged"}, ("a" * 24, "b" * 24))
        for place, corner in enumerate(CORNERS)
    }
    return explain_corners(
        corners,
        {"random": Outcome({0: 0.5}, {})},
        method="pca",
        conditions=CONDITIONS,
        labeler="soft",
        classes=10,
        counted="sets",
    )


def test_an_explanation_reads_back_as_it_was_written_and_comparisons_are_passed_over(tmp_path: Path) -> None:
    wanted = explanation()
    write_answer(wanted, tmp_path / "one")
    write_answer(Comparison(CONDITIONS, "hard", ()), tmp_path / "other")
    assert read_answers(tmp_path) == read_answers(tmp_path / "one") == [wanted]
    assert read_answers(tmp_path / "other") == []
    before = (tmp_path / "one" / ANSWER_FILE).read_bytes()
    write_answer(read_answers(tmp_path)[0], tmp_path / "one")
    assert (tmp_path / "one" / ANSWER_FILE).read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"question": "explain"}', '{"question": "explain", "corners": 3}'])
def test_what_is_no_answer_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ANSWER_FILE).write_text(text)
    with pytest.raises(RequestError, match=r"answer\.json is no answer that explain wrote"):
        read_answers(tmp_path)


@pytest.mark.filterwarnings("ignore:.*has no seal")
def test_an_answer_that_lacks_a_corner_is_refused(tmp_path: Path) -> None:
    file = write_answer(explanation(), tmp_path)
    content = json.loads(file.read_text())
    content["corners"].pop()
    del content["seal"]
    file.write_text(json.dumps(content))
    with pytest.raises(RequestError, match="is no answer that explain wrote"):
        read_answers(tmp_path)


def test_an_answer_that_was_changed_is_refused_and_one_without_a_seal_is_warned_of(tmp_path: Path) -> None:
    file = write_answer(explanation(), tmp_path)
    content = json.loads(file.read_text())
    content["corners"][0]["values"]["0"] = 0.99
    file.write_text(json.dumps(content))
    with pytest.raises(RequestError, match=f"its seal is {content['seal'][:12]}, and that of its content "):
        read_answers(tmp_path)
    del content["seal"]
    file.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match=r"answer\.json has no seal"):
        (found,) = read_answers(tmp_path)
    assert isinstance(found, Explanation)
    assert any(0.99 in outcome.values.values() for outcome in found.corners.values())


def test_a_folder_without_answers_says_who_writes_them(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="`rethinkdc explain METHOD` writes one"):
        read_answers(tmp_path)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("corners", 0, "values", "0"), "high", "corners"),
        (("corners", 0, "images"), "other", "corners"),
        (("conditions", "ipc"), [1], "conditions"),
        (("chance",), 0, "chance"),
        (("counted",), "runs", "counted"),
        (("beside",), {"random": 3}, "beside"),
    ],
)
def test_a_value_that_no_answer_has_is_named(
    place: tuple[str | int, ...], value: object, told: str, tmp_path: Path
) -> None:
    file = write_answer(explanation(), tmp_path)
    content = json.loads(file.read_text())
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    file.write_text(json.dumps({**content, "seal": seal_of(content)}))
    with pytest.raises(RequestError, match=rf"answer\.json is no answer that explain wrote .*{told}"):
        read_answers(tmp_path)


def test_an_answer_without_an_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / ANSWER_FILE).write_text("[" * 100_000)
    with pytest.raises(RequestError, match="within each other"):
        read_answers(tmp_path)
