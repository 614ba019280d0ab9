"""System calls that no submission needs: namespaces, tracing, keys, mounts, modules, the clock, the kernel's machinery.

Engines bring filters of their own, and they differ: one lets a payload trace its init, another lets it make a user
namespace, Apptainer has none unless it is told. The flags of `clone3` lie in memory that no filter can read; it stays.
"""

from __future__ import annotations

import json

CLONE_NEWUSER = 0x10000000
REFUSED = (
    "acct", "add_key", "adjtimex", "bpf", "clock_adjtime", "clock_settime", "delete_module", "finit_module", "fsconfig",
    "fsmount", "fsopen", "fspick", "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl",
    "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount",
    "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "personality", "pivot_root",
    "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "setns", "settimeofday",
    "swapoff", "swapon", "syslog", "umount", "umount2", "unshare", "userfaultfd", "vhangup", "vm86", "vm86old",
)  # fmt: skip


def profile() -> str:
    """The filter as JSON, in the form that runc and Apptainer read."""
    new_user = {"index": 0, "value": CLONE_NEWUSER, "valueTwo": CLONE_NEWUSER, "op": "SCMP_CMP_MASKED_EQ"}
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                {"names": list(REFUSED), "action": "SCMP_ACT_ERRNO"},
                {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "args": [new_user]},
            ],
        }
    )
