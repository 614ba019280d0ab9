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

    def __init__(self, bars: Progress, line: TaskID, of: str = "") -> None:
        self._bars, self._line = bars, line
        self._of = f"{of} · " if of else ""
        self._step = ""

    def step(self, name: str) -> None:
        """A step begins."""
        self._step = f"{self._of}{name}"
        self._bars.reset(self._line, description=self._step, total=None)

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


class PoolBars:
    """One bar for all runs, and a line for each that is being done."""

    def __init__(self, bars: Progress, overall: TaskID) -> None:
        self._bars, self._overall = bars, overall
        self._lines: dict[int, Steps] = {}
        self._ids: dict[int, TaskID] = {}

    def started(self, number: int, label: str) -> None:
        """A run begins."""
        self._ids[number] = self._bars.add_task(label[:LONGEST_LINE], total=None)
        self._lines[number] = Steps(self._bars, self._ids[number], label[:LONGEST_LINE])

    def step(self, number: int, name: str) -> None:
        """A step of a run begins."""
        self._lines[number].step(name)

    def within(self, number: int, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""
        self._lines[number].within(message, done, of)

    def ended(self, number: int) -> None:
        """A run has ended."""
        self._bars.remove_task(self._ids.pop(number))
        del self._lines[number]
        self._bars.advance(self._overall)


@contextmanager
def live_pool(what: str, runs: int) -> Iterator[PoolBars]:
    """A listener to many runs at one time."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

    with _bars(_text(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bars:
        yield PoolBars(bars, bars.add_task(what, total=runs))


def _text() -> ProgressColumn:
    from rich.progress import TextColumn

    return TextColumn("{task.description}", markup=False)


def _bars(*columns: ProgressColumn) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
