"""Every line of the answers is asserted somewhere here."""

from __future__ import annotations

FOLDERS = ("ckpt", "data", "real", "rows", "scores", "sets")
"""Of which each has a test file that answers every name in it."""


def test_every_line_names_inputs_of_folders_that_are_answered(answers: dict[str, list[str]]) -> None:
    assert len(answers) > 30
    for line, names in answers.items():
        assert names, line
        assert {name.split("/")[0] for name in names} <= set(FOLDERS), line
