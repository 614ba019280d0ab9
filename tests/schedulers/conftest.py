"""A tiny real task and small real submissions."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.datasets.dataset import PerturbDataset
from harness.schedulers.submit import SubmitRequest
from harness.splits.create import create_split
from harness.splits.split import Split

ZEROS = """
import numpy as np
from harness.sdk import Predictions

def submission(task):
    return Predictions(np.zeros(task.query.X.shape, np.float32), np.ones(task.query.X.shape, np.float32))
"""


@pytest.fixture(scope="session")
def tiny(tiny_dataset: PerturbDataset) -> PerturbDataset:
    return tiny_dataset


@pytest.fixture(scope="session")
def tiny_split(tiny: PerturbDataset) -> Split:
    return create_split(tiny, "context_ood")


@pytest.fixture(scope="session")
def task_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture
def request_for(
    tmp_path: Path, tiny: PerturbDataset, tiny_split: Split, task_cache: Path
) -> Callable[..., SubmitRequest]:
    """A request to run a module submission that is written here."""

    def make(
        code: str = ZEROS,
        *,
        claims: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        time: str = "00:00:30",
        memory: str = "2G",
        **more: Any,
    ) -> SubmitRequest:
        folder = tmp_path / "small"
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(textwrap.dedent(code))
        lines = [
            'schema = 1\nname = "small"\nversion = "1"\ntitle = "small"\nauthors = ["a"]\nlicense = "MIT"',
            '[run]\nmodule = "main:submission"',
            "[params]",
            *(f"{key} = {json.dumps(value)}" for key, value in (params or {}).items()),
            "[claims]",
            *(f"{key} = {json.dumps(value)}" for key, value in (claims or {}).items()),
            f'[resources]\ncpus = 1\nmemory = "{memory}"\ntime = "{time}"',
        ]
        (folder / "submission.toml").write_text("\n".join(lines))
        given: dict[str, Any] = {
            "folder": folder,
            "dataset": tiny,
            "split": tiny_split,
            "runs": tmp_path / "runs",
            "task_cache": task_cache,
            "controls": False,
        }
        return SubmitRequest(**(given | more))

    return make
