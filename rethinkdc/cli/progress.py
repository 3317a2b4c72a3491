"""Progress bars for long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bars:
    """One bar per task on stderr; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Progress | None = None

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """See :class:`rethinkdc.types.Progress`."""
        if not self._console.is_terminal:
            yield lambda _: None
            return
        if self._bars is not None:
            yield from self._shown(self._bars, description, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            self._bars = bars
            try:
                yield from self._shown(bars, description, total)
            finally:
                self._bars = None

    def _shown(self, bars: Progress, description: str, total: int) -> Iterator[Callable[[int], None]]:
        task = bars.add_task(description, total=total)
        try:
            yield lambda done: bars.advance(task, done)
        finally:
            bars.remove_task(task)
