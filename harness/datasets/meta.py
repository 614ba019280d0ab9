"""`meta.json` of a dataset artifact: what the arrays are, where they come from, and the hashes they are frozen under."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.contract.models import Record
from harness.digest import Digest

DATASET_META = "meta.json"
Unit = Literal["cell", "profile"]
XKind = Literal["log_normalised", "delta", "log2_expression", "zscore", "rank"]
MatchingRule = Literal["cell", "mean", "paired", "none"]
ControlMode = Literal["three-pool", "cross-fit", "shared-controls", "none"]


class ArrayCard(Record):
    """One array file: what it holds and the hash of its content."""

    dtype: str
    shape: list[int]
    sha256: str


class ObsCard(Record):
    """`obs.parquet`: hash of its values, and of its bytes."""

    content_sha256: str
    file_sha256: str


class CovariateCard(Record):
    """A covariate column of `obs.parquet`."""

    kind: Literal["label", "number"]
    intervention: bool
    """It describes the intervention (dose, time, …): told to submissions, part of the condition."""


class Preprocessing(Record):
    """What was done to the source's values, step by step."""

    found: str
    """What the source held: `counts`, `log_normalised`, …"""
    steps: list[str]
    target_sum: float | None = None
    gene_space: str
    """The rule that chose the genes, e.g. `all`, `expressed in controls`, `2000 HVGs of pool-A controls`."""


class Source(Record):
    """Where the data come from."""

    url: str | None = None
    license: str | None = None
    citation: str | None = None
    sha256: str | None = None
    """SHA-256 of the file that was imported."""
    card: str | None = None
    """The dataset card that was used."""


class Matching(Record):
    """How each row found its control."""

    rule: MatchingRule
    """`cell`: a seeded pool-A cell of the same context and batch; `mean`: the mean of those cells; `paired`: the control
    that the source gives to each row; `none`: rows are deltas or signatures already."""
    seed: int


class Pools(Record):
    """How the controls were dealt into pools A, B, C."""

    seed: int
    modes: dict[str, ControlMode]
    """Per context: `three-pool` (30 controls or more), `cross-fit`, `shared-controls` (fewer than 6), `none`."""


class DatasetMeta(Record):
    """The card of a dataset artifact, `meta.json`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    name: str
    title: str = ""
    unit: Unit = "cell"
    x_kind: XKind = "log_normalised"
    n_obs: int
    n_vars: int
    genes: list[str]
    control_label: str = "control"
    perturbations: dict[str, list[str]]
    """Target genes of each perturbation id; empty for drugs and other interventions without a gene."""
    covariates: dict[str, CovariateCard] = {}
    preprocessing: Preprocessing
    source: Source = Source()
    matching: Matching
    pools: Pools
    arrays: dict[str, ArrayCard]
    """Array files by relative path: `X.npy`, `control.npy`, `controls.npy` (means), `counts.npy`, `obsm/NAME.npy`."""
    obs: ObsCard
    notes: list[str] = []
    """What a reader must know, e.g. counts of perturbed genes that are not in the gene list."""
    data_hash: str
    """Content hash: genes, arrays, rows, perturbations. The same content has the same hash on any platform."""
    meta_hash: str
    """Hash of every other field of this card."""

    @property
    def genes_hash(self) -> str:
        return genes_hash(self.genes)


def genes_hash(genes: list[str]) -> str:
    """Hash of an ordered gene index."""
    return Digest("genes").strings("genes", genes).hexdigest()


def data_hash(meta: dict[str, Any]) -> str:
    """The identity of a dataset, from its card's content fields."""
    digest = Digest("dataset").field("unit", meta["unit"]).field("x_kind", meta["x_kind"])
    digest.field("control_label", meta["control_label"]).strings("genes", meta["genes"])
    digest.json("perturbations", meta["perturbations"])
    digest.json("arrays", meta["arrays"])
    return digest.field("obs", meta["obs"]["content_sha256"]).hexdigest()


def meta_hash(meta: dict[str, Any]) -> str:
    """Hash of a card without its own hash."""
    return (
        Digest("dataset-meta").json("meta", {k: v for k, v in meta.items() if k != "meta_hash"}).hexdigest()
    )
