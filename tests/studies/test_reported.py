"""Published values: read whole, completed from the top of their file, refused where one is not told enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rethinkdc.errors import RequestError
from rethinkdc.studies.reported import Reported, load_reported
from rethinkdc.studies.shipped import shipped_reported

TOP = 'dataset = "cifar10"\nprotocol = "cifar10-soft"\nsource = "Paper, table 1"\nlabeler = "soft"\n'


def read(folder: Path, text: str) -> tuple[Reported, ...]:
    path = folder / "values.toml"
    path.write_text(text)
    return load_reported(path)


def test_a_value_takes_from_the_top_what_it_does_not_say(tmp_path: Path) -> None:
    text = TOP + (
        'ipc = 10\nn = 3\nconditions = "300 epochs"\n'
        '[[values]]\ncompressor = "rded"\nvalue = 0.371\nsd = 0.003\n'
        '[[values]]\nset = "someone/their-set"\ntrack = "hard"\nkeep = 0.3\nvalue = 0.5\nmetric = "top5"\n'
        'conditions = ""\nreliable = false\n'
    )
    first, second = read(tmp_path, text)
    assert first == Reported(
        compressor="rded",
        set=None,
        labeler="soft",
        track=None,
        dataset="cifar10",
        protocol="cifar10-soft",
        ipc=10,
        keep=None,
        student=None,
        metric="top1",
        value=0.371,
        sd=0.003,
        n=3,
        source="Paper, table 1",
        conditions="300 epochs",
        reliable=True,
    )
    # What excludes another field excludes it from the top as well.
    assert (second.set, second.compressor) == ("someone/their-set", None)
    assert (second.track, second.labeler, second.keep, second.ipc) == ("hard", None, 0.3, None)
    assert (second.metric, second.conditions, second.reliable) == ("top5", "", False)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('compressor = "rded"\nvalue = 37.1', r"line 5: values\[0\]: value = 37.1: a fraction is needed"),
        ("value = 0.3", r"line 5: values\[0\] names no compressor and no set"),
        ('compressor = "rded"\nset = "a/b"\nvalue = 0.3', "both compressor = 'rded' and set = 'a/b'"),
        ('compressor = "rded:x"\nvalue = 0.3', "compressor: Cannot read the reference 'rded:x'"),
        ('compressor = "rded"', r"line 5: values\[0\]\.value is missing: expected a number"),
        ('compressor = "rded"\nvalue = 0.3\nsds = 0.1', r"line 8: values\[0\]\.sds = 0\.1: no such field.*'sd'"),
        ('compressor = "rded"\nvalue = 0.3\ntrack = "soft"', "track = 'soft': expected 'hard', 'static'"),
        ('compressor = "rded"\nvalue = 0.371\nsd = 1.3', r"line 5: values\[0\]: sd = 1.3: a fraction is needed"),
        ('compressor = "rded"\nvalue = 0.3\nsd = -1', r"sd = -1: expected a value greater than or equal to 0"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        read(tmp_path, f"{TOP}[[values]]\n{row}\n")
    assert "values.toml" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        read(tmp_path, '[[values]]\nvalue = 2.0\ncompressor = "pca"\n[[values]]\nvalue = 0.1')
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(": ")[1].split(" names ")[-1] for line in lines[:4]] == [
        "no labeler and no track; say it in the row, or for all rows at the top.",
        "no dataset; say it in the row, or for all rows at the top.",
        "no protocol; say it in the row, or for all rows at the top.",
        "no source; say it in the row, or for all rows at the top.",
    ]
    assert len(lines) == 10


def test_a_name_that_is_not_known_and_a_file_that_is_not_there() -> None:
    with pytest.raises(RequestError, match="Unknown file of published values 'nothing-at-all'"):
        load_reported("nothing-at-all")
    with pytest.raises(RequestError, match=r"Cannot read the file of published values nowhere\.toml"):
        load_reported("nowhere.toml")


@pytest.mark.parametrize("name", shipped_reported())
def test_every_shipped_file_can_be_read(name: str) -> None:
    assert load_reported(name)


def test_reading_published_values_imports_nothing_heavy() -> None:
    code = "import sys, rethinkdc.studies.reported; print(sorted({'torch', 'datasets', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
