"""Verdicts on declared claims: supported, not supported, not decidable, each with its numbers and its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.suites.comparison import Comparison, adjusted, comparisons
from harness.suites.deciding import Finding, Word, decide
from harness.suites.evidence import Evidence
from harness.suites.sentence import Sentence
from harness.suites.suite_file import ClaimEntry

NO_LABELS = (
    "no context has two perturbations whose labels could be exchanged, so that no permutation can test it"
)


@dataclass(frozen=True)
class Judged:
    """The verdict on one claim."""

    name: str
    said: Sentence
    word: Word
    findings: tuple[tuple[Comparison, Finding], ...]
    gene_spaces: tuple[str, ...]
    """In which genes it was tested, task by task."""

    @property
    def reason(self) -> str:
        """What decided it: of the comparisons that have the claim's word, the first one's reasons."""
        for comparison, finding in self.findings:
            if finding.word is self.word and finding.reasons:
                return f"{comparison.task}: {'; '.join(finding.reasons)}"
        return ""

    def document(self) -> dict[str, Any]:
        """The verdict as a JSON object."""
        return {
            "name": self.name,
            "says": self.said.text,
            "verdict": self.word,
            "reason": self.reason or None,
            "genes": list(self.gene_spaces),
            "comparisons": [
                one.document()
                | {"verdict": found.word, "numbers": found.numbers, "reasons": list(found.reasons)}
                for one, found in self.findings
            ],
        }


def judge_claims(evidence: Evidence) -> tuple[Judged, ...]:
    """Every claim of a suite; p is adjusted over all of their comparisons together."""
    told = evidence.suite.sentences()
    found = adjusted([comparisons(evidence, said, entry.gates) for entry, said in told])
    return tuple(
        _judged(evidence, entry, said, each) for (entry, said), each in zip(told, found, strict=True)
    )


def _judged(evidence: Evidence, entry: ClaimEntry, said: Sentence, found: Sequence[Comparison]) -> Judged:
    findings = tuple((one, decide(said, one)) for one in found)
    words = {finding.word for _, finding in findings}
    word = (
        Word.NOT_SUPPORTED
        if Word.NOT_SUPPORTED in words
        else Word.NOT_DECIDABLE
        if Word.NOT_DECIDABLE in words
        else Word.SUPPORTED
    )
    spaces = [getattr(evidence.task(task), "gene_space", "the dataset is not here") for task in said.tasks]
    return Judged(entry.name, said, word, findings, tuple(spaces))
