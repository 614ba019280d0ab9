"""The report of a suite: one document, as JSON, as a page of Markdown and as one for a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.storage import make_folder, write_json, write_text
from harness.suites.audits import Audited, audits
from harness.suites.cells import EVAL_SPLIT
from harness.suites.deciding import Word
from harness.suites.decisions import Decision, decide_gates
from harness.suites.evidence import Evidence, finite
from harness.suites.judging import Judged, judge_claims
from harness.suites.suite_file import AblationEntry
from harness.suites.tables import (
    AblationRow,
    EfficiencyRow,
    TaskTable,
    ablation_tables,
    efficiency_rows,
    row_document,
    task_tables,
)

REPORT, PAGE, HTML = "report.json", "report.md", "report.html"


@dataclass(frozen=True)
class Report:
    """Everything that a suite says."""

    evidence: Evidence
    quick: bool
    tasks: tuple[TaskTable, ...]
    ablations: tuple[tuple[AblationEntry, tuple[AblationRow, ...]], ...]
    efficiency: tuple[EfficiencyRow, ...]
    claims: tuple[Judged, ...]
    decisions: tuple[Decision, ...]
    audits: tuple[Audited, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Claims by verdict."""
        return {str(word): sum(one.word is word for one in self.claims) for word in Word}

    def document(self) -> dict[str, Any]:
        """The report as a JSON object."""
        suite, stand = self.evidence.suite, self.evidence.stand
        return {
            "schema": 1,
            "suite": suite.name,
            "title": suite.title,
            "eval_split": EVAL_SPLIT,
            "seeds": self.evidence.grid.seeds,
            "quick": self.quick,
            "runs": {"cells": len(stand.cells)} | stand.counts(),
            "tasks": [
                {
                    "task": one.task,
                    "missing": one.missing or None,
                    "genes": one.gene_space,
                    "rows": [row_document(row) for row in one.rows],
                    "undecidable": list(one.undecidable),
                }
                for one in self.tasks
            ],
            "ablations": [
                {
                    "model": entry.model,
                    "rows": [
                        vars(row)
                        | {
                            "interval": None if row.interval is None else row.interval.document(),
                            "q": finite(row.q),
                            "reason": row.reason or None,
                        }
                        for row in rows
                    ],
                }
                for entry, rows in self.ablations
            ],
            "data_efficiency": [
                vars(row)
                | {"gain": None if row.gain is None else row.gain.document(), "reason": row.reason or None}
                for row in self.efficiency
            ],
            "claims": [one.document() for one in self.claims],
            "verdicts": self.counts,
            "gates": [one.document() for one in self.decisions],
            "audits": {one.entry: one.document for one in self.audits},
        }


def make_report(evidence: Evidence, folder: Path, *, quick: bool = False) -> Report:
    """Judge every claim and fill every table; what is not finished is said where it is missing.

    `folder` is where audits are kept.
    """
    claims = judge_claims(evidence)
    return Report(
        evidence,
        quick,
        task_tables(evidence),
        ablation_tables(evidence),
        efficiency_rows(evidence),
        claims,
        decide_gates(evidence, claims),
        audits(folder, evidence.grid.cells, evidence.suite.audit),
    )


def write_report(folder: Path, report: Report) -> tuple[Path, Path]:
    """Write all forms, each of which appears whole; the paths of the document and of its page of Markdown."""
    from harness.reporting import suite_page
    from harness.suites.markdown import page

    make_folder(folder)
    document = report.document()
    write_json(folder / REPORT, document)
    write_text(folder / PAGE, page(report))
    write_text(folder / HTML, suite_page.page(document))
    return folder / REPORT, folder / PAGE
