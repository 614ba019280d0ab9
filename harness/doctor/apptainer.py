"""Apptainer, or Singularity under its old name."""

from __future__ import annotations

import shutil

from harness.doctor.command import ask
from harness.doctor.finding import Finding, broken

INSTALL = "install Apptainer from https://apptainer.org, or load its module on a cluster"


def probe_apptainer() -> Finding:
    """Whether the program starts and finds its own configuration."""
    program = shutil.which("apptainer") or shutil.which("singularity")
    if program is None:
        return broken("apptainer", "neither `apptainer` nor `singularity` is on PATH", INSTALL)
    version = ask([program, "version"])
    if version.code:
        return broken("apptainer", f"{program} version: {version.last_words}", INSTALL)
    return Finding("apptainer", True, version.out.strip(), {"program": program})
