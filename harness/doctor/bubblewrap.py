"""bubblewrap: a sandbox without a daemon."""

from __future__ import annotations

import os
import shutil

from harness.doctor.command import ask
from harness.doctor.finding import Finding, broken

INSTALL = "apt-get install bubblewrap, or your system's package of that name"
USER_NAMESPACES = "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, or ask the administrator"


def probe_bubblewrap() -> Finding:
    """Start a program in a sandbox of its own and look whether the network is gone."""
    program = shutil.which("bwrap")
    if program is None:
        return broken("bwrap", "`bwrap` is not on PATH", INSTALL)
    version = ask([program, "--version"])
    if version.code:
        return broken("bwrap", f"bwrap --version: {version.last_words}", INSTALL)
    told = ask([*sandbox(program), "/usr/bin/cat", "/proc/net/dev"])
    words = version.out.split()
    number = words[-1] if words else ""
    if told.code:
        return broken("bwrap", told.last_words, USER_NAMESPACES, number)
    if network_devices(told.out) - {"lo"}:
        return broken("bwrap", "the sandbox still sees the host's network", USER_NAMESPACES, number)
    return Finding(
        "bwrap", True, number, {"network": "none inside", "as": "root" if not os.geteuid() else "user"}
    )


def sandbox(program: str) -> list[str]:
    """The smallest sandbox that can run a program of `/usr`."""
    user = [] if os.geteuid() == 0 else ["--unshare-user"]
    links = [f for name in ("bin", "lib", "lib64") for f in ("--symlink", f"usr/{name}", f"/{name}")]
    return [
        *(program, *user, "--unshare-pid", "--unshare-net", "--die-with-parent", "--ro-bind", "/usr", "/usr"),
        *(*links, "--proc", "/proc", "--dev", "/dev"),
    ]


def network_devices(text: str) -> set[str]:
    """The names in a `/proc/net/dev`."""
    return {line.split(":")[0].strip() for line in text.splitlines() if ":" in line}
