"""What a terminal shows of a sweep: a real pseudo-terminal, a small model of what stands on it, and no network."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rethinkdc.cli.progress import Bars
from rethinkdc.cli.saying import say
from rethinkdc.cli.sweep_display import SweepDisplay, write_time
from rethinkdc.runs.record import Names
from rethinkdc.seeds import Seeds
from rethinkdc.studies.standing import Ended
from rethinkdc.studies.watching import Stage

NAMES = Names(
    compressor="pca:score=[el2n:observe=clean],grid=3",
    labeler="hard",
    evaluator="standard",
    dataset="digits",
    protocol="digits-hard v1",
    student="convnet",
    ipc="10",
)


def standing(name: str = NAMES.compressor) -> Any:
    run = SimpleNamespace(key=name, names=NAMES.model_copy(update={"compressor": name}), seeds=Seeds.all(1))
    return SimpleNamespace(run=run)


def ended(seconds: float, status: str = "ok") -> Ended:
    record: Any = SimpleNamespace(status=status)
    return Ended(record, seconds)


def shown(width: int) -> list[str]:
    """A display of 12 runs, of which 3 ended, one badly, and two go on."""
    now = 0.0
    first, second = standing(), standing("evil\x1b[2J\nname")
    before = [standing() for _ in range(3)]
    display = SweepDisplay([*before, first, second, *(standing() for _ in range(7))], 2, lambda: now)
    for one, status in zip(before, ("ok", "ok", "failed"), strict=True):
        display.began(one)
        display.ended(one, ended(60.0, status))
    display.began(first)
    now = 30.0
    display.began(second)
    display.advanced(first, Stage("student", 450, 1000))
    display.advanced(standing(), Stage("of a run that is gone", 1, 2))
    return display.lines(width)


def test_the_lines_say_what_is_done_and_what_goes_on() -> None:
    summary, first, second = shown(79)
    # 7 wait, of 60 s each; two go on, with 30 and 60 s left: in two processes 255 s.
    assert summary == "3 of 12 done, 1 failed, 4 min left, 2 running"
    assert first == "pca:score=[el2n:observe=clean],grid=3 + hard, ipc 10, seed 1  student 45%, 30 s"
    assert second.startswith("evil⟨001B⟩[2J⟨000A⟩name + hard, ipc 10, seed 1 ")
    assert second.endswith("  begins, 0 s")


def test_a_narrow_terminal_has_the_most_important() -> None:
    summary, first, _ = shown(40)
    assert summary == "3 of 12 done, 1 failed, 4 min left"
    assert first == f"{NAMES.compressor[:18]}...  student 45%, 30 s"


def test_what_is_on_record_tells_the_time_left_before_any_run_ended() -> None:
    first, second = standing("random"), standing("pca")
    display = SweepDisplay([first, second], 1, lambda: 0.0)
    assert display.lines(79) == ["0 of 2 done"]
    display.expect({"random": 20.0, "pca": 40.0})
    assert display.lines(79) == ["0 of 2 done, 60 s left"]
    display.began(first)
    display.ended(first, ended(40.0))
    # Twice as long as on record: so will the other be.
    assert display.lines(79) == ["1 of 2 done, 80 s left"]


@pytest.mark.parametrize("width", [1, 2, 5, 12, 20, 33, 40, 79, 100])
def test_no_line_is_longer_than_the_terminal(width: int) -> None:
    lines = shown(width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1.5 h")]
)
def test_times_are_written_short(seconds: float, text: str) -> None:
    assert write_time(seconds) == text


class Terminal:
    """What stands on a terminal after some output, and the widest column that was written to."""

    def __init__(self, output: str) -> None:
        self.lines, self.row, self.column, self.widest = [""], 0, 0, 0
        self.cursor = True
        for move, at, command, text in re.findall(r"(\x1b\[(\??\d*(?:;\d+)*)([A-Za-z]))|([^\x1b])", output):
            if move:
                self._move(at, command)
            else:
                self._write(text)

    @property
    def text(self) -> list[str]:
        """What is to be read, down to the last line that is not empty."""
        return "\n".join(self.lines).rstrip().split("\n")

    def _move(self, at: str, command: str) -> None:
        if command == "A":
            self.row -= int(at or 1)
        elif command == "K":
            assert at == "2"
            self.lines[self.row] = ""
        elif at == "?25":
            self.cursor = command == "h"
        else:
            assert command == "m", f"a sequence that is not known: {at}{command}"

    def _write(self, text: str) -> None:
        if text == "\r":
            self.column = 0
        elif text == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        else:
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + text + line[self.column + 1 :]
            self.column += 1
            self.widest = max(self.widest, self.column)


Pause = Callable[[], None]
"""Waits, in the child, until the parent lets it go on."""


class Child:
    """A process on a pseudo-terminal of its own that runs a function, which pauses where the test wants to look."""

    def __init__(self, work: Callable[[Pause], None], columns: int, term: str) -> None:
        go, self._go = os.pipe()
        self._paused, paused = os.pipe()
        with warnings.catch_warnings():
            # Of forks beside threads: the child uses none of the parent's.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process, self._terminal = pty.fork()
        if self.process == 0:
            code = 1
            try:
                code = _run(work, go, paused, term)
            finally:
                os._exit(code)
        os.close(go)
        os.close(paused)
        self.output = ""
        self.resize(columns)
        self.go_on()

    def wait_for_pause(self) -> None:
        os.read(self._paused, 1)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def go_on(self) -> None:
        os.write(self._go, b".")

    def read_until(self, said: str) -> None:
        while said not in self.output:
            self.output += os.read(self._terminal, 4096).decode()

    def finish(self) -> int:
        while True:
            try:
                read = os.read(self._terminal, 4096)
            except OSError:  # what Linux says when nobody holds the other end
                break
            if not read:
                break
            self.output += read.decode()
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status)


def _run(work: Callable[[Pause], None], go: int, paused: int, term: str) -> int:
    """What the child does; returns its exit code."""
    os.environ["TERM"] = term
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        os.environ.pop(name, None)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def pause() -> None:
        os.write(paused, b".")
        os.read(go, 1)

    # What the fork put there, in place of what catches the output of tests.
    with open(1, "w", closefd=False) as out, open(2, "w", closefd=False) as err:
        sys.stdout, sys.stderr = out, err
        os.read(go, 1)
        try:
            work(pause)
        except KeyboardInterrupt:
            return 130
        except BaseException:
            traceback.print_exc()
            return 1
        return 0


def sweep_of_three(pause: Pause) -> None:
    """Three runs, two at a time, with lines as they end and a warning; it waits while two go on."""
    first, second, third = (standing(name) for name in ("random", "pca", "noise"))
    with Bars().sweep([first, second, third], 2) as view:
        view.began(first)
        view.began(second)
        view.advanced(first, Stage("student", 5, 10))
        say("[1/3] ok random")
        pause()
        view.ended(first, ended(1.0))
        view.began(third)
        say("Warning: something", err=True, colour="yellow")
        say("[2/3] ok pca")
        view.ended(second, ended(1.0))
        view.ended(third, ended(1.0))
        say("[3/3] ok noise")
    print("3 ok.")


SAID = ["[1/3] ok random", "Warning: something", "[2/3] ok pca", "[3/3] ok noise", "3 ok."]


@pytest.mark.parametrize("columns", [80, 40])
def test_the_display_is_drawn_below_what_is_said_and_gone_at_the_end(columns: int) -> None:
    child = Child(sweep_of_three, columns, "xterm-256color")
    child.read_until("student 50%")
    child.go_on()
    assert child.finish() == 0, child.output
    screen = Terminal(child.output)
    assert screen.text == SAID
    assert screen.widest < columns
    assert screen.cursor
    assert "0 of 3 done, 2 running" in child.output


def test_a_window_that_shrinks_gets_shorter_lines() -> None:
    child = Child(sweep_of_three, 100, "xterm-256color")
    child.read_until("student 50%")
    child.resize(40)
    before = len(child.output)
    # Drawn anew at the latest after half a second, and here as soon as the next line is said.
    child.go_on()
    assert child.finish() == 0, child.output
    drawn = re.split(r"\x1b\[\??\d*[A-Za-z]|[\r\n]", child.output[before:])
    assert "[3/3] ok noise" in drawn
    # One frame may have been on its way.
    assert sum(len(line) > 40 for line in drawn) <= 4
    assert child.output.endswith("3 ok.\r\n")


def test_ctrl_c_leaves_a_clean_terminal_and_says_what_is_on_record() -> None:
    def interrupted(pause: Pause) -> None:
        first, second, third = (standing(name) for name in ("random", "pca", "noise"))
        with Bars().sweep([first, second, third], 1) as view:
            view.began(first)
            view.ended(first, ended(1.0))
            view.began(second)
            say("now")
            pause()

    child = Child(interrupted, 80, "xterm-256color")
    child.wait_for_pause()
    os.kill(child.process, signal.SIGINT)
    assert child.finish() == 130, child.output
    screen = Terminal(child.output)
    assert screen.text == ["now", "1 of 3 runs ended before the interruption, each on record."]
    assert screen.cursor


def test_a_terminal_that_cannot_redraw_gets_lines_alone() -> None:
    child = Child(sweep_of_three, 80, "dumb")
    child.read_until("[1/3]")
    child.go_on()
    assert child.finish() == 0, child.output
    assert "\x1b" not in child.output.replace("\x1b[33m", "").replace("\x1b[0m", "")
    assert "running" not in child.output


def test_lines_to_a_file_stay_in_the_file_while_the_terminal_shows_the_state(tmp_path: Path) -> None:
    def redirected(pause: Pause) -> None:
        with (tmp_path / "out.txt").open("w") as file:
            sys.stdout = file
            sweep_of_three(pause)

    child = Child(redirected, 80, "xterm-256color")
    child.read_until("student 50%")
    child.go_on()
    assert child.finish() == 0, child.output
    assert (tmp_path / "out.txt").read_text().splitlines() == [SAID[0], *SAID[2:]]
    assert Terminal(child.output).text == ["Warning: something"]
