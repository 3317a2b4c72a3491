"""Protocol files: reading, digests, overrides."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from rethinkdc.data.splits import Schema
from rethinkdc.errors import RequestError
from rethinkdc.protocol.protocol import Protocol
from rethinkdc.protocol.reading import load_protocol
from rethinkdc.registry.registry import Registry

TEXT = """\
id = "tiny-hard"
version = 1
summary = "For tests."
status = "untuned"
track = "hard"
curve = [0.5]
[sources]
"student" = "nowhere"
[data]
classes = 4
train = 80
[store]
size = 8
[student]
model = "convnet:depth=2,width=8"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[training]
steps = { 1 = 20, 10 = 60 }
batch = 16
[[training.views]]
op = "flip"
[test]
resize = 8
size = 8
[proxy]
model = { name = "convnet", values = { depth = 2, width = 8 } }
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
clean = [1, 1.0]
[proxy.training]
epochs = 2
[proxy.scores]
el2n = { epochs = [1, 2] }
"""


TEACHER = """\
[teacher.recipes.standard]
model = "convnet:depth=2,width=8"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[teacher.recipes.standard.training]
epochs = 2
"""
SOFT = TEXT.replace('track = "hard"', 'track = "soft"') + "[soft]\ntemperature = 4.0\n" + TEACHER


def protocol(folder: Path, text: str = TEXT) -> Protocol:
    path = folder / "tiny.toml"
    path.write_text(text)
    return load_protocol(path)


def test_a_file_reads_as_it_says(tmp_path: Path) -> None:
    found = protocol(tmp_path)
    assert (found.id, found.data.train, found.data.test) == ("tiny-hard", 80, None)
    assert str(found.student.model) == str(found.proxy_recipe().model) == "convnet:depth=2,width=8"
    assert [type(value) for value in found.proxy_recipe().clean] == [int, float]
    assert found.proxy_recipe().scores == {"el2n": {"epochs": [1, 2]}}
    assert not found.modified


def test_steps_come_from_the_table_by_ipc(tmp_path: Path) -> None:
    training = protocol(tmp_path).training
    assert [training.length(4 * ipc, ipc).steps for ipc in (1, 10, 50)] == [20, 60, 60]
    # Half-way between 1 and 10 on a log scale is sqrt(10): sqrt(20 * 60) = 34.6 steps there, 33.9 at 3.
    assert training.length(12, 3).steps == 34


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ('summary = "For tests."', 'summary = "Other words."'),
        ('"student" = "nowhere"', '"student" = "a paper"'),
        ('status = "untuned"', 'status = "tuned"'),
        ('track = "hard"', 'track = "hard"\ndefault = true\ndefault_dataset = "digits"\ndefault_ipc = 5'),
    ],
)
def test_descriptions_and_defaults_are_not_part_of_the_digest(tmp_path: Path, line: str, other: str) -> None:
    assert TEXT.count(line) == 1
    assert protocol(tmp_path, TEXT.replace(line, other)).digest == protocol(tmp_path).digest


@pytest.mark.parametrize(
    ("line", "other", "makes_other_sets"),
    [
        ("version = 1", "version = 2", False),
        ("curve = [0.5]", "curve = []", False),
        ("batch = 16", "batch = 17", False),
        ("10 = 60", "10 = 61", False),
        ("resize = 8", "resize = 9", True),
        ("classes = 4", "classes = 5", False),
        ('model = "convnet:depth=2,width=8"', 'model = "convnet:depth=2,width=9"', False),
        ('op = "flip"', 'op = "flip"\n[[training.views]]\nop = "flip"', False),
        ("clean = [1, 1.0]", "clean = [1.0]", True),
        ("epochs = 2", "epochs = 3", True),
        ("epochs = [1, 2]", "epochs = [1, 1]", True),
        ("[store]\nsize = 8", "[store]\nsize = 9", True),
    ],
)
def test_whatever_can_change_a_result_is_part_of_the_digest(
    tmp_path: Path, line: str, other: str, makes_other_sets: bool
) -> None:
    assert TEXT.count(line) == 1, line
    here, there = protocol(tmp_path), protocol(tmp_path, TEXT.replace(line, other))
    assert here.digest != there.digest
    assert (here.making_digest != there.making_digest) == makes_other_sets


def test_a_copy_with_other_values_has_digests_of_its_own() -> None:
    base = Registry().protocols.find("digits-hard")
    names = [name for name, one in vars(Protocol).items() if isinstance(one, cached_property)]
    before = {name: getattr(base, name) for name in names}
    copied = base.model_copy(update={"store": base.store.model_copy(update={"size": 16})})
    assert len(names) == 4
    assert not [name for name in names if getattr(copied, name) == before[name]]
    assert {name: getattr(base, name) for name in names} == before


def test_the_digest_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    swapped = TEXT.replace("resize = 8\nsize = 8\n", "size = 8\nresize = 8\n")
    assert swapped != TEXT
    assert protocol(tmp_path, swapped).digest == protocol(tmp_path).digest


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"training.batch": 32}, lambda p: p.training.batch == 32),
        ({"store.size": 16}, lambda p: p.store.size == 16),
        ({"training.optimizer.lr": 0.5}, lambda p: p.training.optimizer.lr == 0.5),
        (
            {"training.steps": 7, "proxy.training.epochs": 9},
            lambda p: (p.training.steps, p.proxy.training.epochs) == (7, 9),
        ),
        ({"student.model": "resnet-light"}, lambda p: str(p.student.model) == "resnet-light"),
    ],
)
def test_an_override_changes_the_value_marks_the_protocol_and_changes_the_digest(
    tmp_path: Path, values: dict[str, Any], found: Any
) -> None:
    original = protocol(tmp_path)
    changed = original.override(values)
    assert found(changed)
    assert changed.modified
    assert changed.digest != original.digest
    assert changed.overrides == values
    assert not original.modified


def test_an_override_leaves_all_else_as_it_was(tmp_path: Path) -> None:
    original = protocol(tmp_path)
    changed = original.override({"training.batch": 32}).override({"training.batch": 16})
    assert changed.modified
    assert changed.digest == original.digest
    assert original.override({}) is original


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainig.batch", 3, "no value 'trainig.batch' to override. Did you mean 'training.batch'"),
        ("btch", 3, "no value 'btch'"),
        ("training.bacth", 3, "training.bacth"),
        ("training.batch.size", 3, "no value 'training.batch.size'"),
        ("training.batch", "many", "training.batch = 'many'"),
        ("training.batch", 0, "training.batch = 0"),
        ("training.epochs", 3, "exactly one of epochs"),
    ],
)
def test_an_override_that_does_not_fit_is_named(tmp_path: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        protocol(tmp_path).override({key: value})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "other", "message"),
    [
        ("batch = 16", "bacth = 16", "training.bacth = 16"),
        ("batch = 16", "batch = 0", "training.batch = 0"),
        ('op = "flip"', 'op = "flop"', "flop"),
        ("version = 1\n", "", "version"),
        ("version = 1", "version = ", "not valid TOML"),
        ("version = 1", "version = 1\noverrides = { a = 1 }", "set by the command line only"),
        ("size = 8\n[student]", "size = 2\n[student]", "store.size = 2"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_value(tmp_path: Path, line: str, other: str, message: str) -> None:
    assert line in TEXT
    with pytest.raises(RequestError) as caught:
        protocol(tmp_path, TEXT.replace(line, other))
    assert message in str(caught.value)
    assert "tiny.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none\.toml: No such file"):
        load_protocol(tmp_path / "none.toml")


def test_a_track_admits_its_labelers(tmp_path: Path) -> None:
    tracks = ("hard", "static", "stored", "online")
    hard = protocol(tmp_path)
    soft = protocol(tmp_path, SOFT)
    assert [hard.admits(track) for track in tracks] == [True, False, False, False]
    assert [soft.admits(track) for track in tracks] == [False, True, True, True]
    assert all(soft.override({"track": "any"}).admits(track) for track in tracks)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            SOFT.replace("[soft]\ntemperature = 4.0\n", ""),
            r"toml is not a valid protocol:\n.*tiny\.toml, line 1: a protocol of the soft track needs \[soft\]",
        ),
        (TEXT.replace('track = "hard"', 'track = "any"'), r"a protocol of the any track needs \[soft\]"),
        (TEXT + "[soft]\ntemperature = 4.0\n" + TEACHER, r"a protocol of the hard track has no \[soft\]"),
        (SOFT.replace("temperature = 4.0", "temperature = 0.0"), r"soft\.temperature = 0\.0"),
        (
            SOFT.replace("batch = 16\n", 'batch = 16\noptimizer = { name = "sgd" }\n'),
            "SGD under soft labels needs t_squared",
        ),
    ],
)
def test_what_soft_labels_need_is_asked_for(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        protocol(tmp_path, text)


def test_under_hard_labels_the_teachers_are_no_part_of_the_digest_but_have_their_own(tmp_path: Path) -> None:
    """A protocol that gains teachers keeps its results; the runs that ask a teacher are defined by both digests."""
    plain, taught = protocol(tmp_path), protocol(tmp_path, TEXT + TEACHER)
    longer = taught.override({"teacher.recipes.standard.training.epochs": 3})
    assert plain.digest == taught.digest == longer.digest
    assert len({plain.teacher_digest, taught.teacher_digest, longer.teacher_digest}) == 3
    assert longer.modified
    soft = protocol(tmp_path, SOFT)
    assert soft.override({"teacher.recipes.standard.training.epochs": 3}).digest != soft.digest
    assert soft.override({"soft.temperature": 2.0}).digest != soft.digest
    assert soft.override({"soft.temperature": 4.0}) == soft


def test_what_came_later_is_no_part_of_a_digest_where_it_holds_its_default(tmp_path: Path) -> None:
    plain = protocol(tmp_path, SOFT)
    for change in ({"track": "any"}, {"full_at_ipc": 10}, {"training.fixed_views": True}):
        changed = plain.override(change)
        assert changed.modified
        assert changed.digest != plain.digest
        # Sets and teachers are what they were: they are shared.
        assert (changed.making_digest, changed.teacher_digest) == (plain.making_digest, plain.teacher_digest)
    assert plain.override({"track": "soft", "full_at_ipc": None, "training.fixed_views": False}) is plain


def test_a_schema_fits_where_the_protocol_leaves_it_open(tmp_path: Path) -> None:
    found = protocol(tmp_path)
    assert found.fits(Schema(classes=4, train=80, test=9))
    assert not found.fits(Schema(classes=5, train=80, test=9))
    assert not found.fits(Schema(classes=4, train=81, test=9))


def test_status_sources_proxy_and_teacher_are_asked_only_of_what_needs_them(tmp_path: Path) -> None:
    text = (
        TEXT[: TEXT.index("[proxy]")]
        .replace('status = "untuned"\n', "")
        .replace('[sources]\n"student" = "nowhere"\n', "")
    )
    found = protocol(tmp_path, text)
    assert (found.status, found.sources, found.proxy_scores) == ("untuned", {}, {})
    with pytest.raises(RequestError, match=r"tiny-hard has no \[proxy\].*random"):
        found.proxy_recipe()
    assert protocol(tmp_path, SOFT.replace(TEACHER, "")).teacher is None
