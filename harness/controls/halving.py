"""Replicates of the experiment: half of a condition's cells against pool C predicts the other half against pool B.

A replicate answers in its own cells, as many as it has, so that distances between clouds know it as a cloud. Where few
controls are cross-fitted, pool B alone stays the reference; where all pools are one, their cells are halved too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contract.predictions import PredictionsFile
from harness.controls.bench import Bench, Floats, rows_by_condition
from harness.controls.made_file import Matrix, create_matrices, open_made
from harness.datasets.obs import Pool
from harness.digest import seed_from
from harness.metrics.differential import benjamini_hochberg, welch
from harness.metrics.moments import Moments, moments
from harness.metrics.sampling import halves, sample
from harness.scoring.direct_table import scored_table
from harness.scoring.engine import Engine, OtherTruth, ScoreInputs
from harness.scoring.score_table import ScoreTable
from harness.scoring.truth_cache import TruthCache
from harness.splits.split import compress
from harness.tasks.means import batch_sums
from harness.tasks.truth import SealedContext, Truth, TruthCondition

FEWEST = 4
"""Cells of a condition that can be halved: two in each half have a variance."""
TOO_FEW = "no reported condition has cells enough to be halved"
DUPLICATES = ("technical_duplicate", "interpolated_duplicate")
HALF_ANCHORS = ("halved_mean", "halved_nothing")
"""The train mean and no effect against the same halves: what a duplicate is to be compared with, condition by condition."""
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Halving:
    """One seeded halving of every reported condition."""

    bench: Bench
    number: int
    truth: Truth
    """One half of the cells, asked for in as many rows as the other half has cells."""
    other: dict[int, Rows]
    """Per condition the cells of the half that predicts."""
    pool_c: dict[str, Rows]
    """Per context the controls that this half is compared with."""

    def score(self, scratch: Path) -> dict[str, ScoreTable]:
        """Both duplicates, and the two anchors, scored against the other half."""
        return {name: scored_table(Engine(inputs)) for name, inputs in self.inputs(scratch).items()}

    def inputs(self, scratch: Path) -> dict[str, ScoreInputs]:
        """Duplicates and anchors as predictions of this halving, ready to be scored; files lie in the scratch folder."""
        other = OtherTruth(f"halving {self.number}", self.truth, TruthCache(scratch / "kept"))
        bench = self.bench
        return {
            name: ScoreInputs(
                bench.dataset, bench.split, bench.task, file, "effect", kinds=("reported",), other=other
            )
            for name, file in (self._write(scratch) | self._write_anchors(scratch)).items()
        }

    def _write(self, scratch: Path) -> dict[str, PredictionsFile]:
        n_rows, n_genes = len(self.truth.query_condition), self.bench.n_genes
        made = {
            name: create_matrices(scratch / name, ("mean", "var"), n_rows, n_genes) for name in DUPLICATES
        }
        for replicate in self._replicates():
            for name, effect in zip(DUPLICATES, (replicate.effect, replicate.blended), strict=True):
                made[name]["mean"][replicate.rows] = replicate.cells + effect
                made[name]["var"][replicate.rows] = replicate.variance
        return self._open(scratch, made)

    def _write_anchors(self, scratch: Path) -> dict[str, PredictionsFile]:
        """The train mean and no effect, the same for every row."""
        n_rows, n_genes = len(self.truth.query_condition), self.bench.n_genes
        made = {name: create_matrices(scratch / name, ("mean",), n_rows, n_genes) for name in HALF_ANCHORS}
        for name, effect in zip(HALF_ANCHORS, (self.bench.train_mean, np.zeros(n_genes)), strict=True):
            made[name]["mean"][...] = effect
        return self._open(scratch, made)

    def _open(self, scratch: Path, made: dict[str, dict[str, Matrix]]) -> dict[str, PredictionsFile]:
        idx = np.arange(len(self.truth.query_condition), dtype=np.int64)
        genes = self.bench.dataset.genes
        return {name: open_made(scratch / name, matrices, idx, genes) for name, matrices in made.items()}

    def _replicates(self) -> Iterator[Replicate]:
        rows = rows_by_condition(self.truth)
        for index, cells in self.other.items():
            yield self._replicate(index, cells, rows[index])

    def _replicate(self, index: int, cells: Rows, rows: Rows) -> Replicate:
        """What the other half of a condition says."""
        dataset = self.bench.dataset
        own = np.asarray(dataset.delta(cells) if self.truth.paired else dataset.X[cells], np.float64)
        told = moments(own)
        control = Moments(len(own), np.zeros(self.bench.n_genes), np.zeros(self.bench.n_genes))
        pool = self.pool_c.get(self.truth.conditions[index].condition.context, cells[:0])
        level = np.zeros(self.bench.n_genes)
        if len(pool) and not self.truth.paired:
            control = moments(np.asarray(dataset.X[pool]))
            level = _at_batch_mix(self.bench, pool, cells)
        effect = told.mean - level
        share = 1 - benjamini_hochberg(welch(told, control).p)
        noise = told.variance / told.n + (control.variance / control.n if control.n > 1 else 0.0)
        chosen = own[sample(len(own), len(rows), seed_from("replicate", index, self.number))]
        centred = chosen - chosen.mean(axis=0)
        if not self.truth.paired:
            # the row's own control cell is taken off, so that the predicted cell is the replicate's
            basal = self._basal(rows)
            centred = centred - (basal - basal.mean(axis=0))
        blended = share * effect + (1 - share) * self.bench.train_mean
        return Replicate(rows, centred, effect, blended, np.maximum(noise, 1e-9))

    def _basal(self, rows: Rows) -> Floats:
        start = self.truth.query_row[rows]
        basal = np.asarray(self.bench.dataset.X[np.maximum(start, 0)], np.float64)
        basal[start < 0] = 0
        return basal


@dataclass(frozen=True)
class Replicate:
    """The half that predicts, of one condition."""

    rows: Rows
    """Its rows of the predictions."""
    cells: Floats  # [rows, genes]; cells less the controls that they are put on, of mean 0
    effect: Floats  # [genes]
    blended: Floats  # [genes]; drawn to the train mean where the half is not sure
    variance: Floats  # [genes]; sampling variance of the effect


def halve(bench: Bench, number: int) -> Halving | None:
    """A seeded halving; None where no condition has cells enough."""
    truth = bench.truth
    controls = {name: _own_controls(bench, name, number) for name in truth.contexts}
    conditions, other, keep = list(truth.conditions), {}, []
    asked_rows = rows_by_condition(truth)
    for index in truth.of_kind("reported").tolist():
        asked = truth.conditions[index]
        if len(asked.rows) < FEWEST:
            continue
        seed = seed_from("halving", number, truth.split.hash, *asked.condition)
        first, second = halves(len(asked.rows), seed)
        conditions[index] = TruthCondition(asked.condition, asked.kind, asked.rows[first], asked.stratum)
        other[index] = asked.rows[second]
        keep.append(asked_rows[index][: len(second)])
    if not keep:
        return None
    rows = np.sort(np.concatenate(keep))
    half = replace(
        truth,
        conditions=tuple(conditions),
        contexts={
            name: sealed.model_copy(
                update={"references": [compress(controls[name][0])] if sealed.references else []}
            )
            for name, sealed in truth.contexts.items()
        },
        query_condition=truth.query_condition[rows],
        query_row=truth.query_row[rows],
        _sums={},
    )
    return Halving(bench, number, half, other, {name: found[1] for name, found in controls.items()})


def _own_controls(bench: Bench, context: str, number: int) -> tuple[Rows, Rows]:
    """Controls of the half that is the truth, and of the half that predicts."""
    sealed: SealedContext = bench.truth.contexts[context]
    reference = bench.truth.reference(context)
    if sealed.mode == "shared-controls" and len(reference) > 1:
        first, second = halves(len(reference), seed_from("halved controls", number, context))
        return reference[first], reference[second]
    pool = bench.dataset.pool_rows(context, Pool.C)
    return reference, pool[bench.placed[pool]]


def _at_batch_mix(bench: Bench, pool: Rows, cells: Rows) -> Floats:
    """Mean of controls in the batch mix of some cells where they hold every batch, else the plain mean. [genes]"""
    batch = bench.dataset.obs.batch
    codes, counts, sums = batch_sums(bench.dataset.X, pool, batch)
    wanted, n = np.unique(batch.codes[cells], return_counts=True)
    if not np.isin(wanted, codes).all():
        return np.asarray(sums.sum(axis=0) / counts.sum(), np.float64)
    place = np.searchsorted(codes, wanted)
    return np.asarray((n / n.sum()) @ (sums[place] / counts[place, None]), np.float64)
