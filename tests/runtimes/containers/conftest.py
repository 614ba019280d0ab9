"""Jobs for container runtimes: a few lines of Python in the base image."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.manifest import Submission
from harness.runtimes.containers.images import base_image
from harness.runtimes.containers.sif import Sif, find_sif, sif_from_engines
from harness.runtimes.protocol import Job, Limits

CARD = {"schema": 1, "name": "small", "version": "1", "title": "small", "authors": ["a"], "license": "MIT"}


@pytest.fixture
def container_job(tmp_path: Path) -> Callable[..., Job]:
    """A job that runs `main.py` of a submission folder: `container_job("print(1)", pids=20)`."""

    def make(code: str, *, run: dict[str, Any] | None = None, gpus: int = 0, **limits: Any) -> Job:
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(textwrap.dedent(code))
        (tmp_path / "task").mkdir(exist_ok=True)
        (tmp_path / "task" / "inside.txt").write_text("of the task")
        run = run or {"command": ["python3", "main.py"]}
        return Job(
            manifest=Submission.read({**CARD, "run": run, "resources": {"gpus": gpus}}, where="test"),
            folder=folder,
            task=tmp_path / "task",
            output=tmp_path / "work" / "output",
            log=tmp_path / "log.txt",
            params={"a": 1},
            seed=7,
            limits=replace(Limits(cpus=1, memory_bytes=1 << 30, seconds=60, grace_seconds=0.5), **limits),
        )

    return make


@pytest.fixture
def base_sif() -> Sif:
    """The base image as a file; made once per project from the image of an engine."""
    found = find_sif(base_image()) or sif_from_engines(base_image())
    if found is None:
        pytest.skip(f"there is no image file of {base_image()}, and no engine holds that image")
    return found
