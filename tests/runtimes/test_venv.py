"""Runs in an environment of the submission's own: what its lock names, nothing else, offline, in the same sandbox."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.process import RUNTIME as PROCESS
from harness.runtimes.protocol import Job, Progress
from harness.runtimes.registry import runtimes
from harness.runtimes.venv import VenvRuntime

LOOK = """
import importlib.util, json, os, shutil, sys
found = {name: bool(importlib.util.find_spec(name)) for name in ("first_part", "pydantic", "numpy", "pip")}
found |= {"sdk": bool(importlib.util.find_spec("harness.sdk")), "python": shutil.which("python"), "prefix": sys.prefix}
with open(os.environ["HARNESS_OUTPUT"] + "/told.json", "w") as out:
    json.dump(found, out)
"""


@pytest.fixture
def runtime(tmp_path: Path) -> VenvRuntime:
    return VenvRuntime(cache=tmp_path / "environments")


@pytest.fixture
def locked_job(make_job: Callable[..., Job], write_wheel: Callable[..., Path]) -> Callable[..., Job]:
    """A job whose submission brings a lock file, and one wheel that it may name."""

    def make(code: str, *lines: str, run: dict[str, Any] | None = None, **limits: Any) -> Job:
        job = make_job(code, **limits)
        write_wheel(job.folder / "wheels", "first_part")
        text = "".join(f"{line}\n" for line in ("--no-index", "--find-links wheels", *lines))
        (job.folder / "requirements.lock").write_text(text)
        told = {"command": ["python", "main.py"], "requirements": "requirements.lock", **(run or {})}
        section = type(job.manifest.run).read(told, where="test")
        return replace(job, manifest=job.manifest.model_copy(update={"run": section}))

    return make


def test_it_is_one_of_the_runtimes():
    assert isinstance(runtimes()["venv"], VenvRuntime)


def test_a_run_sees_the_packages_of_its_lock_and_none_of_the_harness(runtime, locked_job):
    job = locked_job(LOOK, "first-part==1.0")
    outcome = runtime.run(job)
    assert outcome.status is RunStatus.OK, outcome.detail
    told = json.loads((job.output / "told.json").read_text())
    (folder,) = [marker.parent for marker in runtime.cache.glob("*/environment.json")]
    assert {name: told[name] for name in ("first_part", "pydantic", "numpy", "pip", "sdk")} == {
        "first_part": True, "pydantic": False, "numpy": False, "pip": False, "sdk": True,
    }  # fmt: skip
    assert (told["prefix"], told["python"]) == (str(folder), str(folder / "bin" / "python"))


def test_the_environment_is_built_at_the_first_run_alone(runtime, locked_job):
    said: list[Progress] = []
    job = locked_job("", "first-part==1.0")
    assert runtime.run(job, said.append).status is RunStatus.OK
    (first,) = said
    assert "building the environment of requirements.lock" in first.message
    assert runtime.run(job, said.append).status is RunStatus.OK
    assert said == [first]


def test_it_is_held_to_what_a_process_is_held_to(runtime, locked_job):
    outcome, plain = runtime.run(locked_job("")), PROCESS.run(locked_job(""))
    assert (outcome.isolation, outcome.granted) == (plain.isolation, plain.granted)
    assert runtime.offer() == PROCESS.offer()


def test_without_an_installer_it_does_not_work_and_says_so(runtime, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    offer = runtime.offer()
    assert not offer.works
    assert offer.reason == "no installer of Python packages is here: neither uv nor pip"
    assert "ensurepip" in offer.mend


def test_an_environment_that_cannot_be_built_is_not_the_models_fault_and_the_installer_speaks(
    runtime, locked_job
):
    job = locked_job("open('started', 'w')", "first-part==7.0")
    outcome = runtime.run(job)
    assert outcome.status is RunStatus.ENVIRONMENT
    assert "cannot be built" in outcome.detail
    assert "first-part==7.0" in outcome.detail
    assert "first-part==7.0" in job.log.read_text()
    assert not (job.folder / "started").exists()


def test_a_submission_without_a_lock_file_is_refused_with_the_line_to_write(runtime, locked_job):
    with pytest.raises(HarnessError, match="needs a lock file") as refused:
        runtime.run(locked_job("", run={"requirements": None}))
    assert "requirements.lock" in str(refused.value.expected)


def test_a_lock_that_leaves_a_choice_is_refused_before_anything_is_built(runtime, locked_job):
    with pytest.raises(HarnessError, match="leaves a choice"):
        runtime.run(locked_job("", "first-part>=1"))
    assert not runtime.cache.exists()


def test_the_command_line_is_known_before_the_environment_is_built(runtime, locked_job):
    run = {"command": None, "module": "main:predict"}
    argv = runtime.argv(locked_job("", run=run))
    assert argv[0].startswith(str(runtime.cache))
    assert argv[1:4] == ["-m", "harness.sdk", "main:predict"]
    assert not runtime.cache.exists()


def test_a_module_runs_with_numpy_alone_and_packages_of_its_own(
    runtime, locked_job, handmade_task, installed_wheel
):
    code = """
    import numpy
    from harness.sdk import Predictions
    from perturbfm.baseline import Baseline

    def predict(task):
        return Predictions(numpy.zeros((len(task.query), len(task.genes))))
    """
    run = {"command": None, "module": "main:predict", "packages": ["perturbfm"]}
    job = locked_job(code, *installed_wheel("numpy"), run=run)
    job = replace(job, task=handmade_task([("c0", "G1")], [("c0", "G2")], folder="asked"))
    outcome = runtime.run(job)
    assert outcome.status is RunStatus.OK, outcome.detail
    assert (job.output / "predictions.npz").exists()
