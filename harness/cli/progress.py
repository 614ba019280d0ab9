"""Progress of long work on standard error, only where a person is looking; nothing of it stays behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

Report = Callable[[int, int], None]
"""Told (done so far, how much in all)."""
LONGEST_LINE = 100


class Steps:
    """A line for the step at hand, with a bar where it tells how far it is."""

    def __init__(self, bars: Progress, line: TaskID) -> None:
        self._bars, self._line = bars, line
        self._step = ""

    def step(self, name: str) -> None:
        """A step begins."""
        self._step = name
        self._bars.reset(self._line, description=name, total=None)

    def within(self, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""
        text = f"{self._step} · {message}"[:LONGEST_LINE]
        self._bars.update(self._line, description=text, completed=done, total=of)


@contextmanager
def progress_bar(what: str, *, in_bytes: bool = False) -> Iterator[Report]:
    """A callback that moves one bar, for work of one step."""
    from rich.progress import BarColumn, DownloadColumn, TaskProgressColumn, TimeRemainingColumn

    amount = DownloadColumn() if in_bytes else TaskProgressColumn()
    with _bars(_text(), BarColumn(), amount, TimeRemainingColumn()) as bars:
        line = bars.add_task(what, total=None)
        yield lambda done, of: bars.update(line, completed=done, total=of)


@contextmanager
def live_steps() -> Iterator[Steps]:
    """A listener to work of several steps, such as a run."""
    from rich.progress import BarColumn, SpinnerColumn, TimeElapsedColumn

    with _bars(SpinnerColumn(), _text(), BarColumn(), TimeElapsedColumn()) as bars:
        yield Steps(bars, bars.add_task("", total=None))


def _text() -> ProgressColumn:
    from rich.progress import TextColumn

    return TextColumn("{task.description}", markup=False)


def _bars(*columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
