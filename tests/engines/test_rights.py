"""A program that tries to change what is not its own, or to become more than it is, is refused."""

from __future__ import annotations

import os
import stat

from harness.contract.status import RunStatus

WRITES = """
import numpy
def write(path):
    with open(path, "a") as out:
        out.write("x")
def loosen_and_write(path):
    os.chmod(path, 0o666)
    write(path)
LIBRARY = os.path.dirname(numpy.__file__)
tell({
    "a new file in the task": attempt(lambda: write(TASK + "/new")),
    "the task's card": attempt(lambda: write(TASK + "/task.json")),
    "loosened first": attempt(lambda: loosen_and_write(TASK + "/task.json")),
    "removed": attempt(lambda: os.remove(TASK + "/private.txt")),
    "renamed": attempt(lambda: os.rename(TASK + "/private.txt", TASK + "/other.txt")),
    "its own program": attempt(lambda: write("main.py")),
    "beside its program": attempt(lambda: write("cache.bin")),
    "beside its output": attempt(lambda: write(OUTPUT + "/../note.txt")),
    "its library": attempt(lambda: write(LIBRARY + "/new.py")),
    "the interpreter": attempt(lambda: write(os.path.realpath(sys.executable))),
    "programs": attempt(lambda: write("/usr/bin/new")),
    "settings": attempt(lambda: write("/etc/new")),
    "the root": attempt(lambda: write("/new")),
    "a hard link": attempt(lambda: (os.link(TASK + "/task.json", OUTPUT + "/task.json"), write(OUTPUT + "/task.json"))),
    "kernel settings": attempt(lambda: open("/proc/sys/kernel/core_pattern", "w").write("x")),
    "kernel objects": attempt(lambda: write("/sys/kernel/uevent_helper")),
})
"""
RIGHTS = """
import ctypes, signal, stat, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *words):
    if getattr(libc, name)(*words) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "done"
def trace(pid):
    call("ptrace", 16, pid, 0, 0)
    os.waitpid(pid, 0x40000000)  # until it has stopped, so that it can be let go
    call("ptrace", 17, pid, 0, 0)
def outside():
    for pid in HOSTS:
        os.kill(pid, signal.SIGKILL)
def device():
    os.mknod(OUTPUT + "/disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))
    return open(OUTPUT + "/disk", "rb").read(1)
def new_user():
    call("unshare", 0x10000000)
def set_user_program():
    import shutil
    shutil.copy("/bin/sh", OUTPUT + "/shell")
    os.chmod(OUTPUT + "/shell", 0o6755)
    shown = subprocess.run([OUTPUT + "/shell", "-p", "-c", "id -u"], capture_output=True, text=True).stdout
    assert shown.strip() == "0", shown
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines() if ":" in line)
tell({
    "tried": {
        "another user": attempt(lambda: os.setuid(0)) if os.getuid() else ["refused", "is root already"],
        "mount": attempt(lambda: call("mount", b"none", OUTPUT.encode(), b"tmpfs", 0, None)),
        "unmount": attempt(lambda: call("umount2", TASK.encode(), 2)),
        "remount": attempt(lambda: call("mount", None, TASK.encode(), None, 0x1020, None)),
        "change root": attempt(lambda: os.chroot(OUTPUT)),
        "user namespace": attempt(new_user),
        "trace its parent": attempt(lambda: trace(os.getppid())),
        "trace the first": attempt(lambda: trace(1)),
        "device": attempt(device),
        "kill": attempt(outside),
        "clock": attempt(lambda: time.clock_settime(time.CLOCK_REALTIME, 0)),
        "host name": attempt(lambda: call("sethostname", b"x", 1)),
        "priority": attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, -10)),
        "set-user program": attempt(set_user_program),
        "join the host": attempt(lambda: call("setns", os.open("/proc/1/ns/net", os.O_RDONLY), 0)),
    },
    "capabilities": {name: status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
    "no new privileges": status["NoNewPrivs"].strip(),
    "user": os.getuid(),
    "disks": [name for name in os.listdir("/dev") if stat.S_ISBLK(os.lstat("/dev/" + name).st_mode)],
    "memory of the machine": [p for p in ("/dev/mem", "/dev/kmem", "/dev/kvm", "/dev/fuse") if os.access(p, os.R_OK)],
})
"""


OVER_ITSELF = {"user namespace", "trace its parent", "trace the first"}
"""What an engine may leave a program: rights over nothing but what lies in its own container."""


def test_nothing_can_be_written_but_the_output(confined, world):
    ran = confined(WRITES)
    assert ran.outcome.status is RunStatus.OK, ran.log
    assert {place for place, (end, _) in ran.told.items() if end == "done"} <= {
        "beside its output",
        "settings",
    }
    task = world / "data/.tasks/t/public"
    assert sorted(path.name for path in task.iterdir()) == ["private.txt", "task.json"]
    assert (task / "task.json").read_text() == '{"schema": 1}'
    files = {path.name for path in (world / "submission").iterdir()}
    assert files - {"requirements.lock"} == {"main.py"}  # a lock is the environment's own, where there is one
    assert not (ran.job.output.parent / "note.txt").exists()


def test_no_right_can_be_gained(confined, world):
    ran = confined(f"HOSTS = [{os.getpid()}, {os.getppid()}]\n" + RIGHTS)
    assert ran.outcome.status is RunStatus.OK, ran.log
    gained = {name for name, (end, _) in ran.told["tried"].items() if end == "done"}
    assert gained <= (OVER_ITSELF if ran.outcome.isolation == "container" else set()), ran.told["tried"]
    assert set(ran.told["capabilities"].values()) == {"0000000000000000"}
    assert ran.told["no new privileges"] == "1"
    assert ran.told["user"] != 0
    assert ran.told["disks"] == []
    assert ran.told["memory of the machine"] == []
    for path in ran.job.output.rglob("*"):
        mode = path.lstat().st_mode
        assert not (mode & (stat.S_ISUID | stat.S_ISGID) and path.lstat().st_uid == 0)
        assert not stat.S_ISBLK(mode)
