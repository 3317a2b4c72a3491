"""Interruptions: heeded where a loop has kept its state, told in words, and at once where nothing waits for them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from rethinkdc import interruption
from rethinkdc.contracts.context import Context
from rethinkdc.interruption import Interrupted, going, heed, innermost, listening
from rethinkdc.testing import context
from rethinkdc.training.checkpoint import Clock


def ask(number: int = signal.SIGTERM) -> None:
    """What ``kill`` does from outside; Python hears it before the next line."""
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Handlers are Python's own, also where whoever started the tests ignores some; then they are as they were."""
    before = {number: signal.getsignal(number) for number in interruption.SIGNALS}
    for number in interruption.SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_where_no_loop_goes_on_a_signal_is_heeded_at_once(number: int) -> None:
    reached = list[str]()

    def work() -> None:
        ask(number)
        reached.append("the end")

    with pytest.raises(Interrupted) as ended, listening():
        work()
    assert not reached
    assert ended.value.number == interruption.heard() == number
    assert interruption.told() == "Interrupted."
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_one_that_is_heard_while_something_is_cleared_away_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    class Cleared:
        def __del__(self) -> None:
            ask(signal.SIGHUP)
            time.sleep(0)

    reached = list[str]()

    def work() -> None:
        made = Cleared()
        del made
        reached.append("the line after it")
        time.sleep(60)

    with pytest.raises(Interrupted), listening():
        work()
    assert reached
    assert interruption.heard() == signal.SIGHUP
    assert capsys.readouterr().err == ""


def test_one_that_a_library_turned_into_an_error_is_no_failed_run() -> None:
    def work() -> None:
        try:
            ask()
        except Interrupted:
            raise ValueError("could not determine the shape") from None

    with listening():
        with pytest.raises(ValueError, match="shape"):
            work()
        with pytest.raises(Interrupted):
            interruption.persist()
    interruption.persist()


def test_a_loop_is_ended_where_it_has_kept_its_state() -> None:
    steps = list[int]()

    def loop() -> None:
        with going("dm"), going("part 3 of 10") as work:
            work.heeds = True
            for step in range(9):
                heed()
                if step == 4:
                    ask()
                steps.append(step)
                work.kept = f"the checkpoint of step {step + 1}"

    with pytest.raises(Interrupted), listening():
        loop()
    assert steps == [0, 1, 2, 3, 4]
    assert interruption.told() == (
        "Interrupted in part 3 of 10 of dm. Kept: the checkpoint of step 5; the same command goes on from there."
    )


def test_a_loop_that_does_not_come_is_ended_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "GRACE", 0.05)

    def work() -> None:
        with going("dm") as work:
            work.heeds = True
            ask()
            signal.pause()

    with pytest.raises(Interrupted), listening():
        work()


def test_a_signal_that_comes_twice_at_once_is_one_and_a_later_one_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal and a launcher may both send it; whoever types it again wants the end."""
    ended = list[int]()
    monkeypatch.setattr(interruption, "_end", ended.append)
    with listening(), going("dm") as work:
        work.heeds = True
        ask(signal.SIGINT)
        ask(signal.SIGINT)
        assert ended == []
        monkeypatch.setattr(interruption, "_ECHO", 0.0)
        ask(signal.SIGTERM)
        assert ended == []
        ask(signal.SIGINT)
        assert ended == [signal.SIGINT]


def test_after_the_work_has_been_ended_any_further_signal_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = list[int]()
    monkeypatch.setattr(interruption, "_end", ended.append)
    monkeypatch.setattr(interruption, "_ECHO", 0.0)
    with listening():
        try:
            ask()
        except Interrupted:
            ask()
    assert ended == [signal.SIGTERM]


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As ``nohup`` and shells want for what runs in the background."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with listening():
        ask(signal.SIGHUP)
    assert interruption.heard() is None


def test_without_anybody_listening_nothing_is_asked(tmp_path: Path) -> None:
    with going("dm"):
        assert not interruption.asked()
        heed()
    assert innermost() is not innermost()


# -- the loops of the framework ------------------------------------------------------------------------------------


class Loop:
    """Parts of which each takes four steps; a signal comes within one step of one part."""

    def __init__(self, part: int, step: int) -> None:
        self.at, self.done = (part, step), list[tuple[int, int]]()

    def __call__(self, here: Context) -> Path:
        def build(inner: Context, out: Path) -> None:
            def make(index: int) -> dict[str, torch.Tensor]:
                kept = inner.resumable("images")
                total = torch.zeros(1)
                first = 0
                if state := kept.restore():
                    total, first = state["total"], state["step"]
                for step in range(first, 4):
                    if (index, step) == self.at:
                        ask()
                    total = total + step
                    self.done.append((index, step))
                    kept.keep(lambda: {"total": total, "step": step + 1}, done=step + 1)  # noqa: B023 - at once
                return {"total": total}

            with going("adding"):
                (out / "sum").write_text(str([int(part["total"]) for part in inner.parts(3, make)]))

        return here.artefact("sums", "key", "adding", build, files=["sum"])


def test_a_part_is_ended_with_its_state_kept_and_goes_on_from_there(tmp_path: Path) -> None:
    loop = Loop(part=1, step=2)
    with pytest.raises(Interrupted), listening():
        loop(context(tmp_path))
    # Never yet was it time to keep a state: the signal made it so.
    assert loop.done[-1] == (1, 2)
    assert interruption.told() == (
        "Interrupted in part 2 of 3 of adding. Kept: 1 part and the checkpoint of step 3; "
        "the same command goes on from there."
    )
    again = Loop(part=9, step=9)
    assert (again(context(tmp_path)) / "sum").read_text() == "[6, 6, 6]"
    assert again.done == [(1, 3), *[(2, step) for step in range(4)]]


def test_a_signal_in_the_last_step_of_a_part_ends_the_work_there(tmp_path: Path) -> None:
    loop = Loop(part=0, step=3)
    with pytest.raises(Interrupted), listening():
        loop(context(tmp_path))
    assert loop.done[-1] == (0, 3)
    again = Loop(part=9, step=9)
    again(context(tmp_path))
    assert (0, 3) not in again.done


def test_a_training_is_ended_with_its_checkpoint_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rethinkdc.training.loop import _Training

    here = context(tmp_path)
    recipe = here.protocol.proxy_recipe()
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 20, "steps": None})})
    whole = context(tmp_path / "whole").train(recipe, "expert").network().state_dict()
    original, steps = _Training._train, list[int]()

    def train(self: Any, *given: Any) -> Any:
        steps.append(self.step)
        if len(steps) == 7:
            ask()
        return original(self, *given)

    monkeypatch.setattr(_Training, "_train", train)
    with pytest.raises(Interrupted), listening():
        here.train(recipe, "expert")
    assert steps == [0, 1, 2, 3, 4, 5, 6]
    assert "Interrupted in expert training. Kept: the checkpoint of step 7;" in interruption.told()
    again = context(tmp_path).train(recipe, "expert").network().state_dict()
    assert steps[7] == 7
    assert all(torch.equal(again[name], value) for name, value in whole.items())


def test_keeping_a_state_takes_a_hundredth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("rethinkdc.training.checkpoint.time.perf_counter", lambda: now)
    clock, writes = Clock(60.0), list[float]()
    while now < 10_000:
        now += 1
        if clock.due():
            with clock.writing():
                writes.append(now)
                now += 5
    # The first after a minute; each takes five seconds, so that the others lie 500 seconds apart.
    assert writes[0] == 60
    assert {after - before for before, after in pairwise(writes)} == {505.0}
    assert 5 * len(writes) / now < 0.0101
