"""Reading how a run ended: from exit code, signal, limits passed and the last words of its log."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.status import RunStatus
from harness.runtimes.log import last_lines
from harness.runtimes.watch import Breach, Watch

SHELL_KILLED = 128 + signal.SIGKILL
"""What a shell says of a child that the kernel killed, and the SDK of memory that ran out."""
MISSING_PACKAGE = 69
"""What the SDK says of a package that is not installed; sysexits.h calls it *unavailable*."""
NEAR_LIMIT = 0.9
SHELLS = ("bwrap: ", "unshare: ", "setpriv: ")
LAST_WORDS = 4096
"""So many bytes of a log are searched for the reason of an ending."""
DISK_WORDS = re.compile(rb"No space left on device|Disk quota exceeded")
MEMORY_WORDS = re.compile(rb"\bMemoryError\b|\bOutOfMemoryError\b|can't allocate memory|std::bad_alloc")


@dataclass(frozen=True)
class Ending:
    """The end of a run in the words of the contract."""

    status: RunStatus
    exit_code: int | None
    signal: int | None
    detail: str


def read_ending(told: Mapping[str, Any], breach: Breach | None, log: bytes, watch: Watch) -> Ending:
    """What the supervisor told, what was breached and what the log says, as one status with its reason."""
    exit_code, number = _code_and_signal(told)
    if breach is not None:
        return Ending(breach.status, exit_code, number, breach.detail)
    if "cannot_start" in told:
        return Ending(
            RunStatus.ENVIRONMENT, None, None, f"the command cannot be started: {told['cannot_start']}"
        )
    shell_fault = told.get("sandbox_fault") or (told.get("unreported") and _said_by_shell(log))
    if shell_fault:
        return Ending(RunStatus.ENVIRONMENT, None, None, f"the sandbox could not be made: {shell_fault}")
    if exit_code == 0:
        return Ending(RunStatus.OK, 0, None, "ended normally")
    if exit_code is None and number is None:
        return Ending(RunStatus.FAILED, None, None, "ended without an exit code; its supervisor was killed")
    how = f"exit code {exit_code}" if number is None else f"killed by {_signal_name(number)}"
    words = last_lines(log)
    detail = f"{how}: {words}" if words else how
    if told.get("oom_kills"):
        limit = (
            f"the kernel ended a process of it at its memory limit of {watch.memory_limit / 2**20:.0f} MiB"
        )
        return Ending(RunStatus.OUT_OF_MEMORY, exit_code, number, f"{limit}; {detail}")
    if _lacked_memory(exit_code, number, log, watch):
        return Ending(RunStatus.OUT_OF_MEMORY, exit_code, number, detail)
    elsewhere = exit_code == MISSING_PACKAGE or DISK_WORDS.search(log[-LAST_WORDS:]) is not None
    status = RunStatus.ENVIRONMENT if elsewhere else RunStatus.FAILED
    return Ending(status, exit_code, number, detail)


def _code_and_signal(told: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The exit code, or the signal; the shell of a sandbox that was not told says a signal as 128 + its number."""
    code = told.get("code")
    if not isinstance(code, int):
        return None, None
    if told.get("unreported") and code > 128:
        return None, code - 128
    return (code, None) if code >= 0 else (None, -code)


def _said_by_shell(log: bytes) -> str:
    """What bubblewrap or unshare said before it gave up; they speak before any submission does."""
    words = last_lines(log, n=1)
    return words if words.startswith(SHELLS) else ""


def _lacked_memory(exit_code: int | None, number: int | None, log: bytes, watch: Watch) -> bool:
    """A kill alone is no proof: the kernel must have counted one, or the peak must have been near the limit."""
    if exit_code == SHELL_KILLED:
        return True
    if number == signal.SIGKILL:
        return watch.kernel_killed_for_memory() or watch.peak_rss_bytes > NEAR_LIMIT * watch.memory_limit
    return MEMORY_WORDS.search(log[-LAST_WORDS:]) is not None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
