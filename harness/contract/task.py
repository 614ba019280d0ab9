"""`task.json`: what a submission is told about the task folder it stands in."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.contract.models import Record

TASK_FILE = "task.json"
EvalSplit = Literal["val", "test"]


class NamedHash(Record):
    """A frozen artifact: its readable name and the hash that is its identity."""

    name: str
    hash: str


class GraphCard(Record):
    """One gene graph in `graphs/`."""

    file: str
    provenance: Literal["external", "learned"]
    """`learned`: made from training cells of this task; `external`: made from other knowledge."""
    n_edges: int
    coverage: float
    """Share of the task's genes with at least one edge."""


class TaskCard(Record):
    """The card of a task folder, `task.json`. It names no hidden role and no number that depends on hidden cells."""

    has_schema: ClassVar[bool] = True

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    """Version of this format."""
    name: str
    """`DATASET:SPLIT`, as people call it."""
    dataset: NamedHash
    split: NamedHash
    eval_split: EvalSplit
    """Which hidden conditions are asked for."""
    seed: int
    """Seed of the row order and of the choice of query cells; submissions derive their own seed from `HARNESS_SEED`."""
    unit: Literal["cell", "profile"]
    """Whether a row is a cell or a (pseudo)bulk profile."""
    x_kind: str
    """What X holds: `log_normalised`, `delta`, `log2_expression`, `zscore`, `rank`."""
    genes: list[str]
    """Gene order of X, of every graph and of the predictions."""
    genes_hash: str
    control_label: str
    """The `pert_id` of control cells."""
    n_train: int
    n_query: int
    rows_per_condition: int
    """R: the same number of query rows for each condition asked for."""
    rows_limited_by: Literal["max_rows", "pool_a", "byte_budget", "profile", "paired"]
    """What R is: as many as were allowed, the smallest pool A of an asked-for context, what fitted into the byte budget,
    one (a row is a profile), or the fewest own controls of a condition (paired data)."""
    shared_controls: list[str] = []
    """Contexts with too few controls to divide: their truth subtracts the same cells that are given here."""
    covariates: list[str] = []
    """Columns of both `obs.tsv` that describe the intervention (dose, time, …); `train/obs.tsv` may have further ones."""
    embeddings: list[str] = []
    """Names in `train/obsm` and `query/obsm`."""
    has_counts: bool = False
    """`train/counts.npy` and `query/counts.npy` exist."""
    graphs: dict[str, GraphCard] = {}
    input_format: Literal["folder", "h5ad"] = "folder"
    perturbed_genes_known: float
    """Share of the asked-for perturbations with at least one target gene in `genes`."""
    files: dict[str, str]
    """SHA-256 of every other file of the folder, by its relative path."""

    @classmethod
    def schema_name(cls) -> str:
        return "task"
