"""A court for runtimes: tiny programs, real listeners, secrets on the host, and a look for what was left behind."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
import textwrap
import time
import uuid
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
        pytest.param(one, id=one.name, marks=_marks(one))
        for one in _backends().BACKENDS
        if not confined or one.gives.issuperset(OFFICIAL)
    ]


def _marks(backend: Any) -> list[Any]:
    names = [backend.marker] * (backend.marker is not None) + ["long"] * backend.long
    return [getattr(pytest.mark, name) for name in names]


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
TOKEN = json.loads(os.environ["HARNESS_PARAMS"])["token"]
def tell(value):
    with open(OUTPUT + "/told.json", "w") as out:
        json.dump(value, out)
def attempt(what):
    try:
        return ["done", str(what())[:200]]
    except BaseException as error:
        return ["refused", f"{type(error).__name__}: {error}"[:200]]
"""
"""Begins each program: TOKEN marks its processes, `tell` hands a value to the test, `attempt(f)` says whether f() is let."""

Run = Callable[..., Ran]


def program(folder: Path, code: str) -> Path:
    """A submission folder with one program."""
    submission = folder / "submission"
    submission.mkdir(exist_ok=True)
    (submission / "main.py").write_text(PREAMBLE + textwrap.dedent(code))
    return submission


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder as a project has it: a dataset store, a task with its sealed side, other runs, all with a secret in it.

    Its name has what engines may take for the end of a path (but a comma, which Podman refuses).
    """
    tmp_path = tmp_path / "ö :"
    for place in ("data/demo/truth.npy", "data/.tasks/t/sealed/labels.npy", "runs/other/predictions.npz"):
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        path.write_text("SECRET")
    public = tmp_path / "data/.tasks/t/public"
    public.mkdir()
    (public / "task.json").write_text('{"schema": 1}')
    (public / "private.txt").write_text("for the submission alone")
    return tmp_path


USUAL: dict[str, Any] = {
    "cpus": 1, "memory_bytes": 1 << 30, "seconds": 60.0, "output_bytes": 64 << 20, "tmp_bytes": 32 << 20,
    "grace_seconds": 0.5,
}  # fmt: skip
CARD = {"schema": 1, "name": "small", "version": "1", "title": "small", "authors": ["a"], "license": "MIT"}


def _runner(world: Path, backend: Any) -> Run:
    """Runs programs under a backend; each run must leave nothing behind and record what it was held to."""

    def run(code: str, *, command: tuple[str, ...] = ("python3", "main.py"), **limits: Any) -> Ran:
        token = f"token{uuid.uuid4().hex}"
        limits["seconds"] = limits.get("seconds", USUAL["seconds"]) * backend.slower
        steps = world / "runs" / ".steps" / token
        steps.mkdir(parents=True)
        job = Job(
            manifest=Submission.read({**CARD, "run": {"command": list(command)}}, where="test"),
            folder=program(world, code),
            task=world / "data/.tasks/t/public",
            output=steps / "output",
            log=steps / "log.txt",
            params={"token": token},
            seed=7,
            limits=replace(Limits(), **(USUAL | limits)),
        )
        held, mounts = backend.holds(), _mounts(steps)
        outcome = backend.runtime().run(backend.job(job))
        assert backend.holds() == held, "the engine holds something of the run still"
        assert _mounts(steps) == mounts, "a mount was left behind"
        assert _processes_of(token) == [], "a process was left behind"
        assert _groups_of_ours() == [], "a control group was left behind"
        assert {entry.name for entry in steps.iterdir()} <= {"output", "log.txt"}, "a file was left behind"
        assert outcome.isolation == backend.isolation
        assert backend.gives <= set(outcome.granted), outcome.missing
        return Ran(outcome, job)

    return run


def _processes_of(token: str) -> list[int]:
    """Living processes with a token in their environment or command line; the dead may take a moment to be buried."""
    until = time.monotonic() + 5
    while True:
        found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _bears(pid, token)]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.05)


def _bears(pid: int, token: str) -> bool:
    for file in ("environ", "cmdline"):
        with contextlib.suppress(OSError):
            if token.encode() in Path(f"/proc/{pid}/{file}").read_bytes():
                return True
    return False


def _mounts(steps: Path) -> list[str]:
    """What is mounted from or on the folders of a run."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(steps) in line]


def _groups_of_ours() -> list[str]:
    """Control groups that this process made for a run."""
    ours = f"harness-run-{os.getpid()}-"
    places = os.walk("/sys/fs/cgroup")  # those of others come and go meanwhile, which it bears
    return [
        os.path.join(place, name) for place, names, _ in places for name in names if name.startswith(ours)
    ]


@pytest.fixture(params=_params(confined=False))
def run(request: pytest.FixtureRequest, world: Path) -> Run:
    """Run a few lines of Python as a submission under each runtime: `run(code, seconds=…)`."""
    return _runner(world, request.param)


@pytest.fixture(params=_params(confined=True))
def confined(request: pytest.FixtureRequest, world: Path) -> Run:
    """The same under each runtime that gives everything an official run needs."""
    return _runner(world, request.param)
