"""The first program of a run's sandbox: gives away every right that is left, then starts the submission and waits.

Started as `python -I -S first.py REPORT PLAN ARGV…` (standard library only, and little of it: it starts with every run).
Its own process stays out of the submission's reach and tells through the descriptor REPORT (`-`: nobody listens) how the
submission ended, so that an exit code 139 and a segmentation fault are two things: lines of a name and its value. As the
first process of its namespace it takes the rest with it when it ends.

PLAN (hexadecimal, from `marshal`): `uid` (to change to, or None), `processes` (limit, or None), `folder` (working folder),
`rules` (Landlock: `read`, `write`, `devices`, `list`, `alone`; or None), `filter` (whether system calls are refused).
"""

from __future__ import annotations

import ctypes
import marshal
import os
import resource
import signal
import struct
import sys

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 22, 24, 38, 47
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, IOCTL_DEV = 1, 2, 4, 8, 1 << 15
REFER, TRUNCATE = 1 << 13, 1 << 14
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
NAMESPACES = 0x7E020000
"""The flags of `clone` that make a namespace."""
ERRNO, ALLOW = 0x00050000, 0x7FFF0000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
MACHINES: dict[str, tuple[int, int, int, list[int]]] = {
    # name: (audit architecture, clone, socket, [unshare, setns, mount, umount2, pivot_root, chroot, ptrace, bpf,
    #        perf_event_open, keyctl, add_key, request_key, userfaultfd, open_by_handle_at])
    "x86_64": (0xC000003E, 56, 41, [272, 308, 165, 166, 155, 161, 101, 321, 298, 250, 248, 249, 323, 304]),
    "aarch64": (0xC00000B7, 220, 198, [97, 268, 40, 39, 41, 51, 117, 280, 241, 219, 217, 218, 282, 265]),
}
EVERYWHERE = [425, 426, 427, 428, 429, 430, 431, 432, 433, 442]
"""io_uring and the newer ways to mount, of one number on all machines."""
CLONE3 = 435
FAMILIES = (1, 2, 10, 16)
"""Unix, IPv4, IPv6, netlink: the sockets that a network namespace holds. Those of a virtual machine to its host
(AF_VSOCK) pass through every namespace."""

libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Start the submission, wait for it, report."""
    report = None if arguments[0] == "-" else int(arguments[0])
    plan, argv = marshal.loads(bytes.fromhex(arguments[1])), arguments[2:]  # noqa: S302, the harness wrote it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if report is not None:
        os.set_inheritable(report, False)
    fault, fault_told = os.pipe()
    child = os.fork()
    if child == 0:
        become(plan, argv, fault_told)
    os.close(fault_told)
    code = wait(child)
    told = os.read(fault, 4096) or b"code %d" % code
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if report is not None:
        try:
            os.write(report, b"%s\npeak_rss_bytes %d\n" % (told, peak))
        except OSError:
            pass  # whoever listened is gone
    return code if 0 <= code < 256 else 128 - code


def become(plan: dict[str, object], argv: list[str], fault_told: int) -> None:
    """In the child: confine it, then become the submission; a fault goes to the parent and ends the child."""
    step = "the sandbox cannot be closed"
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        confine(plan)
        step = "cannot_start"
        os.chdir(str(plan["folder"]))
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        key = step if step == "cannot_start" else "sandbox_fault"
        words = f"{argv[0]}: {error.strerror or error}" if key == "cannot_start" else f"{step}: {error}"
        os.write(fault_told, f"{key} {' '.join(words.split())}".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def wait(child: int) -> int:
    """Reap everything until the child has ended; its exit code, or minus the signal."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def confine(plan: dict[str, object]) -> None:
    """Limits, identity, capabilities, Landlock, system calls: in the order in which each is still allowed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rules = plan["rules"]
    ruleset = landlock(rules) if isinstance(rules, dict) else None
    drop_capabilities()
    uid = plan["uid"]
    if isinstance(uid, int):
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if isinstance(plan["processes"], int):
        resource.setrlimit(resource.RLIMIT_NPROC, (plan["processes"], plan["processes"]))
    clear_capabilities()
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if ruleset is not None:
        check(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0))
        os.close(ruleset)
    if plan["filter"]:
        refuse_calls()


def drop_capabilities() -> None:
    """No program started from here can gain a capability; without the right to say so there is none to lose."""
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 and ctypes.get_errno() != EPERM:
            break
    libc.prctl(PR_CAP_AMBIENT, 4, 0, 0, 0)


def clear_capabilities() -> None:
    """Give away the capabilities of this process itself."""
    header = struct.pack("=Ii", 0x20080522, 0)
    check(libc.capset(header, struct.pack("=6I", *[0] * 6)))


def landlock(rules: dict[str, object]) -> int | None:
    """A ruleset that allows the given places; None where the kernel has no Landlock."""
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return None
    handled = (1 << 13) - 1
    handled |= (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled |= IOCTL_DEV if version >= 5 else 0
    alone = bool(rules["alone"])  # no namespace hides the host: refuse TCP, signals and abstract sockets too
    network = 3 if version >= 4 and alone else 0
    scope = 3 if version >= 6 and alone else 0
    attributes = struct.pack("=QQQ", handled, network, scope)[
        : 8 if version < 4 else 16 if version < 6 else 24
    ]
    ruleset = check(libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0))
    read = EXECUTE | READ_FILE | READ_DIR
    rights = {"read": read, "write": handled, "devices": READ_FILE | WRITE_FILE | READ_DIR | IOCTL_DEV}
    rights["list"] = READ_DIR
    for kind, right in rights.items():
        places = rules[kind]
        for place in places if isinstance(places, list) else []:
            allow(ruleset, place, right & handled)
    return ruleset


def allow(ruleset: int, place: str, rights: int) -> None:
    """Allow rights on a file or below a folder; a place that does not exist needs no rule."""
    try:
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(place):
        rights &= FILE_RIGHTS
    check(libc.syscall(LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, handle), 0))
    os.close(handle)


def refuse_calls() -> None:
    """Refuse the system calls that make namespaces, mount, trace, or are a wide door into the kernel or out of it."""
    machine = MACHINES.get(os.uname().machine)
    if machine is None:
        return
    architecture, clone, socket, refused = machine
    code = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, ERRNO | EPERM), (0x20, 0, 0, 0)]
    code += [(0x35, 0, 1, 0x40000000), (0x06, 0, 0, ERRNO | ENOSYS)]
    code += [(0x15, 0, 1, CLONE3), (0x06, 0, 0, ERRNO | ENOSYS)]
    for call in [*refused, *EVERYWHERE]:
        code += [(0x15, 0, 1, call), (0x06, 0, 0, ERRNO | EPERM)]
    code += [(0x15, 0, len(FAMILIES) + 3, socket), (0x20, 0, 0, 16)]
    code += [(0x15, len(FAMILIES) - n, 0, family) for n, family in enumerate(FAMILIES)]
    code += [(0x06, 0, 0, ERRNO | EAFNOSUPPORT), (0x06, 0, 0, ALLOW)]
    code += [(0x15, 0, 3, clone), (0x20, 0, 0, 16), (0x45, 0, 1, NAMESPACES), (0x06, 0, 0, ERRNO | EPERM)]
    code += [(0x06, 0, 0, ALLOW)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    program = struct.pack("@HxxxxxxP", len(code), ctypes.addressof(text))
    check(libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0))


def check(result: int) -> int:
    """The result of a call, or its error."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
