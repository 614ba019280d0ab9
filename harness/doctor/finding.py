"""What was found of one thing that runs can need: works or not, and then why and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One line of a checkup."""

    name: str
    works: bool
    version: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What it can and cannot do here, in a few words each."""
    reason: str = ""
    """Where it does not work: one line on what is wrong. Where it works: what it lacks all the same, if anything."""
    mend: str = ""
    """The line that mends it."""


def broken(name: str, reason: str, mend: str, version: str = "", **facts: str) -> Finding:
    """A finding of something that does not work."""
    return Finding(name, False, version, facts, " ".join(reason.split())[:300], mend)
