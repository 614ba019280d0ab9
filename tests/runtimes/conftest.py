"""Small real submissions: any program, started by the real runtime."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.manifest import Submission
from harness.runtimes.protocol import Job, Limits

MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A job that runs a few lines of Python as a `command` submission."""

    def make(code: str, *, params: dict[str, Any] | None = None, gpus: int = 0, **limits: Any) -> Job:
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(textwrap.dedent(code))
        (tmp_path / "task").mkdir(exist_ok=True)
        manifest = Submission.read(
            {
                "schema": 1,
                "name": "small",
                "version": "1",
                "title": "small",
                "authors": ["a"],
                "license": "MIT",
                "run": {"command": [sys.executable, "main.py"]},
                "resources": {"gpus": gpus},
            },
            where="test",
        )
        return Job(
            manifest=manifest,
            folder=folder,
            task=tmp_path / "task",
            output=tmp_path / "work" / "output",
            log=tmp_path / "log.txt",
            params=params or {},
            seed=7,
            limits=replace(Limits(seconds=30, grace_seconds=0.5), **limits),
        )

    return make
