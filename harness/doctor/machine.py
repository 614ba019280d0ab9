"""The machine itself: cores, memory, disk, GPUs, and the programs that build environments."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from harness.doctor.command import NOT_FOUND, ask
from harness.doctor.finding import Finding, broken

GIB = 1 << 30
LITTLE_MEMORY = 4 * GIB
LITTLE_DISK = 5 * GIB


def probe_python() -> Finding:
    """The interpreter that runs `process` submissions."""
    return Finding("python", True, platform.python_version(), {"program": sys.executable})


def probe_installer() -> Finding:
    """What fills environments of the runtime `venv`."""
    from harness.errors import HarnessError
    from harness.runtimes.environments.installers import installers

    try:
        found = installers()
    except HarnessError as error:
        return broken("installer", f"{error.what}: {error.got}", str(error.mend))
    return Finding("installer", True, facts={"preferred": found[0].name, "program": found[0].argv[0]})


def probe_memory() -> Finding:
    """Memory that is free now, of what there is; a cgroup's limit counts where it is lower."""
    import psutil

    memory = psutil.virtual_memory()
    total = min([memory.total, *cgroup_limits()])
    free = min(memory.available, total)
    facts = {"free": gib(free), "total": gib(total)}
    if free < LITTLE_MEMORY:
        return broken(
            "memory",
            f"{gib(free)} are free, many submissions ask for {gib(LITTLE_MEMORY)} and more",
            "close programs, or run on a larger machine (--on slurm)",
            **facts,
        )
    return Finding("memory", True, facts=facts)


def cgroup_limits(root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What a container or a batch job around this process allows, where it says so."""
    limits = []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            told = (root / name).read_text().strip()
        except OSError:
            continue
        if told.isdigit():
            limits.append(int(told))
    return limits


def probe_disk(folders: dict[str, Path]) -> Finding:
    """Space where datasets, runs and temporary files go; the nearest existing folder counts."""
    facts, little = {}, []
    for name, folder in folders.items():
        place = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        free = shutil.disk_usage(place).free
        facts[name] = f"{gib(free)} free at {place}"
        if free < LITTLE_DISK:
            little.append(f"{gib(free)} at {place} ({name})")
    if little:
        return broken(
            "disk",
            f"little space: {', '.join(little)}",
            "free some space, or move the folder in harness.toml",
            **facts,
        )
    return Finding("disk", True, facts=facts)


def probe_gpu() -> Finding:
    """NVIDIA GPUs by their own tool."""
    told = ask(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
    mend = "only submissions with gpus in [resources] need one; on a cluster ask for it with --gres"
    if told.code == NOT_FOUND:
        return broken("gpu", "no NVIDIA driver here: nvidia-smi is not on PATH", mend)
    if told.code or not told.out.strip():
        return broken(
            "gpu", f"nvidia-smi: {told.last_words}", "install the driver that fits the kernel and restart"
        )
    names = [line.strip() for line in told.out.splitlines() if line.strip()]
    return Finding("gpu", True, names[0].rpartition(",")[2].strip(), {"gpus": "; ".join(names)})


def gib(n_bytes: int) -> str:
    """A size for the eye."""
    return f"{n_bytes / GIB:.1f} GiB"
