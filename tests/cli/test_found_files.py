"""What was passed over in a folder is said, and on the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUICK = ("-p", "digits-hard", "--ipc", "1", "--set", "training.steps=5")


def test_what_was_passed_over_is_said_once_and_on_the_record(
    cli: Callable[..., Any], image_tree: Callable[..., Path], tmp_path: Path
) -> None:
    classes = [str(digit) for digit in range(10)]
    tree = image_tree(dict.fromkeys(classes, 2), dict.fromkeys(classes, 1))
    (tree / "train" / "3" / "self").symlink_to(".")
    (tree / "train" / "3" / "paper.pdf").write_bytes(b"%PDF")
    done = cli("run", "-c", "random", "-d", str(tree), *QUICK)
    assert done.code == 0, done.err
    assert done.err.count("Passed over: 1 x .pdf file, 1 x link to what is listed already.") == 1
    (record,) = (tmp_path / "records").glob("*/*.json")
    assert json.loads(record.read_text())["notes"]["files"] == {
        "notes": [],
        "passed_over": {".pdf file": 1, "link to what is listed already": 1},
    }
    assert str(tree) not in record.read_text()
