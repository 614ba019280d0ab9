"""SLURM's own commands, each with a time limit; what they refuse is said in their words, with the line that mends it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.contract.status import RunStatus
from harness.errors import HarnessError

PATIENCE_S = 60.0
NAMES_AT_ONCE = 200
GONE = "Invalid job id"
MENDS = (
    ("contact slurm controller", "is the controller up? Ask: scontrol ping"),
    ("Munge", "is munged running on this machine? Ask: munge -n"),
    (
        "configuration source",
        "set SLURM_CONF to the cluster's slurm.conf, or log in to a node of the cluster",
    ),
    ("gres", "ask for a resource that the cluster has (sinfo -o '%P %G'), with --gres"),
    ("partition", "choose a partition that exists (sinfo), with --partition"),
    ("account", "choose an account of yours (sacctmgr show assoc user=$USER), with --account"),
    ("time limit", "ask for less time with --time, or for another partition"),
    ("node configuration is not available", "no node has so much: ask for less with --mem, --cpus or --gres"),
)


class SchedulerError(HarnessError):
    """The scheduler refused, or does not answer."""

    code = RunStatus.ENVIRONMENT.exit_code


@dataclass(frozen=True)
class Element:
    """One element of an array that SLURM still knows as waiting or running."""

    name: str
    """Of the job."""
    job: str
    index: int | None
    state: str
    """As SLURM writes it: PENDING, RUNNING, COMPLETING, …"""
    reason: str


def check_usable() -> None:
    """Refuse where SLURM cannot be asked at all; a configuration that is missing makes its clients wait for a minute."""
    told = os.environ.get("SLURM_CONF")
    if told and not Path(told).is_file():
        raise SchedulerError(
            "SLURM is not configured here",
            where="SLURM_CONF",
            got=f"{told}, which is no file",
            mend="set SLURM_CONF to the cluster's slurm.conf",
        )
    if shutil.which("sbatch") is None:
        raise SchedulerError(
            "SLURM is not installed here",
            where="--on slurm",
            got="no sbatch on PATH",
            mend="run this on a login node of the cluster, or install slurm-client",
        )


def sbatch(script: Path, *, dependency: str | None = None) -> str:
    """Hand in a script; the number of its job."""
    words = ["sbatch", "--parsable"]
    if dependency is not None:
        words += [f"--dependency={dependency}", "--kill-on-invalid-dep=yes"]
    return _told([*words, str(script)], where=script).strip().partition(";")[0]


def waiting_and_running(names: Sequence[str]) -> list[Element]:
    """The elements of the jobs of these names that are not over; what SLURM does not know any more is not among them."""
    found = []
    for start in range(0, len(names), NAMES_AT_ONCE):
        chosen = ",".join(names[start : start + NAMES_AT_ONCE])
        words = ["squeue", "--noheader", "--array", f"--name={chosen}", "--format=%j|%F|%K|%T|%r"]
        found += [
            _element(line) for line in _told(words, where="squeue").splitlines() if line.count("|") >= 4
        ]
    return found


def scancel(jobs: Sequence[str]) -> None:
    """Cancel jobs or elements of arrays; those that are over already are no fault."""
    for start in range(0, len(jobs), NAMES_AT_ONCE):
        try:
            _told(["scancel", *jobs[start : start + NAMES_AT_ONCE]], where="scancel")
        except SchedulerError as refusal:
            if GONE not in str(refusal.got):
                raise


def endings(job: str, expected: int) -> dict[int, str]:
    """The final state of each element of an array by index, from accounting; empty where it cannot be believed.

    For seconds after an array has ended accounting may show it as one line, `COMPLETED`, although elements failed: only an
    answer with as many elements as the array has counts. Many clusters have no accounting at all.
    """
    words = ["sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={job}", "--format=JobID,State"]
    try:
        lines = _told(words, where="sacct").splitlines()
    except SchedulerError:
        return {}
    found = {}
    for line in lines:
        element, _, state = line.partition("|")
        index = element.partition("_")[2]
        if index.isdigit():
            found[int(index)] = state.partition(" ")[0]
    return found if len(found) == expected else {}


def largest_array() -> int:
    """How many elements one array may have on this cluster."""
    found = re.search(
        r"^MaxArraySize\s*=\s*(\d+)", _told(["scontrol", "show", "config"], where="scontrol"), re.M
    )
    return max(1, int(found.group(1)) - 1) if found else 1000


def _element(line: str) -> Element:
    name, job, index, state, reason = line.split("|", 4)
    return Element(name, job, int(index) if index.isdigit() else None, state, reason)


def _told(words: list[str], *, where: object) -> str:
    check_usable()
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise SchedulerError(
            "SLURM does not answer", where=where, got=f"nothing within {PATIENCE_S:.0f} s", mend=MENDS[0][1]
        ) from None
    except FileNotFoundError:
        raise SchedulerError(
            f"{words[0]} is not installed", where=where, mend="install slurm-client"
        ) from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-800:] or f"exit code {done.returncode}"
        raise SchedulerError(
            f"{words[0]} refused",
            where=where,
            got=said,
            mend=next((mend for sign, mend in MENDS if sign.lower() in said.lower()), None),
        )
    return done.stdout
