"""What the suite says: one check per rule of the contract, passed, failed or skipped, with the reason and the mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "fail", "skip"]


@dataclass(frozen=True)
class Check:
    """One rule and whether the submission keeps it."""

    name: str
    verdict: Verdict
    reason: str
    mend: str | None = None


@dataclass(frozen=True)
class Report:
    """All checks of one submission."""

    submission: str
    variant: str | None
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.verdict == "fail"]

    @property
    def conforms(self) -> bool:
        return not self.failed


def passed(name: str, reason: str) -> Check:
    """A rule that is kept."""
    return Check(name, "pass", reason)


def failed(name: str, reason: str, mend: str) -> Check:
    """A rule that is broken, and how to mend it."""
    return Check(name, "fail", reason, mend)


def skipped(name: str, reason: str, mend: str | None = None) -> Check:
    """A rule that could not be looked at here, or does not apply."""
    return Check(name, "skip", reason, mend)
