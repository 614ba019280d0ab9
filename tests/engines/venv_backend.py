"""The runtime `venv` under the suite: a lock file that names numpy, installed from a wheel made of the one that is here."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from harness.runtimes.protocol import Job
from harness.runtimes.venv import VenvRuntime


@cache
def place() -> Path:
    """A folder for wheels and environments, for as long as the tests last."""
    folder = Path(tempfile.mkdtemp(prefix="venv-backend-"))
    folder.chmod(0o755)  # runs are a user of their own
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def lock() -> str:
    """The lock file of every job."""
    path = Path(__file__).with_name("wheel_of.py")
    spec = importlib.util.spec_from_file_location("wheel_of", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return f"--no-index\n--find-links {place() / 'wheels'}\n{module.wheel_of('numpy', place() / 'wheels')}\n"


def runtime() -> VenvRuntime:
    """The runtime with a cache of its own."""
    return VenvRuntime(cache=place() / "environments")


def locked(job: Job) -> Job:
    """The job with the lock file in its submission."""
    (job.folder / "requirements.lock").write_text(lock())
    run = job.manifest.run.model_copy(update={"requirements": "requirements.lock"})
    return replace(job, manifest=job.manifest.model_copy(update={"run": run}))
