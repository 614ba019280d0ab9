"""Rules for Landlock, the kernel's list of places that a process and its children may open; the second layer.

It needs no right and no program, but it hides only content: names and sizes stay visible, and so do sockets of the network
that are not TCP. Inside bubblewrap it repeats what the mounts say; without a sandbox it is all that keeps files apart.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import harness
from harness.runtimes.sandbox.view import OUTPUT, SDK_FILES, SYSTEM_LINKS, View

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
IDENTITY_FILES = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf")
SHARED_MEMORY = "/dev/shm"  # noqa: S108
Rules = Mapping[str, Sequence[str] | bool]


@cache
def landlock_version() -> int:
    """The version of Landlock that this kernel speaks; 0 where it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    told = ctypes.CDLL(None, use_errno=True).syscall(444, None, ctypes.c_size_t(0), 1)
    return max(int(told), 0)


def rules_inside() -> Rules:
    """In a root of its own: read everything that exists, write the output and the temporary places."""
    return {
        "read": ["/"],
        "write": [OUTPUT, "/tmp", SHARED_MEMORY],  # noqa: S108
        "devices": ["/dev", "/proc"],
        "list": [],
        "alone": False,
    }


def rules_outside(view: View, output: Path, scratch: Path) -> Rules:
    """On this machine as it is: open what a sandbox would show, and nothing else."""
    package = Path(harness.__file__).parent
    seen = [str(bind.source) for bind in view.read_only]
    system = [f"/{name}" for name in SYSTEM_LINKS]
    return {
        "read": [*seen, *system, *IDENTITY_FILES, "/proc", *(str(package / file) for file in SDK_FILES)],
        "write": [str(output), str(scratch), SHARED_MEMORY],
        "devices": [*DEVICES, *view.devices],
        "list": [str(package)],
        "alone": True,
    }
