"""Chunks of a pass: kept by time, not made twice, shared by ranks, the same bits in any case."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rethinkdc import interruption, ranks
from rethinkdc.context import chunks as engine
from rethinkdc.context.books import by_stage
from rethinkdc.context.run import RunContext
from rethinkdc.contracts import joined
from rethinkdc.testing import context
from rethinkdc.training.checkpoint import Clock
from tests.ranks.launching import launch, values

ROWS, STEP = 23, 4


class Pass:
    """Squares of numbers, which counts the chunks that it makes; may end in one of them."""

    def __init__(self, here: RunContext, ends_in: int | None = None, end: Callable[[], Any] | None = None) -> None:
        self.here, self.ends_in, self.end = here, ends_in, end
        self.made: list[int] = []

    def __call__(self, spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        for span in spans:
            if span.start // STEP == self.ends_in and self.end is not None:
                self.end()
            self.made.append(span.start // STEP)
            self.here.count_images(len(span))
            rows = torch.arange(span.start, span.stop)
            yield {"square": (rows + 0.5) ** 2, "rows": rows}

    def run(self) -> Tensor:
        found = self.here.chunks("squares", ROWS, STEP, self)
        assert joined(found, "rows").tolist() == list(range(ROWS))
        return joined(found, "square")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is always time to write."""
    monkeypatch.setattr(Clock, "due", lambda _: True)


def files(here: RunContext) -> list[str]:
    return sorted(path.name for path in here.folder.rglob("*.safetensors"))


def stop() -> None:
    raise KeyboardInterrupt


def test_a_pass_that_is_over_before_it_is_time_writes_nothing(tmp_path: Path) -> None:
    here = context(tmp_path)
    made = Pass(here)
    assert torch.equal(made.run(), (torch.arange(ROWS) + 0.5) ** 2)
    assert made.made == [0, 1, 2, 3, 4, 5]
    assert not list(here.folder.iterdir())


def test_what_an_interruption_finds_in_memory_is_written_and_not_made_again(tmp_path: Path) -> None:
    expected = Pass(context(tmp_path / "whole")).run()
    killed = Pass(context(tmp_path), ends_in=4, end=stop)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    assert files(killed.here) == ["0000000.safetensors"]
    again = Pass(context(tmp_path))
    assert torch.equal(again.run(), expected)
    assert killed.made + again.made == [0, 1, 2, 3, 4, 5]


@pytest.mark.usefixtures("at_once")
def test_what_was_written_outlives_a_process_that_dies_without_a_word(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        Pass(context(tmp_path), ends_in=3, end=lambda: os.kill(os.getpid(), signal.SIGKILL)).run()
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    here = context(tmp_path)
    assert files(here) == [f"{index:07d}.safetensors" for index in range(3)]
    again = Pass(here)
    assert torch.equal(again.run(), Pass(context(tmp_path / "whole")).run())
    assert again.made == [3, 4, 5]


def test_results_of_many_bytes_are_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chunks of 48 bytes: memory stays bounded, whatever the number of rows. The last two have fewer."""
    monkeypatch.setattr(engine, "HELD_BYTES", 90)
    here = context(tmp_path)
    expected = (torch.arange(ROWS) + 0.5) ** 2
    assert torch.equal(Pass(here).run(), expected)
    assert files(here) == ["0000000.safetensors", "0000002.safetensors"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("name", ["0000001.safetensors", "0000001.sealed"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"half")])
def test_a_file_that_is_damaged_or_gone_is_made_again(tmp_path: Path, name: str, damage: Any) -> None:
    here = context(tmp_path)
    expected = Pass(here).run()
    (path,) = here.folder.rglob(name)
    damage(path)
    again = Pass(context(tmp_path))
    assert torch.equal(again.run(), expected)
    assert again.made == [1]


@pytest.mark.usefixtures("at_once")
def test_chunks_of_another_pass_are_not_taken_for_those_of_this(tmp_path: Path) -> None:
    here = context(tmp_path)
    Pass(here).run()
    once_more = Pass(here)
    here.chunks("squares", ROWS, STEP + 1, once_more)
    here.chunks("others", ROWS, STEP, once_more)
    assert len(once_more.made) == 5 + 6


def test_results_may_be_views_of_one_tensor_that_is_filled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "HELD_BYTES", 90)
    table = torch.zeros(STEP, dtype=torch.int64)

    def make(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
        for span in spans:
            table[: len(span)] = torch.arange(span.start, span.stop)
            yield {"rows": table[: len(span)], "again": table[: len(span)]}

    found = context(tmp_path).chunks("views", ROWS, STEP, make)
    assert joined(found, "rows").tolist() == joined(found, "again").tolist() == list(range(ROWS))


@pytest.mark.usefixtures("at_once")
def test_chunks_of_a_network_that_has_moved_on_are_not_used_and_go(tmp_path: Path) -> None:
    here = context(tmp_path)
    made = Pass(here)
    for weights, expected in (("first", 6), ("first", 6), ("second", 12), ("second", 12)):
        here.chunks("tests", ROWS, STEP, made, of=weights)
        assert len(made.made) == expected
        assert len(list((here.folder / "tests").iterdir())) == 1


def test_seconds_and_images_of_earlier_tries_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    def build(ends: bool) -> Callable[[Any, Path], None]:
        def built(inner: RunContext, out: Path) -> None:
            def end() -> None:
                clock[0] += 100.0
                stop()

            Pass(inner, ends_in=5, end=end if ends else None).run()
            (out / "done").write_text("")

        return built

    with pytest.raises(KeyboardInterrupt):
        context(tmp_path).artefact("squares", "key", "squaring", build(True), files=["done"])
    here = context(tmp_path)
    here.artefact("squares", "key", "squaring", build(False), files=["done"])
    assert by_stage(here.books.seconds)["squaring"] == pytest.approx(100.0)
    assert by_stage(here.books.images)["squaring"] == ROWS


def test_a_signal_is_heeded_between_two_chunks_and_tells_what_is_kept(tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    here = context(tmp_path)
    try:
        with pytest.raises(interruption.Interrupted), interruption.listening(), interruption.going("squares"):
            Pass(here, ends_in=2, end=lambda: os.kill(os.getpid(), signal.SIGTERM)).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    told = "Interrupted in squares. Kept: 12 of 23 rows; the same command goes on from there."
    assert interruption.told() == told
    again = Pass(context(tmp_path))
    again.run()
    assert again.made == [3, 4, 5]


@pytest.mark.usefixtures("at_once")
def test_a_chunk_that_takes_long_goes_on_inside(tmp_path: Path) -> None:
    steps = list[tuple[int, int]]()

    def walked(here: RunContext, dies_at: tuple[int, int] | None) -> list[int]:
        def make(spans: Sequence[range]) -> Iterator[dict[str, Tensor]]:
            for span in spans:
                kept = here.resumable("walk")
                state = kept.restore() or {"step": 0}
                for step in range(state["step"], 3):
                    steps.append((span.start, step))
                    kept.keep(partial(dict, step=step + 1))
                    if dies_at == (span.start, step):
                        stop()
                yield {"place": torch.tensor([span.start])}

        return joined(here.chunks("walks", 3, 1, make), "place").tolist()

    with pytest.raises(KeyboardInterrupt):
        walked(context(tmp_path), (1, 1))
    again = context(tmp_path)
    assert walked(again, None) == [0, 1, 2]
    assert steps == [(chunk, step) for chunk in range(3) for step in range(3)]
    assert not list(again.folder.rglob("checkpoint.pt"))


def test_a_rank_that_finds_all_others_done_writes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for it."""
    here = context(tmp_path)
    first = Pass(here, ends_in=1, end=stop)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    monkeypatch.setattr(ranks, "together", lambda: True)
    monkeypatch.setattr(ranks, "own_parts", lambda count: range(1, count))
    second = Pass(here)
    second.run()
    assert (first.made, second.made) == ([0], [1, 2, 3, 4, 5])
    assert files(here) == ["0000000.safetensors", "0000001.safetensors"]


@pytest.mark.parametrize("mine", [range(1), range(0)])
def test_a_pass_of_one_chunk_is_written_for_those_who_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: range
) -> None:
    here = context(tmp_path)
    monkeypatch.setattr(ranks, "together", lambda: True)
    monkeypatch.setattr(ranks, "own_parts", lambda _: range(1))
    first = Pass(here)
    here.chunks("squares", ROWS, ROWS, first)
    monkeypatch.setattr(ranks, "own_parts", lambda _: mine)
    second = Pass(here)
    here.chunks("squares", ROWS, ROWS, second)
    assert (first.made, second.made) == ([0], [])


def _shared(here: RunContext, expected: Tensor) -> list[int]:
    """The chunks that this rank makes of a pass that all make together."""
    made = Pass(here)

    def build(inner: Any, out: Path) -> None:
        made.here = inner
        assert torch.equal(made.run(), expected)
        (out / "done").write_text("")

    here.artefact("squares", "key", "squaring", build, files=["done"])
    assert by_stage(here.books.images) == {"squaring": ROWS}
    return made.made


def made_together(folder: Path) -> list[int]:
    here = context(folder / "together")
    return _shared(here, (torch.arange(ROWS) + 0.5) ** 2)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_make_a_share_of_the_chunks_each_and_all_get_all(tmp_path: Path, world: int) -> None:
    made = values(launch(world, partial(made_together, tmp_path), tmp_path))
    assert made == [list(range(rank, 6, world)) for rank in range(world)]


def passed_twice(folder: Path) -> list[int]:
    """What a rank makes of two passes, of which the second makes the first's files go."""
    made: list[int] = []

    def build(inner: Any, out: Path) -> None:
        for weights in ("first", "second"):
            one = Pass(inner)
            found = inner.chunks("tests", ROWS, STEP, one, of=weights)
            if ranks.rank() == 1:
                # Slower than the first rank, which is at the next pass meanwhile.
                time.sleep(0.2)
            assert torch.equal(joined(found, "square"), (torch.arange(ROWS) + 0.5) ** 2)
            made.extend(one.made)
        (out / "done").write_text("")

    context(folder / "together").artefact("squares", "key", "squaring", build, files=["done"])
    return made


def test_the_next_pass_takes_no_files_from_a_rank_that_is_slower(
    tmp_path: Path,
) -> None:
    made = values(launch(2, partial(passed_twice, tmp_path), tmp_path))
    assert made == [[0, 2, 4] * 2, [1, 3, 5] * 2]


@pytest.mark.usefixtures("at_once")
def test_a_pass_leaves_those_alone_whose_names_begin_like_its_own(tmp_path: Path) -> None:
    here = context(tmp_path)
    longer = Pass(here)
    here.chunks("tests-of-others", ROWS, STEP, longer, of="these")
    here.chunks("tests", ROWS, STEP, Pass(here), of="those")
    here.chunks("tests-of-others", ROWS, STEP, longer, of="these")
    assert len(longer.made) == 6
