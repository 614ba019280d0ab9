"""The layers that can hold a run here, strongest first, each found by really running something in it.

`bubblewrap` shows a run nothing but what is listed. `unshare` takes away the network and the sight of other processes, and
Landlock the content of files that are not listed. `limits` has Landlock alone. The best that works is taken; what it does
not give is in `missing`, with the reason, in every record.
"""

from __future__ import annotations

import marshal
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from harness.runtimes.protocol import Guarantee, IsolationLevel
from harness.runtimes.sandbox.bubblewrap import NOBODY, Bubblewrap
from harness.runtimes.sandbox.landlock import landlock_version
from harness.runtimes.sandbox.view import (
    FIRST_PROGRAM,
    SUBMISSION,
    SYSTEM_LINKS,
    TASK,
    Bind,
    View,
    interpreter,
    interpreter_folders,
)

LayerName = Literal["bubblewrap", "unshare", "limits"]
MEND = "apt-get install bubblewrap; unprivileged user namespaces must be allowed (sysctl user.max_user_namespaces)"
TRIAL = "import os; print(os.getuid(), len(open('/proc/net/dev').read().splitlines()) - 2)"
NO_SANDBOX = "no sandbox: the run sees this machine"
SECONDS = 20
UNSHARED = ("--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Layer:
    """One way to hold a run, as it works on this machine."""

    name: LayerName
    isolation: IsolationLevel
    version: str = ""
    bubblewrap: Bubblewrap | None = None
    unshare: tuple[str, ...] = ()
    landlock: int = 0
    """The version of Landlock that adds to it; 0 for none."""
    granted: Mapping[Guarantee, str] = field(default_factory=dict)
    missing: Mapping[Guarantee, str] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    """Why each stronger layer does not work here."""


@cache
def best_layer() -> Layer:
    """The strongest layer that works here."""
    reasons: list[str] = []
    for name in ("bubblewrap", "unshare"):
        found = try_layer(name)
        if isinstance(found, Layer):
            return Layer(**{**vars(found), "passed_over": tuple(reasons)})
        reasons.append(found)
    return Layer(**{**vars(limits_alone()), "passed_over": tuple(reasons)})


def try_layer(name: LayerName) -> Layer | str:
    """A layer, or the reason why it does not work here."""
    if not sys.platform.startswith("linux"):
        return f"{name} is of Linux alone"
    if name == "bubblewrap":
        return _try_bubblewrap()
    return _try_unshare() if name == "unshare" else limits_alone()


def limits_alone(landlock: int | None = None) -> Layer:
    """No namespace at all; Landlock in the version of the kernel, or as it is told."""
    version = landlock_version() if landlock is None else landlock
    granted, missing = _by_landlock(version)
    missing[Guarantee.OFFLINE] = "no network namespace"
    missing[Guarantee.UID_DROP] = "it stays the user who started it"
    return Layer("limits", "process+limits", landlock=version, granted=granted, missing=missing)


def _try_bubblewrap() -> Layer | str:
    program = shutil.which("bwrap")
    if program is None:
        return "`bwrap` is not on PATH"
    version = _said([program, "--version"]).partition(" ")[2].strip()
    root = os.geteuid() == 0
    ways = [(True, NOBODY), (True, None), (False, None)] if root else [(False, None)]
    reason = ""
    for as_root, uid in ways:
        found = Bubblewrap(program, version, as_root, uid)
        fault = _fault_of(found)
        if fault is None:
            return _bubblewrap_layer(found)
        reason = reason or fault
    return f"bubblewrap does not work: {reason}"


def _bubblewrap_layer(found: Bubblewrap) -> Layer:
    granted = {
        Guarantee.OFFLINE: "bubblewrap: a network namespace with nothing in it",
        Guarantee.READ_ONLY_INPUT: "bubblewrap: read-only mounts",
        Guarantee.HIDDEN_HOST: "bubblewrap: a root with listed places only",
    }
    missing = {}
    if found.uid is not None:
        granted[Guarantee.UID_DROP] = f"bubblewrap: user {found.uid} without capabilities"
    else:
        missing[Guarantee.UID_DROP] = "it stays the user who started it, without capabilities"
    version = landlock_version()
    return Layer("bubblewrap", "sandbox", found.version, found, (), version, granted, missing)


def _fault_of(found: Bubblewrap) -> str | None:
    """Start the interpreter in a sandbox like a run's; what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="harness-probe-") as folder:
        place = Path(folder)
        for name in ("submission", "task", "output", "scratch"):
            (place / name).mkdir(mode=0o755)
        binds = [
            Bind(Path("/usr"), "/usr"),
            Bind(place / "submission", SUBMISSION),
            Bind(place / "task", TASK),
        ]
        binds += [Bind(path, str(path)) for path in dict.fromkeys(interpreter_folders())]
        links = [(str(Path("/", n).readlink()), f"/{n}") for n in SYSTEM_LINKS if Path("/", n).is_symlink()]
        binds += [
            Bind(Path("/", name), f"/{name}")
            for name in SYSTEM_LINKS
            if Path("/", name).is_dir() and not Path("/", name).is_symlink()
        ]
        view = View(tuple(binds), tuple(links), (), ())
        start = first_program(FIRST_PROGRAM, SUBMISSION, uid=found.uid)
        command = [*start, interpreter(), "-I", "-S", "-c", TRIAL]
        said = _said(found.argv(view, place / "output", place / "scratch", 1 << 20, command))
    told = re.match(r"(\d+) (\d+)\n", said)
    expected = os.getuid() if found.uid is None else found.uid
    if told is None or told[1] != str(expected):
        return " ".join(said.split())[-200:] or "it ends without a word"
    return None if told[2] == "1" else "the sandbox still sees the host's network"


def _try_unshare() -> Layer | str:
    program = shutil.which("unshare")
    if program is None:
        return "`unshare` is not on PATH"
    flags: tuple[str, ...] = () if os.geteuid() == 0 else ("--user", "--map-current-user")
    flags = (*flags, *UNSHARED)
    said = _said([program, *flags, interpreter(), "-I", "-S", "-c", TRIAL])
    if re.match(r"\d+ 1\n", said) is None:
        return f"unshare does not work: {' '.join(said.split())[-200:]}"
    landlock = landlock_version()
    granted, missing = _by_landlock(landlock)
    missing[Guarantee.OFFLINE] = "no network, but sockets in the file system stay within reach"
    missing[Guarantee.UID_DROP] = "it stays the user who started it, without capabilities"
    version = _said([program, "--version"]).split(" ")[-1].strip()
    return Layer("unshare", "process+limits", version, None, (program, *flags), landlock, granted, missing)


def _by_landlock(version: int) -> tuple[dict[Guarantee, str], dict[Guarantee, str]]:
    if not version:
        missing = dict.fromkeys((Guarantee.READ_ONLY_INPUT, Guarantee.HIDDEN_HOST), NO_SANDBOX)
        return {}, missing
    hidden = "Landlock refuses what is not listed, but names, sizes and sockets stay visible"
    return {Guarantee.READ_ONLY_INPUT: f"Landlock {version}"}, {Guarantee.HIDDEN_HOST: hidden}


def first_program(
    place: str,
    folder: str,
    *,
    report: str = "-",
    uid: int | None = None,
    processes: int | None = None,
    rules: object = None,
) -> list[str]:
    """The words that start the first program, which starts what follows them."""
    plan = {"uid": uid, "processes": processes, "folder": folder, "rules": rules, "filter": True}
    return [interpreter(), "-I", "-S", place, report, marshal.dumps(plan).hex()]


def _said(argv: Sequence[str]) -> str:
    """What a program writes to either stream; why it cannot be run where it cannot."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout.decode("utf-8", "replace")
