"""`suite.toml`: tasks × submissions × seeds, the tables that are made of them, and the claims that are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.contract.models import Record
from harness.controls.catalogue import CONTROLS
from harness.metrics.registry import HEADLINE
from harness.suites.entries import (
    FileName,
    Label,
    SubmissionEntry,
    TaskEntry,
    check_known,
    check_metric,
    check_once,
    read_definition,
    submission_entry,
    task_entry,
)
from harness.suites.sentence import Sentence, Verb, parse
from harness.verdicts.gates import GATES

EXAMPLE = "docs/how-to/sweeps-and-suites.md shows a whole suite file"
GATE_NAMES = tuple(gate.__name__.replace("_", " ") for gate in GATES)


class ClaimEntry(Record):
    """A claim with a name, so that a gate can speak of it."""

    name: Label
    says: str
    gates: list[str] | None = None
    """Gates of a run that must be clean for it; by default all but those of seeds and of controls, which it tests itself."""


class DecisionEntry(Record):
    """A go/no-go: claims of which all, or so many, have to be supported."""

    name: Label
    title: str
    all: list[Label] = []
    """Claims that are all needed."""
    of: list[Label] = []
    at_least: Annotated[int, Field(ge=0)] = 0
    """So many of `of` are needed."""
    datasets: Annotated[int, Field(ge=1)] = 1
    """So many datasets the supported ones of `of` have to come from."""
    seeds: Annotated[int, Field(ge=1)] = 3
    """Training seeds that it needs."""
    note: str = ""
    """What it also asks for and a suite cannot tell."""


class AblationEntry(Record):
    """A model and the same without something, paired."""

    model: Label
    without: Annotated[list[Label], Field(min_length=1)]
    tasks: list[Label] | None = None
    metrics: list[str] | None = None


class EfficiencyEntry(Record):
    """The same questions after less training data; the part is nested, and its cells alone are fewer."""

    tasks: Annotated[list[Label], Field(min_length=1)]
    submissions: Annotated[list[Label], Field(min_length=1)]
    fractions: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2)] = [0.1, 0.3, 1.0]
    metric: str = "calibrated.wmse"


class SuiteFile(Record):
    """A suite."""

    kind: ClassVar[str] = "suite"

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    name: FileName
    title: str = ""
    tasks: Annotated[list[str | TaskEntry], Field(min_length=1)]
    submissions: Annotated[list[str | SubmissionEntry], Field(min_length=1)]
    seeds: Annotated[int, Field(ge=1)] = 3
    quick_seeds: Annotated[int, Field(ge=1)] = 1
    """With `--quick`."""
    metrics: Annotated[list[str], Field(min_length=1)] = list(HEADLINE)
    """Columns of the tables."""
    controls: bool = True
    """Without controls nothing can be claimed against a baseline."""
    ablations: list[AblationEntry] = []
    data_efficiency: EfficiencyEntry | None = None
    audit: list[Label] = []
    """Submissions that are audited too, once for each content."""
    claims: list[str | ClaimEntry] = []
    gates: list[DecisionEntry] = []

    @property
    def task_names(self) -> list[str]:
        return [task_entry(one) for one in self.tasks]

    @property
    def entries(self) -> list[SubmissionEntry]:
        return [submission_entry(one) for one in self.submissions]

    @property
    def claim_entries(self) -> list[ClaimEntry]:
        """Claims; those without a name are numbered."""
        return [
            ClaimEntry(name=f"claim-{number}", says=one) if isinstance(one, str) else one
            for number, one in enumerate(self.claims, 1)
        ]

    def sentences(self) -> list[tuple[ClaimEntry, Sentence]]:
        """Every claim with what it says."""
        return [(one, parse(one.says, where=f"{self.name}, {one.name}")) for one in self.claim_entries]


def read_suite(path: Path) -> SuiteFile:
    """A suite file; every name in it is known, every claim is understood."""
    suite = read_definition(SuiteFile, path, "suite", EXAMPLE)
    names = [one.name for one in suite.entries]
    check_once("task", suite.task_names, path)
    check_once("submission", names, path)
    check_once("claim", [one.name for one in suite.claim_entries], path)
    for metric in suite.metrics:
        check_metric(metric, path, directed=False)
    for entry in suite.entries:
        check_known("task", entry.tasks or (), suite.task_names, f"{path}, {entry.name}")
    check_known("submission", suite.audit, names, f"{path}, audit")
    for table in suite.ablations:
        check_known("submission", (table.model, *table.without), names, f"{path}, ablations")
        check_known("task", table.tasks or (), suite.task_names, f"{path}, ablations")
        for metric in table.metrics or ():
            check_metric(metric, path)
    if suite.data_efficiency is not None:
        told = suite.data_efficiency
        check_known("submission", told.submissions, names, f"{path}, data_efficiency")
        check_known("task", told.tasks, suite.task_names, f"{path}, data_efficiency")
        check_metric(told.metric, path)
    _check_claims(suite, names, path)
    return suite


def _check_claims(suite: SuiteFile, names: list[str], path: Path) -> None:
    for entry, said in suite.sentences():
        where = f"{path}, {entry.name}"
        check_known("task", said.tasks, suite.task_names, where)
        check_metric(said.metric, where, directed=said.verb is not Verb.LIES)
        check_known("gate", entry.gates or (), GATE_NAMES, where)
        of_controls = said.verb is Verb.AHEAD
        known = [*names, *CONTROLS] if of_controls else names
        check_known("submission", (said.subject,) if said.subject else (), known, where)
        check_known("submission", said.submissions, [*names, *CONTROLS], where)
    claims = [one.name for one in suite.claim_entries]
    for gate in suite.gates:
        check_known("claim", (*gate.all, *gate.of), claims, f"{path}, {gate.name}")
