"""How a run can end, and what `harness submit` says to the shell for each ending."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The end of a run; the value is the word on the scorecard."""

    OK = "ok"
    DECLINED = "declined"
    INVALID = "invalid"
    FAILED = "failed"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    ENVIRONMENT = "environment"
    INTERRUPTED = "interrupted"
    INCOMPLETE = "incomplete"
    HELD = "held"

    @property
    def exit_code(self) -> int:
        return _CARDS[self][0]

    @property
    def meaning(self) -> str:
        return _CARDS[self][1]


_CARDS: dict[RunStatus, tuple[int, str]] = {
    RunStatus.OK: (0, "ran, predictions accepted, scored"),
    RunStatus.DECLINED: (10, "the task is outside what the submission claims to do"),
    RunStatus.INVALID: (11, "the predictions were refused"),
    RunStatus.FAILED: (12, "the submission ended with an error"),
    RunStatus.TIMEOUT: (13, "the time limit was reached"),
    RunStatus.OUT_OF_MEMORY: (14, "the memory limit was reached"),
    RunStatus.ENVIRONMENT: (15, "image, package, scheduler or disk: not the model's fault"),
    RunStatus.INCOMPLETE: (16, "a panel lacks a metric without a reason"),
    RunStatus.HELD: (17, "a leak is suspected; not ranked"),
    RunStatus.INTERRUPTED: (130, "stopped by the user; a re-run completes it"),
}
