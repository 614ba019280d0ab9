"""A court for runtimes: tiny programs, real listeners, secrets on the host, and a look for what was left behind."""

from __future__ import annotations

import importlib.util
import json
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.contract.manifest import Submission
from harness.runtimes.protocol import OFFICIAL, Job, Limits, Outcome


def _backends() -> ModuleType:
    """The list beside this file; test folders are no packages."""
    name = "engines_backends"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("backends.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def _params(*, confined: bool) -> list[Any]:
    return [
        pytest.param(one, id=one.name, marks=[getattr(pytest.mark, one.marker)] if one.marker else [])
        for one in _backends().BACKENDS
        if not confined or one.gives.issuperset(OFFICIAL)
    ]


@dataclass(frozen=True)
class Ran:
    """A program's end, and what it left."""

    outcome: Outcome
    job: Job

    @property
    def told(self) -> Any:
        """What it wrote to `told.json`."""
        return json.loads((self.job.output / "told.json").read_text())

    @property
    def log(self) -> str:
        return self.job.log.read_text(errors="replace")


PREAMBLE = """
import json, os, sys, time
TASK, OUTPUT = os.environ["HARNESS_TASK"], os.environ["HARNESS_OUTPUT"]
def tell(value):
    with open(OUTPUT + "/told.json", "w") as out:
        json.dump(value, out)
def attempt(what):
    try:
        return ["done", repr(what())[:200]]
    except BaseException as error:
        return ["refused", f"{type(error).__name__}: {error}"[:200]]
"""
"""Begins each program: `tell(value)` hands a value to the test, `attempt(f)` says whether f() could be done."""

Run = Callable[..., Ran]


def program(folder: Path, code: str) -> Path:
    """A submission folder with one program."""
    submission = folder / "submission"
    submission.mkdir(exist_ok=True)
    (submission / "main.py").write_text(PREAMBLE + textwrap.dedent(code))
    return submission


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder as a project has it: a dataset store, a task with its sealed side, other runs, all with a secret in it."""
    for place in ("data/demo/truth.npy", "data/.tasks/t/sealed/labels.npy", "runs/other/predictions.npz"):
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        path.write_text("SECRET")
    public = tmp_path / "data/.tasks/t/public"
    public.mkdir()
    (public / "task.json").write_text('{"schema": 1}')
    (public / "private.txt").write_text("for the submission alone")
    return tmp_path


def _runner(world: Path, backend: Any) -> Run:
    def run(code: str, *, params: dict[str, Any] | None = None, **limits: Any) -> Ran:
        run_section = {"command": ["python3", "main.py"]}
        card = {
            "schema": 1,
            "name": "small",
            "version": "1",
            "title": "small",
            "authors": ["a"],
            "license": "MIT",
        }
        usual = {
            "cpus": 1,
            "memory_bytes": 1 << 30,
            "seconds": 60.0,
            "output_bytes": 64 << 20,
            "grace_seconds": 0.5,
        }
        limits["seconds"] = limits.get("seconds", usual["seconds"]) * backend.slower
        steps = world / "runs" / ".steps" / "one"
        steps.mkdir(parents=True, exist_ok=True)
        job = Job(
            manifest=Submission.read({**card, "run": run_section}, where="test"),
            folder=program(world, code),
            task=world / "data/.tasks/t/public",
            output=steps / "output",
            log=steps / "log.txt",
            params=params or {},
            seed=7,
            limits=replace(Limits(), **(usual | limits)),
        )
        job = backend.job(job)
        before = backend.holds()
        outcome = backend.runtime().run(job)
        assert backend.holds() == before, "the engine holds something of the run still"
        return Ran(outcome, job)

    return run


@pytest.fixture(params=_params(confined=False))
def run(request: pytest.FixtureRequest, world: Path) -> Run:
    """Run a few lines of Python as a submission under each runtime: `run(code, seconds=…)`."""
    return _runner(world, request.param)


@pytest.fixture(params=_params(confined=True))
def confined(request: pytest.FixtureRequest, world: Path) -> Run:
    """The same under each runtime that gives everything an official run needs."""
    return _runner(world, request.param)
