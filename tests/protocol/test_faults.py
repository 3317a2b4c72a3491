"""Faults of TOML files: one line for each, with the line of the file; never the whole of what holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.errors import RequestError
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.toml_files import read_toml
from rethinkdc.studies.reading import load_study

GOOD = """\
id = "mine"
version = 1
summary = "For tests."
track = "hard"
[data]
classes = 4
[store]
size = 8
[student]
model = "convnet:depth=2,width=8"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[training]
steps = { 1 = 20, 10 = 60 }
batch = 16
[training.schedule]
name = "cosine"
[[training.views]]
op = "flip"
[test]
resize = 8
size = 8
"""


def faults(folder: Path, text: str, read: object = load_protocol) -> list[str]:
    path = folder / "mine.toml"
    path.write_text(text)
    with pytest.raises(RequestError) as caught:
        read(path)  # type: ignore[operator]
    return str(caught.value).replace(str(folder) + "/", "").splitlines()


@pytest.mark.parametrize(
    ("line", "other", "said"),
    [
        ("batch = 16", "bacth = 16", "line 15: training.bacth = 16: no such field. Did you mean 'batch'?"),
        ("batch = 16", "batch = 0", "line 15: training.batch = 0: expected a value greater than or equal to 1"),
        ("batch = 16", 'batch = "many"', "line 15: training.batch = 'many': expected a whole number"),
        ("batch = 16", "batch = 2.5", "line 15: training.batch = 2.5: expected a whole number"),
        ("batch = 16", "batch = true\nepochs = [1]", "line 16: training.epochs = [1]: expected a whole number"),
        ("steps = { 1 = 20", "steps = { 1 = 0", "line 14: training.steps.1 = 0: expected a value greater"),
        ("steps = { 1 = 20, 10 = 60 }", 'steps = "x"', "line 14: training.steps = 'x': expected a whole number or a"),
        ('name = "cosine"', 'name = "cosin"', "line 17: training.schedule.name = 'cosin': expected 'cosine', 'lin"),
        ('op = "flip"', 'op = "flop"', "line 19: training.views[0].op = 'flop': expected one of 'random-resized-crop'"),
        ('op = "flip"', 'op = "flip"\nq = 1', "line 20: training.views[0].q = 1: no such field."),
        (
            'track = "hard"',
            'track = "hart"',
            "line 4: track = 'hart': expected 'hard', 'soft' or 'any'. Did you mean 'har",
        ),
        ("mean = [0.5, 0.5, 0.5]", "mean = [0.5, 0.5]", "line 11: student.mean[2] is missing: expected a number"),
        ("model = ", "modle = ", "line 9: student.model is missing: expected a name, or a reference"),
        ('"convnet:depth=2,width=8"', '"convnet:depth"', "line 10: student.model = 'convnet:depth': Cannot read the"),
        ("[store]\nsize = 8\n", "", "line 1: store is missing: expected a table with the fields size, fit, interp"),
        ("[store]", "[stroe]", "line 7: stroe = a table: no such field. Did you mean 'store'?"),
        ("steps = {", "epochs = 3\nsteps = {", "line 13: training = a table: give exactly one of epochs (3) and steps"),
    ],
)
def test_a_fault_is_a_line_that_says_where_what_and_what_is_expected(
    tmp_path: Path, line: str, other: str, said: str
) -> None:
    assert GOOD.count(line) >= 1
    found = faults(tmp_path, GOOD.replace(line, other, 1))
    assert found[0] == "mine.toml is not a valid protocol:"
    assert [one for one in found if one.startswith(f"mine.toml, {said}")], found
    assert all(len(one) < 300 and "For tests" not in one for one in found)


def test_every_fault_has_one_line(tmp_path: Path) -> None:
    text = GOOD.replace("batch = 16", "batch = 0").replace("classes = 4", 'classes = "four"').replace("[store]", "[s]")
    lines = faults(tmp_path, text)
    assert sorted(line.split(": ")[1].split(" ")[0] for line in lines[1:]) == [
        "data.classes",
        "s",
        "store",
        "training.batch",
    ]


def test_lines_are_found_through_strings_arrays_and_comments(tmp_path: Path) -> None:
    text = (
        'a = """\n[b]\nx = 1 """\nlist = [\n  1, # ]\n  2,\n]\n[b."c.d"] # [e]\nx = "[["\n'
        "[[f]]\n[[f]]\ny.z = { u = 1 }\n[f.g]\nv = 1\n"
    )
    path = tmp_path / "file.toml"
    path.write_text(text)
    file = read_toml(path, "file", "")
    places = [
        ("a",),
        ("list",),
        ("list", 1),
        ("b", "c.d"),
        ("b", "c.d", "x"),
        ("f", 0),
        ("f", 1),
        ("f", 1, "y", "z", "u"),
    ]
    assert [file.line(place) for place in places] == [1, 4, 4, 8, 9, 10, 11, 12]
    assert [file.line(place) for place in [("f", 1, "g", "v"), ("f", 1, "h"), ("none",)]] == [14, 11, 1]


def test_a_study_has_the_same_lines(tmp_path: Path) -> None:
    text = 'title = 3\ndatset = "d"\n[[runs]]\ncompressors = ["random"]\n[[runs]]\nlabelrs = ["hard"]\nipc = ["a"]\n'
    assert faults(tmp_path, text, load_study) == [
        "mine.toml is not a valid study:",
        "mine.toml, line 1: title = 3: expected a text",
        "mine.toml, line 7: runs[1].ipc[0] = 'a': expected a whole number",
        "mine.toml, line 6: runs[1].labelrs = ['hard']: no such field. Did you mean 'labelers'?",
        "mine.toml, line 2: datset = 'd': no such field. Did you mean 'dataset'?",
    ]


OTHER = '[build-system]\nrequires = ["setuptools"]\n[tool.pytest]\naddopts = "-q"\n'


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (load_study, OTHER, "mine.toml is no study: it has 'build-system', 'tool'."),
        (load_protocol, OTHER, "mine.toml is no protocol: it has 'build-system', 'tool'."),
        (load_study, "", "mine.toml is no study: it has nothing."),
        (load_study, GOOD, "mine.toml is a protocol, no study."),
        (load_protocol, 'compressors = ["random"]\n', "mine.toml is a study, no protocol."),
    ],
)
def test_a_file_for_something_else_is_refused_in_a_line(tmp_path: Path, read: object, text: str, said: str) -> None:
    (line,) = faults(tmp_path, text, read)
    assert line.startswith(said)
