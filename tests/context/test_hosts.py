"""A cache that hosts share: what a dead one left is gone on with, and one that comes back does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from rethinkdc.context.cache import Cache
from rethinkdc.storage import verify_folder
from tests.hosts import Host, gone_afterwards, names_in

MAKES = """
from rethinkdc.context.cache import Cache
from rethinkdc.storage import fence
def build(work, out):
    state = work / "state"
    for step in range(len(state.read_text()) if state.exists() else 0, 6):
        if step in map(int, sys.argv[4].split(",")):
            tell(f"step {step}")
            hear()
        fence()
        state.write_text("x" * (step + 1))
        with (work.parent.parent / "log").open("a") as log:
            log.write(f"{name}:{step} ")
    (out / "file").write_text("made")
tell(Cache(Path(sys.argv[3])).make("things", "key", build))
"""


@pytest.mark.parametrize("back", ["before the end", "after the end", "never"])
def test_the_work_of_a_dead_host_is_inherited_and_nothing_is_made_twice(tmp_path: Path, back: str) -> None:
    final = str(tmp_path / "things" / "key")
    first = Host("one", MAKES, tmp_path, "3")
    first.heard("step 3")
    first.stop()
    second = Host("two", MAKES, tmp_path, "4", patience=0.5)
    with gone_afterwards(first, second):
        second.heard("step 4")
        if back == "before the end":
            first.come_back()
            first.say()
        second.say()
        second.heard(final)
        told = second.end()[1]
        if back == "after the end":
            first.come_back()
            first.say()
        if back != "never":
            first.heard(final)
            assert "was taken over" in first.end()[1]
    assert "has given no sign of life" in told
    assert (tmp_path / "log").read_text().split() == ["one:0", "one:1", "one:2", "two:3", "two:4", "two:5"]
    assert names_in(tmp_path / "things") == ["key"]
    assert names_in(tmp_path / "work") == []
    verify_folder(Cache(tmp_path).root / "things" / "key")
