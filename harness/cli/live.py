"""A run as it goes on: its steps and the submission's own progress, on standard error, where a person is looking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class LiveSteps:
    """A line for the step at hand, with a bar where it tells how far it is."""

    def __init__(self, bar: Progress, line: TaskID) -> None:
        self._bar, self._line = bar, line
        self._step = ""

    def step(self, name: str) -> None:
        """A step begins."""
        self._step = name
        self._bar.reset(self._line, description=name, total=None)

    def within(self, message: str, done: float, of: float | None) -> None:
        """Progress within the step."""
        self._bar.update(self._line, description=f"{self._step} · {message}"[:100], completed=done, total=of)


@contextmanager
def live_steps() -> Iterator[LiveSteps]:
    """A listener that draws while the block runs and leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield LiveSteps(bar, bar.add_task("", total=None))
