"""A training in a process of its own that is killed with signal 9, wherever it is, and started again."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Sequence

import torch

Work = Callable[[Callable[[int], None]], str]
"""Trains, telling each step, and returns what is to be compared."""


def until_done(work: Work, kills: Sequence[int]) -> tuple[str, list[int]]:
    """Do the work once for each kill, ended when it tells that step or a later one, then to the end.

    Returns what the last one said, and the first step that each one told. The child is a fork: torch is there already.
    """
    first = []
    for kill in kills:
        said = child(work, kill)
        first.append(int(said[0]))
    said = child(work, None)
    return said[-1], [*first, int(said[0])]


def child(work: Work, kill: int | None) -> list[str]:
    """The lines of one child, which is killed once it tells a step."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    lines = []
    with os.fdopen(reading) as handle:
        for line in handle:
            lines.append(line.strip())
            if kill is not None and line.strip().isdigit() and int(line) >= kill:
                os.kill(pid, signal.SIGKILL)
                break
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == (0 if kill is None else -signal.SIGKILL), lines
    return lines


def _work(work: Work, writing: int) -> None:
    status = 1
    try:
        torch.set_num_threads(1)  # threads of the parent do not live on in a fork
        os.write(writing, f"{work(lambda step: _tell(writing, str(step)))}\n".encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _tell(writing: int, text: str) -> None:
    os.write(writing, f"{text}\n".encode())
