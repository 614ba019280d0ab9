"""What one check of an audit found, and the page of all of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from harness.contract.status import RunStatus
from harness.errors import ExitCode

State = Literal["pass", "fail", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    state: State
    number: float | None
    reason: str
    leak: bool = False
    """Whether failing it means that the submission knows what it must not know."""


@dataclass(frozen=True)
class Audit:
    """One page on one submission."""

    submission: str
    content_hash: str
    runtime: str
    isolation: str
    task: str
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> bool:
        return any(one.leak and one.state == "fail" for one in self.findings)

    @property
    def verdict(self) -> str:
        """One sentence on all checks."""
        failed = [one.check for one in self.findings if one.state == "fail"]
        if self.leaks:
            return f"a leak is suspected: {', '.join(failed)}"
        return f"failed: {', '.join(failed)}" if failed else "no check failed"

    @property
    def exit_code(self) -> int:
        """17 where a leak is suspected, 3 where another check fails, else 0."""
        if self.leaks:
            return RunStatus.HELD.exit_code
        return int(ExitCode.REFUSED if any(one.state == "fail" for one in self.findings) else ExitCode.OK)

    def document(self) -> dict[str, Any]:
        """The page for programs."""
        return {"schema": 1, "verdict": self.verdict, "exit_code": self.exit_code} | asdict(self)

    def markdown(self) -> str:
        """The page for people."""
        rows = [
            f"| {one.check} | {one.state} | {'–' if one.number is None else f'{one.number:.4g}'} | {_cell(one.reason)} |"
            for one in self.findings
        ]
        return "\n".join(
            [
                f"# Audit of {self.submission}",
                "",
                f"{self.verdict[0].upper()}{self.verdict[1:]}.",
                "",
                f"Content {self.content_hash[:16]}, runtime {self.runtime}, isolation {self.isolation}, on {self.task}.",
                "",
                "| check | | number | reason |",
                "|---|---|---|---|",
                *rows,
                "",
            ]
        )


def found(check: str, ok: bool, number: float | None, reason: str, *, leak: bool = False) -> Finding:
    """A check that applies."""
    return Finding(check, "pass" if ok else "fail", number, reason, leak)


def skipped(check: str, reason: str, *, leak: bool = False) -> Finding:
    """A check that does not apply."""
    return Finding(check, "not applicable", None, reason, leak)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
