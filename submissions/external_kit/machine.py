"""Where a fit runs, seeded: device, threads, and the folder for its checkpoint. Torch only where the wrapper brings it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np

from harness.sdk import SdkError, Task

DEVICES = ("auto", "cpu", "cuda")


def prepare(task: Task, device: str = "auto") -> str:
    """Seed Python, numpy and torch by the run's seed, cap the threads, and choose `cpu` or `cuda`.

    Once per process: these models keep state in globals and class attributes, so that one process makes one fit.
    """
    import torch

    if device not in DEVICES:
        raise SdkError(f"unknown device {device!r}; one of {', '.join(DEVICES)}")
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise SdkError('device is \'cuda\', and torch sees no GPU here; say device = "auto" or "cpu"')
    seed(task.seed)
    torch.manual_seed(task.seed)
    torch.set_num_threads(threads())
    return "cuda" if there and device != "cpu" else "cpu"


def seed(number: int) -> None:
    """Seed the generators of Python and numpy, which some packages draw from."""
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002  the packages that are wrapped draw from it


def threads() -> int:
    """How many threads the harness allows."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) > 0 else 1


def checkpoint(name: str) -> Path | None:
    """Where a checkpoint is kept with the run (`model/NAME`); None outside of a run."""
    output = os.environ.get("HARNESS_OUTPUT")
    if not output:
        return None
    folder = Path(output) / "model"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
