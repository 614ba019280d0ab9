"""The metadata adversary: it sees no expression profile, only what a task tells beside the name of a perturbation.

For each condition it knows its number of rows, library size, mean, zeros, batches, place in the file and covariates, all
relative to the context's own mean (which context it is, is no secret). It predicts the train mean plus the residual of the
training conditions that look alike. A gain above 2 % of the train mean's squared error with p < 0.01 is a leak: the split
then tells how strong an effect is by how it was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.controls.bench import Bench
from harness.sdk import Condition, Table, load_task
from harness.sdk import Task as Seen

NEIGHBOURS = 7
GAIN, P = 0.02, 0.01
FLIPS = 4999
ALL = "all"
NO_TRAINING = "nothing was trained on"
NO_JUDGED = "no condition is asked for whose effect is known"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """What one group of features gains over the train mean."""

    gain: float
    """(squared error of the train mean − that of the adversary) / that of the train mean."""
    p: float
    """One-sided, by sign flips of conditions, times the number of groups."""

    @property
    def leaks(self) -> bool:
        return self.gain > GAIN and self.p < P


def metadata_adversary(bench: Bench, seed: int = 0) -> dict[str, Verdict] | str:
    """The verdict on each group of features and on all together; or why there is nothing to judge."""
    seen = load_task(bench.task.public)
    train, query = seen.conditions("train"), seen.conditions()
    if not len(train.table):
        return NO_TRAINING
    effect = _training_effects(seen, train.of_row[seen.perturbed_rows], len(train.table))
    residual = _centred(effect, train.table)
    batches = sorted(set(seen.train.obs["batch_id"].tolist()))
    known = _features(seen.train, train.of_row, len(train.table), seen.card, batches)
    asked = _features(seen.query, query.of_row, len(query.table), seen.card, batches)
    judged, real = _real_effects(bench, query.table)
    if not judged:
        return NO_JUDGED
    baseline = effect.mean(axis=0)
    lost = ((real - baseline) ** 2).mean(axis=1)
    groups = [*(name for name in known if known[name].size), ALL]
    rng = np.random.default_rng(seed)
    verdicts = {}
    for group in groups:
        names = groups[:-1] if group == ALL else [group]
        near = _neighbours([known[n] for n in names], [asked[n] for n in names], train.table, query.table)
        guess = baseline + residual[near[judged]].mean(axis=1)
        won = (lost - ((real - guess) ** 2).mean(axis=1)) / lost.mean()
        flips = rng.choice([-1.0, 1.0], (FLIPS, len(won))) @ won / len(won)
        p = (1 + (flips >= won.mean()).sum()) / (FLIPS + 1)
        verdicts[group] = Verdict(float(won.mean()), min(1.0, float(p) * len(groups)))
    return verdicts


def _training_effects(seen: Seen, of_row: NDArray[np.int64], n: int) -> Floats:
    """Mean delta of each training condition, read in blocks. [conditions, genes]"""
    total = np.zeros((n, len(seen.genes)))
    rows = seen.perturbed_rows
    for start in range(0, len(rows), 4096):
        block = slice(start, start + 4096)
        np.add.at(total, of_row[block], seen.train_delta(rows[block]))
    return np.asarray(total / np.maximum(np.bincount(of_row, minlength=n), 1)[:, None])


def _real_effects(bench: Bench, table: Sequence[Condition]) -> tuple[list[int], Floats]:
    """Which asked-for conditions have a measured effect, and those effects."""
    truth = bench.truth
    place = {
        (one.condition.context, one.condition.pert, one.condition.covariates): i
        for i, one in enumerate(truth.conditions)
        if one.kind in ("reported", "calib")
    }
    keys = [(one.context, one.pert, tuple(map(str, one.covariates))) for one in table]
    judged = [k for k, key in enumerate(keys) if key in place]
    return judged, np.array([truth.delta(bench.dataset, place[keys[k]]) for k in judged])


def _features(
    table: Table, of_row: NDArray[np.int64], n: int, card: dict[str, Any], batches: Sequence[str]
) -> dict[str, Floats]:
    """What is told of each condition, by group. Each [conditions, features]"""
    sums = _row_sums(table)
    columns: dict[str, list[Floats]] = {
        "number": [np.ones(len(of_row))],
        "size": sums,
        "batch": [np.asarray(table.obs["batch_id"] == b, np.float64) for b in batches],
        "order": [np.arange(len(of_row)) / max(len(of_row), 1)],
        "covariates": [np.asarray(table.obs[name], np.float64) for name in _numeric(table, card)],
    }
    mine = of_row >= 0
    counts = np.bincount(of_row[mine], minlength=n)
    found: dict[str, Floats] = {}
    for group, values in columns.items():
        totals = [np.bincount(of_row[mine], v[mine], minlength=n) for v in values]
        means = totals if group == "number" else [total / np.maximum(counts, 1) for total in totals]
        found[group] = np.asarray(np.array(means, np.float64).reshape(-1, n).T, np.float64)
    return found


def _numeric(table: Table, card: dict[str, Any]) -> Iterable[str]:
    """Covariates that are numbers."""
    for name in card.get("covariates", []):
        try:
            np.asarray(table.obs[name], np.float64)
        except ValueError:
            continue
        yield name


def _row_sums(table: Table) -> list[Floats]:
    """Library size, amount, mean and share of zeros of each row."""
    n = len(table.X)
    found = [np.zeros(n) for _ in range(4)]
    for start in range(0, n, 4096):
        rows = slice(start, start + 4096)
        X = np.asarray(table.X[rows], np.float64)
        amount = X if table.counts is None else np.asarray(table.counts[rows], np.float64)
        with np.errstate(over="ignore"):
            size = np.nan_to_num(np.expm1(X).sum(axis=1), posinf=np.finfo(np.float64).max)
        for column, values in zip(
            found, (size, amount.sum(axis=1), X.mean(axis=1), (amount == 0).mean(axis=1)), strict=True
        ):
            column[rows] = values
    return found


def _neighbours(
    known: Sequence[Floats], asked: Sequence[Floats], train: Sequence[Condition], query: Sequence[Condition]
) -> NDArray[np.int64]:
    """Positions of the training conditions that look most like each question. [questions, NEIGHBOURS]"""
    left, right = _centred(np.hstack(known), train), _centred(np.hstack(asked), query)
    scale = np.where(left.std(axis=0) > 0, left.std(axis=0), 1)
    left, right = left / scale, right / scale
    found = np.empty((len(right), min(NEIGHBOURS, len(left))), np.int64)
    for i, one in enumerate(right):
        distance = ((one - left) ** 2).sum(axis=1)
        found[i] = np.argsort(distance, kind="stable")[: found.shape[1]]
    return found


def _centred(values: Floats, table: Sequence[Condition]) -> Floats:
    """Relative to the mean of the same context."""
    out = values.copy()
    names = np.array([one.context for one in table])
    for name in np.unique(names):
        out[names == name] -= out[names == name].mean(axis=0)
    return out
