"""Everything that is wrong with a source, in one refusal; everything worth knowing, in the artifact's notes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import HarnessError


class Report:
    """Faults and notes, gathered while a source is read."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.mends: list[str] = []

    def fault(self, sentence: str, mend: str | None = None) -> None:
        """One thing that forbids the import."""
        self.faults.append(sentence)
        if mend and mend not in self.mends:
            self.mends.append(mend)

    def note(self, sentence: str) -> None:
        """One thing that a reader of the artifact must know."""
        self.notes.append(sentence)

    def refuse(self, source: Path) -> None:
        """Raise one refusal with all faults, if there are any."""
        if self.faults:
            many = len(self.faults) > 1
            raise HarnessError(
                f"{source.name} cannot be imported: {len(self.faults)} fault{'s' if many else ''}",
                where=source,
                got="".join(f"\n    - {fault}" for fault in self.faults) if many else self.faults[0],
                mend="; ".join(self.mends) or "mend the source",
            )


def examples(names: Iterable[object], limit: int = 5) -> str:
    """The first few names of many."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:limit]) + (f", … ({len(listed)} in all)" if len(listed) > limit else "")
