"""The parent of one run, a small program of its own (standard library only, no site packages).

Started as `python -I -S supervisor.py FILE_LIMIT ARGV…`. Standard input is a lifeline to the harness: a byte `t` asks the
whole family to stop, its end (also by the harness being killed) kills it. Standard output gets one JSON line on how
the run ended; standard error is the run's log. On Linux it is a subreaper: a grandchild that leaves the session or loses
its parent stays below it, so the family is known by construction.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Run the command, watch the lifeline, leave nobody behind."""
    file_limit, argv = int(arguments[0]), arguments[1:]
    become_subreaper()
    wake, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(polite, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=lambda: prepare(file_limit)
        )
    except OSError as error:
        report({"cannot_start": f"{argv[0]}: {error.strerror or error}"})
        return 0
    code = wait(child.pid, wake)
    kill_family(signal.SIGKILL)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    scale = 1 if sys.platform == "darwin" else 1024
    report({"code": code, "peak_rss_bytes": usage.ru_maxrss * scale})
    return 0


def become_subreaper() -> None:
    """Adopt orphaned descendants, where the kernel knows how."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def prepare(file_limit: int) -> None:
    """In the child, before the command: default signals, no core dumps, a cap on the size of one file."""
    for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(polite, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))


def wait(pid: int, wake: int) -> int | None:
    """The exit code of the child (minus the signal that ended it), or None where the lifeline was cut."""
    while True:
        code = reap(pid)
        if code is not None:
            return code
        ready, _, _ = select.select([0, wake], [], [], 1.0)
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready:
            if os.read(0, 1) == b"t":
                kill_family(signal.SIGTERM)
            else:
                kill_family(signal.SIGKILL)
                return reap(pid)


def reap(pid: int) -> int | None:
    """Collect ended children; the exit code of the one that matters, once it has ended."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            ended, status = os.waitpid(-1, os.WNOHANG)
            if ended == 0:
                break
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
    return code


def kill_family(number: int) -> None:
    """Signal every descendant; for SIGKILL again and again until none is left, because they may fork meanwhile."""
    until = time.monotonic() + 5
    while True:
        family = descendants(os.getpid())
        for pid in family:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if number != signal.SIGKILL or not family or time.monotonic() > until:
            return
        time.sleep(0.01)


def descendants(root: int) -> list[int]:
    """The living processes below one; zombies are not living."""
    children: dict[int, list[tuple[int, str]]] = {}
    for pid, parent, state in process_table():
        children.setdefault(parent, []).append((pid, state))
    found, open_ends = [], [root]
    while open_ends:
        for pid, state in children.get(open_ends.pop(), []):
            open_ends.append(pid)
            if state != "Z":
                found.append(pid)
    return found


def process_table() -> list[tuple[int, int, str]]:
    """(pid, parent, state) of all processes."""
    if not os.path.isdir("/proc/self"):
        listing = subprocess.run(
            ["ps", "-axo", "pid=,ppid=,state="], capture_output=True, text=True, check=False
        )
        rows = [line.split() for line in listing.stdout.splitlines()]
        return [(int(row[0]), int(row[1]), row[2][:1]) for row in rows if len(row) == 3]
    table = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as handle:
                state, parent = handle.read().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        table.append((int(entry), int(parent), state))
    return table


def report(value: dict[str, object]) -> None:
    """One JSON line to the harness, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(1, (json.dumps(value) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
