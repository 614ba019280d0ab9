"""`record.json` and `config.json`: what binds a run's numbers to its inputs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.contract.manifest import Param
from harness.contract.models import Record
from harness.contract.status import RunStatus
from harness.contract.task import EvalSplit, NamedHash
from harness.digest import Digest
from harness.records.ledger_entry import LookReference
from harness.records.provenance import Provenance


class SubmissionCard(Record):
    """Which submission ran."""

    name: str
    version: str
    title: str
    variant: str | None
    content_hash: str
    """Hash of all its files."""


class TaskReference(Record):
    """On which task."""

    name: str
    hash: str | None
    """Hash of the built task; none where the run was declined before anything was built."""
    eval_split: EvalSplit
    seed: int


class Parameters(Record):
    """The parameters of one run, by where they come from; later ones win."""

    defaulted: dict[str, Param]
    variant: dict[str, Param]
    passed: dict[str, Param]

    @property
    def resolved(self) -> dict[str, Param]:
        return {**self.defaulted, **self.variant, **self.passed}


class RunConfig(Record):
    """`config.json`: everything that was decided before the run. Its hash is its name in the run folder."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    submission: SubmissionCard
    params: Parameters
    task: TaskReference
    data_hash: str
    split_hash: str
    seed: int
    """`HARNESS_SEED` of the submission."""
    runtime: str
    config_hash: str = ""
    """Hash of every other field."""

    def with_hash(self) -> RunConfig:
        """The same configuration under its own hash."""
        content: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude={"config_hash"})
        return self.model_copy(update={"config_hash": Digest("config").json("config", content).hexdigest()})

    @property
    def setting_hash(self) -> str:
        """Hash of what is chosen: content, variant, parameters. Runs of another seed, or on another task, have the same."""
        card = self.submission
        content = {"content": card.content_hash, "variant": card.variant, "params": self.params.resolved}
        return Digest("setting").json("setting", content).hexdigest()


class Guarantees(Record):
    """What a run was held to; every guarantee that was asked for is either granted or missing."""

    asked: list[str]
    """All there are; a run under `strict` ends before it starts where a needed one is missing."""
    granted: dict[str, str]
    """Guarantee → what enforced it."""
    missing: dict[str, str]
    """Guarantee → why nothing did."""
    needed: list[str]
    """The guarantees of an official run."""

    @property
    def lacking(self) -> list[str]:
        """The needed ones that were not granted."""
        return [name for name in self.needed if name not in self.granted]

    @property
    def official(self) -> bool:
        """Whether it was held to everything that an official run needs."""
        return not self.lacking


class RunRecord(Record):
    """`record.json` of a run folder."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    run: str
    """Name of the run folder."""
    attempt: str
    """Unique id of the execution that the predictions come from."""
    status: RunStatus
    reason: str
    """One sentence on the status."""
    submission: SubmissionCard
    authors: list[str] = []
    """Of the submission, as its manifest names them; empty in records of before they were kept."""
    task: TaskReference
    dataset: NamedHash
    split: NamedHash
    genes_hash: str
    config_hash: str
    seed: int
    runtime: str
    isolation: str
    """The level that was in force: `container`, `sandbox`, `process+limits`, `none`."""
    guarantees: Guarantees | None = None
    """What the submission was held to while it ran; none where it did not run here."""
    variance: Literal["native", "filled", "none"] | None
    """Where the scored variance comes from."""
    exit_code: int | None = None
    signal: int | None = None
    started: str
    """UTC, ISO 8601."""
    wall_s: float
    """Of the submission itself."""
    step_s: dict[str, float]
    """Wall time of each step of the harness."""
    peak_rss_bytes: int
    rescored_from: str | None = None
    """The run whose predictions were scored anew here; none where the submission itself ran."""
    look: LookReference | None = None
    """The line of the access ledger that accounts for this score; none where no test truth was opened."""
    controls: bool = False
    """Whether it was held against the controls of its task; of a quick look nothing can be claimed."""
    metrics_version: str | None = None
    """Hash of every metric's definition; none where nothing was scored. Results of different versions share no table."""
    predictions_sha256: str | None
    predictions_kept: bool
    provenance: Provenance
    files: dict[str, str]
    """SHA-256 of every other file of the run folder."""
