"""The real command line in a project folder of its own."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.datasets.dataset import PerturbDataset
from harness.splits.create import create_split
from harness.splits.store import SplitStore

MANIFEST = """
schema = 1
name = "{name}"
version = "1.0"
title = "Zeros"
authors = ["a"]
license = "MIT"
[run]
module = "main:submission"
[params]
level = 0.0
label = "plain"
[variants.high]
level = 1.0
[resources]
cpus = 1
memory = "2G"
time = "00:00:30"
"""
CODE = """
import numpy as np
from harness.sdk import Predictions

def submission(task):
    mean = np.full(task.query.X.shape, task.params["level"], np.float32)
    return Predictions(mean, np.ones(task.query.X.shape, np.float32))
"""


@pytest.fixture
def project(tmp_path: Path, tiny_dataset: PerturbDataset) -> Path:
    """A project folder with the dataset `tiny`, its split `context_ood`, and a submission `zeros`."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "tiny").symlink_to(tiny_dataset.path)
    SplitStore(folder / "splits").save(create_split(tiny_dataset, "context_ood"))
    zeros = folder / "submissions" / "zeros"
    zeros.mkdir(parents=True)
    (zeros / "submission.toml").write_text(MANIFEST.format(name="zeros"))
    (zeros / "main.py").write_text(CODE)
    (folder / "harness.toml").write_text('task = "tiny:context_ood"\n')
    return folder


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_harness(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run `harness …` in the project, in this process; a run has controls only where the test says `--controls`."""

    def run(*words: str, **environment: str) -> Done:
        if words[:1] == ("submit",) and "--controls" not in words:
            words = (*words, "--no-controls")
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in os.environ:
                if name.startswith(("HARNESS_", "PERTURBFM_", "_HARNESS")):
                    patch.delenv(name)
            for name, value in ({"COLUMNS": "200"} | environment).items():
                patch.setenv(name, value)
            patch.chdir(project)
            patch.setattr(sys, "argv", ["harness", *words])
            with pytest.raises(SystemExit) as ended:
                main()
        return Done(ended.value.code or 0, out.getvalue(), err.getvalue())

    return run
