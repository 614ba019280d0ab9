"""The parent of one run, a small program of its own (standard library only, and little of it: it starts with every run).

Started as `python -I -S supervisor.py PLAN ARGV…`. Standard input is a lifeline to the harness: a byte `t` asks the
whole family to stop, its end (also by the harness being killed) kills it. Standard output gets lines of a name and its
value on how the run ended; standard error is the run's log. On Linux it is a subreaper: a grandchild that leaves the
session or loses its parent stays below it, so the family is known by construction.

PLAN (hexadecimal, from `marshal`): `file_limit` in bytes; `groups`, control group folders to run in, which are removed at
the end even where the harness was killed; `wrapped`, whether the command is the shell of a sandbox, which is never asked to
stop itself and whose first program tells the real end on a descriptor. Its number stands for the word REPORT in the command.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import select
import signal
import sys
import time

TYPE_CHECKING = False  # typing itself would cost a third of the start
if TYPE_CHECKING:
    from typing import Any

PR_SET_CHILD_SUBREAPER = 36
REPORT = "@REPORT@"
COUNTERS = {
    "oom_kills": ("memory.oom_control", "memory.events"),
    "peak_bytes": ("memory.max_usage_in_bytes", "memory.peak"),
}
"""What a control group counted, and the files that tell it in version 1 and 2."""


def main(arguments: list[str]) -> int:
    """Run the command, watch the lifeline, leave nobody behind."""
    plan, argv = marshal.loads(bytes.fromhex(arguments[0])), arguments[1:]  # noqa: S302, the harness wrote it
    become_subreaper()
    wake, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(polite, signal.SIG_IGN)
    try:
        report(run(plan, argv, wake) | counted(plan["groups"]))
    finally:
        remove(plan["groups"])
    return 0


def run(plan: dict[str, Any], argv: list[str], wake: int) -> dict[str, object]:
    """Start the command and wait for its end; what there is to tell of it."""
    told, tell = os.pipe()
    fault, fault_told = os.pipe()
    child = os.fork()
    if child == 0:
        become(plan, [str(tell) if word == REPORT else word for word in argv], tell, fault_told)
    os.close(tell)
    os.close(fault_told)
    words = os.read(fault, 4096).decode("utf-8", "replace")
    if words:
        os.waitpid(child, 0)
        return {"cannot_start": words}
    code = wait(child, wake, wrapped=plan["wrapped"])
    kill_family(signal.SIGKILL)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    scale = 1 if sys.platform == "darwin" else 1024
    ended: dict[str, object] = {"code": code, "peak_rss_bytes": usage.ru_maxrss * scale}
    if not plan["wrapped"]:
        return ended
    os.set_blocking(told, False)
    try:
        text = os.read(told, 4096)
    except BlockingIOError:
        text = b""
    return ended | (read_told(text) if text else {"unreported": int(code is not None)})


def become(plan: dict[str, Any], argv: list[str], tell: int, fault_told: int) -> None:
    """In the child: become the command. The pipe for faults closes by itself when that has worked."""
    try:
        os.set_inheritable(tell, bool(plan["wrapped"]))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        prepare(plan)
        os.execvp(argv[0], argv)  # noqa: S606, it is what a supervisor is for
    except OSError as error:
        os.write(fault_told, f"{argv[0]}: {error.strerror or error}".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def read_told(text: bytes) -> dict[str, object]:
    """Lines of a name and its value, which is a whole number or words."""
    found: dict[str, object] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(" ")
        found[name] = int(value) if value.lstrip("-").isdecimal() else value
    return found


def become_subreaper() -> None:
    """Adopt orphaned descendants, where the kernel knows how."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        pass


def prepare(plan: dict[str, Any]) -> None:
    """In the child, before the command: its control groups, default signals, no core dumps, a cap on one file's size."""
    for group in plan["groups"]:
        with open(f"{group}/cgroup.procs", "w") as members:
            members.write("0")
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (plan["file_limit"],) * 2)


def wait(pid: int, wake: int, *, wrapped: bool) -> int | None:
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
                kill_family(signal.SIGTERM, spared=pid if wrapped else None)
            else:
                kill_family(signal.SIGKILL)
                return reap(pid)


def reap(pid: int) -> int | None:
    """Collect ended children; the exit code of the one that matters, once it has ended."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)


def kill_family(number: int, *, spared: int | None = None) -> None:
    """Signal every descendant but one; for SIGKILL again and again until none is left, because they may fork meanwhile."""
    until = time.monotonic() + 5
    while True:
        family = descendants(os.getpid())
        for pid in family:
            if pid == spared:
                continue
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                pass
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
        with os.popen("ps -axo pid=,ppid=,state=") as listing:  # noqa: S605
            rows = [line.split() for line in listing]
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


def counted(groups: list[str]) -> dict[str, int]:
    """What the control groups counted."""
    found: dict[str, int] = {}
    for group in groups:
        for name, files in COUNTERS.items():
            for file in files:
                try:
                    with open(f"{group}/{file}") as handle:
                        rows = [line.split() for line in handle.read().splitlines()]
                    numbers = [int(row[-1]) for row in rows if len(row) == 1 or row[0] == "oom_kill"]
                except (OSError, ValueError):
                    continue
                found[name] = found.get(name, 0) + sum(numbers)
    return found


def remove(groups: list[str]) -> None:
    """Remove empty control groups; the kernel takes a moment to see that the last member has gone."""
    for group in groups:
        for _ in range(100):
            try:
                os.rmdir(group)
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.01)
            else:
                break


def report(value: dict[str, object]) -> None:
    """What there is to tell, to the harness, if it still listens."""
    told = "".join(f"{name} {' '.join(str(one).split())}\n" for name, one in value.items() if one is not None)
    try:
        os.write(1, told.encode("utf-8", "replace"))
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
