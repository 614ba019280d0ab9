"""Everything that runs can need, looked at side by side."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.doctor.bubblewrap import probe_bubblewrap
from harness.doctor.finding import Finding
from harness.doctor.isolation import probe_runtime
from harness.doctor.machine import probe_disk, probe_gpu, probe_installer, probe_memory, probe_python
from harness.doctor.queues import probe_local, probe_queue
from harness.errors import UnknownNameError
from harness.runtimes.registry import runtimes
from harness.settings import Settings

KINDS = ("runtime", "scheduler", "tool", "machine")


@dataclass(frozen=True)
class Check:
    """One thing to look at."""

    kind: str
    name: str
    probe: Callable[[], Finding]


@dataclass(frozen=True)
class Checked:
    """What was found of it, and how long that took."""

    kind: str
    finding: Finding
    seconds: float


def checks(settings: Settings) -> list[Check]:
    """All that can be looked at, in reading order."""
    folders = {"data": settings.data, "runs": settings.runs, "temporary": Path(tempfile.gettempdir())}
    return [
        *(Check("runtime", name, partial(probe_runtime, name)) for name in in_order(runtimes())),
        Check("scheduler", "local", probe_local),
        Check("scheduler", "slurm", probe_queue),
        Check("tool", "bwrap", probe_bubblewrap),
        Check("tool", "installer", probe_installer),
        Check("machine", "python", probe_python),
        Check("machine", "memory", probe_memory),
        Check("machine", "disk", partial(probe_disk, folders)),
        Check("machine", "gpu", probe_gpu),
    ]


def in_order(found: Mapping[str, object]) -> list[str]:
    """The harness's own runtimes from light to heavy, then those of plugins."""
    own = [name for name in ("process", "venv", "docker", "podman", "apptainer") if name in found]
    return own + sorted(set(found) - set(own))


def checkup(settings: Settings, names: list[str] | None = None) -> list[Checked]:
    """Look at everything, or at what is named."""
    known = checks(settings)
    for name in names or ():
        if name not in {check.name for check in known}:
            raise UnknownNameError("thing to check", name, {check.name for check in known})
    wanted = [check for check in known if not names or check.name in names]
    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(_look, wanted))


def _look(check: Check) -> Checked:
    begin = time.monotonic()
    found = check.probe()
    return Checked(check.kind, found, round(time.monotonic() - begin, 2))


def can_run(found: list[Checked]) -> bool:
    """Whether there is a way to run anything: a runtime and a scheduler."""
    working = {each.kind for each in found if each.finding.works}
    return {"runtime", "scheduler"} <= working
