"""What is wrong with a predictions file: one fault per rule broken, all of them in one refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import HarnessError

SHOWN = 5
"""How many offending rows and genes a fault names."""


@dataclass(frozen=True)
class Fault:
    """One rule that is broken, and everything needed to mend it."""

    field: str
    """The member (`mean`, `var`, …), or `file` for the archive or folder as a whole."""
    what: str
    got: str
    expected: str
    mend: str | None = None
    rows: tuple[int, ...] = ()
    """The first offending rows, as positions in the file."""
    genes: tuple[str, ...] = ()
    """The first offending genes: names where they are known, else positions."""

    def __str__(self) -> str:
        parts = [f"{self.what}; got {self.got}; expected {self.expected}"]
        if self.rows:
            parts.append(f"first rows {', '.join(map(str, self.rows))}")
        if self.genes:
            parts.append(f"first genes {', '.join(self.genes)}")
        if self.mend:
            parts.append(f"to mend: {self.mend}")
        return "; ".join(parts)


class FaultError(Exception):
    """Raised where reading cannot go on; carries its fault to the report."""

    def __init__(
        self, what: str, *, got: object, expected: str, mend: str | None = None, field: str = "file"
    ) -> None:
        self.fault = Fault(field, what, str(got), expected, mend)
        super().__init__(what)

    def of(self, field: str) -> Fault:
        """The fault, said of one member; names from the file are made printable."""
        name = field.removesuffix(".npy")[:60]
        return replace(self.fault, field=name if name.isprintable() else ascii(name))


class PredictionsRefused(HarnessError):  # noqa: N818 - the word people will read
    """Predictions that break the contract, with every fault that was found."""

    def __init__(self, where: object, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        super().__init__(f"predictions are refused: {plural(len(self.faults), 'fault')}", where=where)

    def lines(self) -> list[tuple[str, str]]:
        return [*super().lines(), *((fault.field, str(fault)) for fault in self.faults)]


def plural(count: int, noun: str) -> str:
    """`1 fault`, `2 faults`, `1,024 values`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
