"""The sealed truth of a task: what each query row asks, which hidden cells answer it, and what their effect is against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.contract.models import Record
from harness.contract.task import EvalSplit, NamedHash
from harness.datasets.dataset import PerturbDataset
from harness.datasets.meta import ControlMode
from harness.datasets.obs import Condition
from harness.errors import HarnessError
from harness.splits.split import Runs, expand
from harness.storage import read_json
from harness.tasks.asked import Kind
from harness.tasks.folder import Task
from harness.tasks.means import batch_sums, row_mean

TRUTH_FILE = "truth.json"
QUERY_CONDITION_FILE = "query_condition.npy"
QUERY_ROW_FILE = "query_row.npy"
CANARY_FILE = "canary.npy"


class SealedCondition(Record):
    """One condition that is asked for."""

    context: str
    pert: str
    covariates: list[str]
    kind: Kind
    rows: Runs
    """Dataset rows of its hidden cells; none for a canary."""
    stratum: str | None


class SealedContext(Record):
    """What truth deltas of a context are taken against."""

    mode: ControlMode
    references: list[Runs]
    """Control rows: pool B; pools B and C where few controls are cross-fitted; none where rows are deltas already."""


class TruthDocument(Record):
    """`sealed/truth.json`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    dataset: NamedHash
    split: NamedHash
    eval_split: EvalSplit
    conditions: list[SealedCondition]
    """In the order of (context, perturbation, covariates)."""
    contexts: dict[str, SealedContext]
    paired: bool
    """Each hidden cell has its own control, and its effect is against that one."""
    notes: list[str]


@dataclass(frozen=True)
class TruthCondition:
    """One condition that was asked for, and the dataset rows of its hidden cells."""

    condition: Condition
    kind: Kind
    rows: NDArray[np.int64]
    stratum: str | None


@dataclass(frozen=True)
class Truth:
    """The answers of a task, by reference into the dataset."""

    dataset: NamedHash
    split: NamedHash
    eval_split: EvalSplit
    conditions: tuple[TruthCondition, ...]
    contexts: dict[str, SealedContext]
    paired: bool
    query_condition: NDArray[np.int32]  # [Q], position in `conditions`
    query_row: NDArray[np.int64]  # [Q], dataset row of the pool-A cell; −1: zeros stood in
    canary: NDArray[np.float32]  # [canaries, genes], in the order of the canaries in `conditions`
    notes: tuple[str, ...]
    _sums: dict[tuple[str, int], tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def of_kind(self, kind: Kind) -> NDArray[np.int64]:
        """Positions of the conditions of a kind."""
        return np.array([i for i, c in enumerate(self.conditions) if c.kind == kind], np.int64)

    def reference(self, context: str) -> NDArray[np.int64]:
        """The pool-B controls of a context; empty where rows are deltas already."""
        references = self.references(context)
        return references[0] if references else np.zeros(0, np.int64)

    def references(self, context: str) -> tuple[NDArray[np.int64], ...]:
        """Pool B, and pool C too where few controls are cross-fitted: scores are averaged over them."""
        return tuple(expand(runs) for runs in self.contexts[context].references)

    def delta(
        self, dataset: PerturbDataset, index: int, *, reference: int | None = None
    ) -> NDArray[np.float64]:
        """Effect of a condition: mean of its cells − mean of the reference controls. [genes]

        The reference has the batch mix of the condition's cells where it holds every one of their batches, else it is the
        plain mean; paired cells are compared with their own controls. Without `reference` the effect is averaged over all
        references of the context.
        """
        self._check(dataset)
        asked = self.conditions[index]
        if asked.kind == "canary":
            return np.asarray(self.canary[int((self.of_kind("canary") < index).sum())], np.float64)
        mean = row_mean(dataset.X, asked.rows)
        if self.paired:
            return mean - row_mean(dataset.X, dataset.control[asked.rows])
        references = range(len(self.contexts[asked.condition.context].references))
        used = list(references) if reference is None else [reference]
        if not used:
            return mean
        batch = dataset.obs.batch.codes[asked.rows]
        basal = [self._basal(dataset, asked.condition.context, r, batch) for r in used]
        return np.asarray(mean - np.mean(basal, axis=0), np.float64)

    def _basal(
        self, dataset: PerturbDataset, context: str, reference: int, batch: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Mean of one reference in the batch mix of some cells. [genes]"""
        key = (context, reference)
        if key not in self._sums:
            if any(kept != context for kept, _ in self._sums):
                self._sums.clear()
            rows = self.references(context)[reference]
            self._sums[key] = batch_sums(dataset.X, rows, dataset.obs.batch)
        codes, counts, sums = self._sums[key]
        wanted, n = np.unique(batch, return_counts=True)
        if not np.isin(wanted, codes).all():
            return np.asarray(sums.sum(axis=0) / counts.sum(), np.float64)
        place = np.searchsorted(codes, wanted)
        return np.asarray((n / n.sum()) @ (sums[place] / counts[place, None]), np.float64)

    def _check(self, dataset: PerturbDataset) -> None:
        if dataset.data_hash != self.dataset.hash:
            raise HarnessError(
                "this truth belongs to another dataset",
                where=dataset.path,
                got=f"{dataset.name} {dataset.data_hash}",
                expected=f"{self.dataset.name} {self.dataset.hash}",
                mend="open the dataset that the task was built from",
            )


def load_truth(task: Task) -> Truth:
    """The sealed truth of a verified task."""
    path = task.sealed / TRUTH_FILE
    document = TruthDocument.read(read_json(path, "sealed truth"), where=path)
    return Truth(
        dataset=document.dataset,
        split=document.split,
        eval_split=document.eval_split,
        conditions=tuple(
            TruthCondition(
                Condition(c.context, c.pert, tuple(c.covariates)), c.kind, expand(c.rows), c.stratum
            )
            for c in document.conditions
        ),
        contexts=document.contexts,
        paired=document.paired,
        query_condition=np.load(task.sealed / QUERY_CONDITION_FILE),
        query_row=np.load(task.sealed / QUERY_ROW_FILE),
        canary=np.load(task.sealed / CANARY_FILE),
        notes=tuple(document.notes),
    )
