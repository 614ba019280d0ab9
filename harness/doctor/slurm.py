"""SLURM: client, configuration, controller, a node that takes jobs, accounting."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from harness.doctor.command import ask
from harness.doctor.engines import nobody_at
from harness.doctor.finding import Finding, broken

DEFAULT_MUNGE = "/run/munge/munge.socket.2"
DEFAULT_CONF = "/etc/slurm/slurm.conf"
ASK = "ask the cluster's administrator"
READY = ("idle", "mixed", "allocated", "completing")


def probe_slurm() -> Finding:
    """Client, configuration file, controller and nodes, in this order: a client without configuration hangs for a minute."""
    if shutil.which("sbatch") is None:
        return broken(
            "slurm", "`sbatch` is not on PATH", "work on a login node of a cluster, or install slurm-client"
        )
    conf = os.environ.get("SLURM_CONF") or DEFAULT_CONF
    if not Path(conf).is_file():
        return broken(
            "slurm",
            f"the client has no configuration: {conf} does not exist",
            "set SLURM_CONF to the cluster's slurm.conf",
        )
    version = ask(["sbatch", "--version"]).out.strip().removeprefix("slurm ").removeprefix("slurm-wlm ")
    silence = munge_silence(Path(conf))
    if silence:  # asked first: with a socket that nobody serves the clients hang
        return broken("slurm", silence, f"start munged on this machine, or {ASK}", version)
    ping = ask(["scontrol", "ping"])
    munge = next((line.strip() for line in ping.err.splitlines() if "munge" in line.lower()), None)
    if munge is not None:
        return broken("slurm", munge, f"start munged on this machine, or {ASK}", version)
    if ping.code or " UP" not in ping.out:
        said = next((line for line in ping.out.splitlines() if "DOWN" in line), ping.last_words)
        return broken("slurm", f"slurmctld does not answer: {said}", f"start slurmctld, or {ASK}", version)
    nodes = ask(["sinfo", "--noheader", "--format=%P|%a|%T|%G|%l"])
    if nodes.code:
        return broken("slurm", f"sinfo: {nodes.last_words}", ASK, version)
    partitions = [line.split("|") for line in nodes.out.splitlines() if line.count("|") == 4]
    ready = [cells for cells in partitions if cells[1] == "up" and cells[2].rstrip("*") in READY]
    if not ready:
        states = ", ".join(sorted({f"{cells[0]} {cells[2]}" for cells in partitions})) or "no partition"
        return broken(
            "slurm",
            f"no node takes jobs: {states}",
            f"scontrol update nodename=… state=resume, or {ASK}",
            version,
        )
    sacct = ask(["sacct", "--noheader", "--allocations", "--starttime=now-1minutes"])
    return Finding(
        "slurm",
        True,
        version,
        {
            "partitions": ", ".join(sorted({cells[0].rstrip("*") for cells in ready})),
            "gres": ", ".join(sorted({cells[3] for cells in ready} - {"(null)"})) or "none",
            "accounting": "sacct answers" if sacct.code == 0 else f"none ({sacct.last_words})",
        },
    )


def munge_silence(conf: Path) -> str:
    """Why nobody can be reached at the socket of munged; nothing where somebody listens or the place is not known."""
    told = re.search(r"(?mi)^\s*AuthInfo\s*=.*?socket=([^,\s]+)", conf.read_text(errors="replace"))
    address = told[1] if told else DEFAULT_MUNGE
    if told is None and not Path(address).exists():
        return ""
    silence = nobody_at(f"unix://{address}")
    return f"munged does not answer at {address}: {silence}" if silence else ""
