"""The engines that runs and tests can need, by name, each looked at once per process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache

from harness.doctor.apptainer import probe_apptainer
from harness.doctor.bubblewrap import probe_bubblewrap
from harness.doctor.command import ask
from harness.doctor.engines import probe_docker, probe_podman
from harness.doctor.finding import Finding, broken
from harness.doctor.slurm import probe_slurm

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def probe_chromium() -> Finding:
    """A browser without a window, for pages that tests look at."""
    program = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if program is None:
        return broken("chromium", "`chromium` is not on PATH", "apt-get install chromium")
    version = ask([program, "--version"])
    if version.code:
        return broken("chromium", f"{program} --version: {version.last_words}", "apt-get install chromium")
    return Finding("chromium", True, version.out.strip(), {"program": program})


PROBES: dict[str, Callable[[], Finding]] = {
    "bwrap": probe_bubblewrap,
    "docker": probe_docker,
    "podman": probe_podman,
    "apptainer": probe_apptainer,
    "slurm": probe_slurm,
    "chromium": probe_chromium,
}


@cache
def finding(name: str) -> Finding:
    """What was found of one engine when it was first asked for."""
    return PROBES[name]()
