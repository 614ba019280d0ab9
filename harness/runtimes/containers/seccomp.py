"""System calls that no submission needs: namespaces, tracing, keys, mounts, modules, the clock, the kernel's machinery.

Engines bring filters of their own, and they differ: one lets a payload trace its init, another lets it make a user
namespace, Apptainer has none unless it is told. The flags of `clone3` lie in memory that no filter can read, so it is said
not to exist, and C libraries fall back to `clone`.
"""

from __future__ import annotations

import json

from harness.runtimes.sandbox.first import FAMILIES

CLONE_NEWUSER = 0x10000000
ENOSYS = 38
REFUSED = (
    "acct", "add_key", "adjtimex", "bpf", "clock_adjtime", "clock_settime", "delete_module", "finit_module", "fsconfig",
    "fsmount", "fsopen", "fspick", "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl",
    "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount",
    "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "personality", "pivot_root",
    "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "setns", "settimeofday",
    "swapoff", "swapon", "syslog", "umount", "umount2", "unshare", "userfaultfd", "vhangup", "vm86", "vm86old",
)  # fmt: skip


def profile(*, hide_clone3: bool) -> str:
    """The filter as JSON, in the form that runc and Apptainer read.

    Apptainer refuses every call with one and the same error, on which no C library falls back: it must keep `clone3`.
    """
    new_user = {"index": 0, "value": CLONE_NEWUSER, "valueTwo": CLONE_NEWUSER, "op": "SCMP_CMP_MASKED_EQ"}
    rules: list[dict[str, object]] = [
        {"names": list(REFUSED), "action": "SCMP_ACT_ERRNO"},
        {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "args": [new_user]},
    ]
    others = [
        {"index": 0, "value": n, "op": "SCMP_CMP_EQ"} for n in range(max(FAMILIES)) if n not in FAMILIES
    ]
    others.append({"index": 0, "value": max(FAMILIES), "op": "SCMP_CMP_GT"})
    rules += [{"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [other]} for other in others]
    if hide_clone3:
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS})
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
