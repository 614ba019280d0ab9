"""The hardened options of a container, all of them in one list; the same for Docker and for Podman."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.runtimes.containers.layout import Bind, user_inside
from harness.runtimes.protocol import Limits

TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  Podman makes the second one writable without limit
CPU_PERIOD = 100_000
"""Microseconds."""
MAX_OPEN_FILES = 16_384
MAX_USER_PROCESSES = 4_096
"""Of one user on the whole host; a single run is held by the limit on its own processes."""


@dataclass(frozen=True)
class Spec:
    """One container: what is started in which image, with what of the host inside, under which limits."""

    image: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    binds: Sequence[Bind]
    limits: Limits
    workdir: str | None = None
    entrypoint: Sequence[str] | None = None
    """Stands before `argv` instead of the command of the image."""
    gpus: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    seccomp: str | None = None
    """Docker takes a filter itself, Podman the path of one; without any the engine's own holds."""
    user: tuple[int, int] = field(default_factory=user_inside)
    volumes: Sequence[str] = ()
    """Places that the image wants to write to: in memory and of limited size, like `/tmp`."""


def host_config(spec: Spec) -> dict[str, Any]:
    """How the host holds the container."""
    from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

    limits = spec.limits
    open_files = min(_own_hard_limit(resource.RLIMIT_NOFILE), MAX_OPEN_FILES)
    processes = min(_own_hard_limit(resource.RLIMIT_NPROC), MAX_USER_PROCESSES)
    options: dict[str, Any] = {
        # no network of any kind; Podman would make a bridge on the host if this were left out
        "network_mode": "none",
        "ipc_mode": "private",
        # the image cannot be written to, nor can anything of the host but the output folder
        "read_only": True,
        "mounts": [
            Mount(bind.target, str(bind.source), type="bind", read_only=not bind.writable)
            for bind in spec.binds
        ],
        "tmpfs": dict.fromkeys(
            (*TEMPORARY, *spec.volumes), f"rw,nosuid,nodev,size={limits.tmp_bytes},mode=1777"
        ),
        "shm_size": min(limits.tmp_bytes, limits.memory_bytes),
        # no rights: no capability, none to be gained by setuid programs, a filter of system calls
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", *([f"seccomp={spec.seccomp}"] if spec.seccomp else [])],
        "privileged": False,
        # limits; without swap the limit on memory is what it says
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        # as a share of time: a number of processors is refused where the machine has fewer
        "cpu_period": CPU_PERIOD,
        "cpu_quota": int(limits.cpus * CPU_PERIOD),
        "pids_limit": limits.pids,
        # to name one is to drop Podman's defaults of the others, so all are named
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=limits.output_bytes, hard=limits.output_bytes),
            Ulimit(name="nofile", soft=open_files, hard=open_files),
            Ulimit(name="nproc", soft=processes, hard=processes),
        ],
        # process 1 ignores signals that it does not handle; with an init the payload is an ordinary process
        "init": True,
        # the log goes to the harness, which bounds it; the engine keeps none on its disk
        "log_config": LogConfig(type="none"),
        "restart_policy": {"Name": "no"},
    }
    if spec.gpus:
        options["device_requests"] = [DeviceRequest(count=spec.gpus, capabilities=[["gpu"]])]
    return options


def container_config(spec: Spec) -> dict[str, Any]:
    """What runs in the container, as whom."""
    uid, gid = spec.user
    config: dict[str, Any] = {
        "command": list(spec.argv),
        "environment": dict(spec.environment),
        "user": f"{uid}:{gid}",
        "labels": dict(spec.labels),
        "hostname": "submission",
        "stdin_open": False,
        "tty": False,
    }
    if spec.workdir is not None:
        config["working_dir"] = spec.workdir
    if spec.entrypoint is not None:
        config["entrypoint"] = list(spec.entrypoint)
    return config


def _own_hard_limit(which: int) -> int:
    """What this process may give: an engine without more rights than it cannot give more either."""
    _, hard = resource.getrlimit(which)
    return 1 << 30 if hard == resource.RLIM_INFINITY else hard
