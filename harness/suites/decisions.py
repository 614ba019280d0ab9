"""Go or no-go: what the verdicts on claims say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.suites.deciding import Word, counted
from harness.suites.evidence import Evidence
from harness.suites.judging import Judged
from harness.suites.suite_file import DecisionEntry
from harness.suites.tasks import OpenTask

Answer = Literal["go", "no-go", "not decidable"]


@dataclass(frozen=True)
class Decision:
    """One gate of a suite."""

    entry: DecisionEntry
    answer: Answer
    reasons: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The decision as a JSON object."""
        return {
            "name": self.entry.name,
            "title": self.entry.title,
            "answer": self.answer,
            "reasons": list(self.reasons),
            "claims": [*self.entry.all, *self.entry.of],
            "note": self.entry.note or None,
        }


def decide_gates(evidence: Evidence, judged: Sequence[Judged]) -> tuple[Decision, ...]:
    """Every gate of a suite."""
    claims = {one.name: one for one in judged}
    return tuple(_decide(evidence, gate, claims) for gate in evidence.suite.gates)


def _decide(evidence: Evidence, gate: DecisionEntry, claims: Mapping[str, Judged]) -> Decision:
    words = {name: claims[name].word for name in (*gate.all, *gate.of)}
    reasons = [f"{name}: {word}" for name, word in words.items()]
    seeds = _seeds(claims[name] for name in (*gate.all, *gate.of))
    if seeds is not None and seeds < gate.seeds:
        said = f"{counted(seeds, 'training seed')}, {gate.seeds} are needed"
        return Decision(gate, "not decidable", (said, *reasons))
    lost = [name for name in gate.all if words[name] is Word.NOT_SUPPORTED]
    won = [name for name in gate.of if words[name] is Word.SUPPORTED]
    hoped = [name for name in gate.of if words[name] is not Word.NOT_SUPPORTED]
    if lost or len(hoped) < gate.at_least or len(_datasets(evidence, hoped, claims)) < _least(gate):
        return Decision(gate, "no-go", tuple(reasons))
    every = all(words[name] is Word.SUPPORTED for name in gate.all)
    if every and len(won) >= gate.at_least and len(_datasets(evidence, won, claims)) >= _least(gate):
        return Decision(gate, "go", tuple(reasons))
    return Decision(gate, "not decidable", tuple(reasons))


def _seeds(judged: Iterable[Judged]) -> int | None:
    """The fewest seeds of any comparison that was made; None where none was."""
    return min((one.seeds for claim in judged for one, _ in claim.findings if one.seeds), default=None)


def _least(gate: DecisionEntry) -> int:
    return gate.datasets if gate.of and gate.at_least else 0


def _datasets(evidence: Evidence, names: Sequence[str], claims: Mapping[str, Judged]) -> set[str]:
    """The datasets that some claims speak of; one that is not here counts, because it could be."""
    found = set()
    for name in names:
        for task in claims[name].said.tasks:
            opened = evidence.task(task)
            found.add(opened.dataset.name if isinstance(opened, OpenTask) else task)
    return found
