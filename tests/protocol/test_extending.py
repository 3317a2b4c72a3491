"""A protocol that extends another one is the whole of both, before anything is digested."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.protocol.writing import write_toml
from rethinkdc.training.recipe import Schedule

BASE = """\
id = "base"
version = 3
summary = "The other one."
status = "tuned"
track = "soft"
default = true
default_ipc = 5
[sources]
"training" = "all of the training"
"training.batch" = "the batch"
"training.views" = "the views"
"student.model" = "the model"
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
[training.optimizer]
name = "adamw"
lr = 0.002
weight_decay = 0.5
[training.schedule]
name = "cosine"
stretch = 2.0
[[training.views]]
op = "flip"
p = 0.25
[training.mix]
op = "cutmix"
[soft]
temperature = 4.0
[test]
resize = 8
size = 8
"""
HEAD = 'id = "mine"\nversion = 1\nsummary = "Mine."\nextends = "base"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(BASE)
    return tmp_path


def read(folder: Path, rest: str, head: str = HEAD) -> Protocol:
    path = folder / "mine.toml"
    path.write_text(head + rest)
    return load_protocol(path)


def fault(folder: Path, rest: str, head: str = HEAD) -> str:
    with pytest.raises(RequestError) as caught:
        read(folder, rest, head)
    return str(caught.value).replace(f"{folder}/", "")


def test_it_takes_all_but_what_describes_the_other_one(folder: Path) -> None:
    made, base = read(folder, ""), load_protocol(folder / "base.toml")
    assert (made.id, made.version, made.summary, made.status, made.default) == ("mine", 1, "Mine.", "untuned", False)
    own = {"id", "version", "summary", "status", "default"}
    assert made.model_dump(exclude=own) == base.model_dump(exclude=own)
    assert made.digest != base.digest


def test_what_it_says_is_merged_into_tables_and_replaces_everything_else(folder: Path) -> None:
    made = read(folder, '[training]\nbatch = 8\nsteps = { 1 = 5 }\nviews = [{ op = "roll", high = 2 }]\n')
    assert (made.training.batch, made.training.steps) == (8, {1: 5})
    assert [view.op for view in made.training.views] == ["roll"]
    assert made.training.optimizer.lr == 0.002


def test_of_another_optimiser_schedule_or_mix_nothing_is_left(folder: Path) -> None:
    made = read(
        folder,
        '[training.optimizer]\nname = "sgd"\nlr = 0.1\n[training.schedule]\nname = "constant"\n'
        '[training.mix]\nop = "mixup"\n[soft]\nt_squared = true\n',
    )
    assert (made.training.optimizer.weight_decay, made.training.schedule) == (0.01, Schedule(name="constant"))
    assert made.training.mix is not None
    assert made.training.mix.op == "mixup"
    assert made.soft is not None
    assert (made.soft.temperature, made.soft.t_squared) == (4.0, True)


def test_the_same_optimiser_is_merged(folder: Path) -> None:
    made = read(folder, '[training.optimizer]\nname = "adamw"\nlr = 0.1\n')
    assert (made.training.optimizer.lr, made.training.optimizer.weight_decay) == (0.1, 0.5)


def test_it_may_be_without_what_the_other_one_says(folder: Path) -> None:
    made = read(
        folder, 'without = ["soft", "training.mix", "training.steps"]\ntrack = "hard"\n[training]\nepochs = 2\n'
    )
    assert (made.soft, made.training.mix, made.training.steps, made.training.epochs) == (None, None, None, 2)


def test_a_source_goes_with_the_value_that_it_is_of(folder: Path) -> None:
    kept = {"training": "all of the training", "training.views": "the views", "student.model": "the model"}
    assert read(folder, "[training]\nbatch = 8\n").sources == kept
    assert read(folder, '[training]\nbatch = 8\n[sources]\n"training.batch" = "mine"\n').sources == {
        **kept,
        "training.batch": "mine",
    }
    without = 'without = ["training.views"]\n'
    assert read(folder, without).sources == {
        k: v for k, v in (kept | {"training.batch": "the batch"}).items() if k != "training.views"
    }
    # A source that speaks of more takes the place of those of the values that the file says.
    assert read(folder, '[training]\nbatch = 8\nviews = []\n[sources]\n"training" = "mine"\n').sources == {
        "training": "mine",
        "student.model": "the model",
    }


def test_written_out_it_is_the_same_protocol(folder: Path) -> None:
    made = read(folder, "[training]\nbatch = 8\n")
    (folder / "whole.toml").write_text(write_toml(made))
    assert "extends" not in (folder / "whole.toml").read_text()
    assert load_protocol(folder / "whole.toml") == made


def test_a_chain_is_followed_and_a_path_counts_from_its_file(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "between.toml").write_text(
        'id = "between"\nversion = 1\nsummary = "b"\nextends = "../base.toml"\n[training]\nbatch = 4\n'
    )
    made = read(folder, "[store]\nsize = 16\n", HEAD.replace('"base"', '"below/between.toml"'))
    assert (made.training.batch, made.store.size, made.training.optimizer.lr) == (4, 16, 0.002)


def test_a_shipped_protocol_is_extended_by_its_id(tmp_path: Path) -> None:
    made = read(tmp_path, "[training]\nbatch = 4\n", HEAD.replace('"base"', '"digits-hard"'))
    assert (made.training.batch, made.student.model.name) == (4, "convnet")


def test_a_change_of_the_other_one_is_read(folder: Path) -> None:
    before = read(folder, "")
    (folder / "base.toml").write_text(BASE.replace("batch = 16", "batch = 2"))
    assert (before.training.batch, load_protocol(folder / "mine.toml").training.batch) == (16, 2)


@pytest.mark.parametrize(
    ("head", "rest", "said"),
    [
        (HEAD.replace('"base"', '"bsae"'), "", "mine.toml, line 4: extends = 'bsae': no such protocol ships with"),
        (HEAD.replace('"base"', "3"), "", "mine.toml, line 4: extends: expected a text"),
        (HEAD.replace('"base"', '"mine.toml"'), "", "mine.toml, line 4: protocols extend each other: mine.toml ext"),
        (HEAD, 'without = ["training.mixx"]\n', "mine.toml, line 5: without[0] = 'training.mixx': base does not say"),
        (HEAD, "without = 3\n", "mine.toml, line 5: without: expected a list of texts"),
        (HEAD.replace("extends", "#"), 'without = ["soft"]\n', "mine.toml, line 5: without is for a file that extends"),
        (HEAD, "[training]\nepochs = 3\n", "mine.toml, line 5: training = a table: give exactly one of epochs (3) and"),
        (HEAD, "[training]\nbacth = 3\n", "mine.toml, line 6: training.bacth = 3: no such field. Did you mean 'batch'"),
        (HEAD.replace("version = 1\n", ""), "", "mine.toml, line 1: version is missing: expected a whole number"),
    ],
)
def test_a_fault_says_where_and_what(folder: Path, head: str, rest: str, said: str) -> None:
    assert said in fault(folder, rest, head)


def test_a_fault_of_the_other_file_is_told_of_that_file(folder: Path) -> None:
    (folder / "base.toml").write_text(BASE.replace("batch = 16", "batch = 0"))
    assert "base.toml, line 23: training.batch = 0: expected a value greater" in fault(folder, "")
