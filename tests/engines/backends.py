"""The runtimes that the contract suite is run over. To put another one under it, add a line to BACKENDS."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from harness.runtimes.protocol import Guarantee, IsolationLevel, Job, Runtime
from harness.runtimes.registry import runtimes


def nothing() -> frozenset[str]:
    """What an engine without a memory of its own holds."""
    return frozenset()


def as_it_is(job: Job) -> Job:
    """The job that the suite makes: a `command` submission `python3 main.py` with numpy, and the harness's SDK."""
    return job


@dataclass(frozen=True)
class Backend:
    """One runtime under the suite."""

    name: str
    runtime: Callable[[], Runtime]
    marker: str | None
    """The engine's marker: a machine without it skips, or fails where it is required."""
    isolation: IsolationLevel
    """The level that its runs record."""
    gives: frozenset[Guarantee] = frozenset(Guarantee)
    """The guarantees that its runs must be granted; the attacks of a guarantee are tried on those that give it."""
    job: Callable[[Job], Job] = as_it_is
    """Whatever has to be changed in a job so that this runtime can run it (an image, an environment, …)."""
    holds: Callable[[], frozenset[str]] = nothing
    """Names of what the engine holds (containers, instances, jobs of ours); the same before and after each case."""
    long: bool = False
    """Whether its cases are left to `make test-long`."""
    slower: float = 1.0
    """Factor on the time limits of cases that wait, for engines that start slowly."""


def containers(name: str) -> Callable[[], frozenset[str]]:
    """The containers of ours that an engine holds, running or not."""

    def held() -> frozenset[str]:
        from harness.runtimes.containers.engine import find_engine
        from harness.runtimes.containers.leftovers import OWNER

        with find_engine(name).client() as client:  # type: ignore[arg-type]
            found = client.containers(all=True, filters={"label": OWNER})
        return frozenset(one["Id"] for one in found if one["Labels"][OWNER].split("~")[1] == str(os.getpid()))

    return held


def engine(name: str) -> Backend:
    """A Docker-like engine."""
    return Backend(name, lambda: runtimes()[name], name, "container", holds=containers(name))


def beside(name: str) -> ModuleType:
    """A module of this folder; test folders are no packages."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def venv() -> Backend:
    """An environment built from a lock file."""
    module = beside("venv_backend")
    return Backend("venv", module.runtime, "bwrap", "sandbox", job=module.locked)


def on_slurm(inner: str, isolation: IsolationLevel) -> Backend:
    """A runtime inside a job of SLURM; `long`, since each case waits for a job."""
    module = beside("slurm_backend")
    return Backend(f"slurm-{inner}", lambda: module.InSlurm(inner), "slurm", isolation, slower=2.0, long=True)


BACKENDS = (
    Backend("process", lambda: runtimes()["process"], "bwrap", "sandbox"),
    venv(),
    engine("docker"),
    engine("podman"),
    Backend("apptainer", lambda: runtimes()["apptainer"], "apptainer", "container"),
    on_slurm("process", "sandbox"),
    on_slurm("apptainer", "container"),
)
