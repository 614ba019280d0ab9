"""The hardened options of Apptainer, all of them in one list."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.runtimes.containers.layout import Bind, user_inside
from harness.runtimes.protocol import Limits

CLIENT_VARIABLES = (
    "PATH",
    "LANG",
    "APPTAINER_CACHEDIR",
    "APPTAINER_TMPDIR",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
"""What the client itself is told. Its other variables would change the options below behind our back."""
INSIDE = "APPTAINERENV_"
PRIVATE_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
ENTRY = 'command -v "$1" >/dev/null || { echo "FATAL: $1: command not found" >&2; exit 255; }; export HOME=/tmp; exec "$@"'
"""Apptainer sets HOME by itself and takes no other."""
MOUNT_PRIVATE = 'mount -t tmpfs -o "size=$1,mode=1777,nosuid,nodev" tmpfs "$2" && shift 2 && exec "$@"'


def hardened(binds: Sequence[Bind], workdir: str | None, *, gpus: int = 0) -> list[str]:
    """Everything between `apptainer exec` and the image."""
    uid, gid = user_inside()
    options = [
        "--containall",  # nothing of the host's file systems, its own processes and its own /dev
        "--cleanenv",
        "--no-home",
        "--no-eval",
        *("--net", "--network", "none"),
        "--no-privs",
    ]
    if os.geteuid() == 0:
        options += ["--security", f"uid:{uid}", "--security", f"gid:{gid}"]
    for bind in binds:
        options += ["--mount", mount(bind)]
    if workdir is not None:
        options += ["--pwd", workdir]
    if gpus:
        options.append("--nv")
    return options


def mount(bind: Bind) -> str:
    """A mount in the form that bears commas and colons in paths."""
    fields = ["type=bind", f"source={bind.source}", f"destination={bind.target}"]
    if not bind.writable:
        fields.append("ro")
    return ",".join('"' + one.replace('"', '""') + '"' for one in fields)


def limit_flags(limits: Limits) -> list[str]:
    """Its own flags for limits, for where the harness can make no control group itself."""
    memory = str(limits.memory_bytes)
    return [
        *("--memory", memory, "--memory-swap", memory),
        *("--cpus", str(limits.cpus), "--pids-limit", str(limits.pids)),
    ]


def with_private_tmp(argv: list[str], folder: Path, size: int) -> list[str]:
    """The command in a mount namespace of its own, in which `folder` is a file system of limited size in memory."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return argv
    shell = ["/bin/sh", "-c", MOUNT_PRIVATE, "sh", str(size), str(folder)]
    return [unshare, "--mount", "--propagation", "private", "--", *shell, *argv]


def can_mount() -> bool:
    """Whether the harness may mount a file system for a run."""
    return os.geteuid() == 0 and shutil.which("unshare") is not None


def client_environment(inside: Mapping[str, str]) -> dict[str, str]:
    """What the client is started with; what the payload is to see goes through it under a prefix."""
    own = {name: os.environ[name] for name in CLIENT_VARIABLES if name in os.environ}
    own["HOME"] = os.path.expanduser("~")
    return own | {INSIDE + name: value for name, value in inside.items() if name != "HOME"}
