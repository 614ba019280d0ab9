"""Predictions + sealed truth → one value per metric and condition, a block of conditions at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.metrics.registry import PANELS, BlockMetric, block_metrics
from harness.scoring.answers import Answers
from harness.scoring.observed import Observation, Observer
from harness.tasks.truth import Truth

BLOCK_CONDITIONS = 128
"""Conditions scored at once; each is scored on its own, so the number changes memory and speed, not results."""
SCORED_KINDS = ("reported", "iid")
VarKind = Literal["effect", "observed", "cell"]


@dataclass(frozen=True)
class Variance:
    """Where the variance of the predictions comes from, and what it is the variance of."""

    source: Literal["native", "filled", "none"]
    kind: VarKind
    filled: NDArray[np.float64] | None = None  # [genes]
    reason: str | None = None
    """Why there is none."""


@dataclass(frozen=True)
class ScoredCondition:
    """One condition with its value of every metric; None with its reason where a metric is undefined."""

    index: int
    """Position among the truth's conditions."""
    values: dict[str, float | None]
    reasons: dict[str, str]


def score_conditions(
    dataset: PerturbDataset,
    truth: Truth,
    answers: Answers,
    variance: Variance,
    progress: Callable[[int, int], None] | None = None,
) -> list[ScoredCondition]:
    """Score every reported and iid condition that the predictions speak of. Canaries and calib stay out of panels."""
    chosen = [
        i for i, asked in enumerate(truth.conditions) if asked.kind in SCORED_KINDS and len(answers.rows[i])
    ]
    observer = Observer(dataset, truth)
    scored: list[ScoredCondition] = []
    for start in range(0, len(chosen), BLOCK_CONDITIONS):
        block = chosen[start : start + BLOCK_CONDITIONS]
        scored += _score_block(block, observer, answers, variance)
        if progress is not None:
            progress(len(scored), len(chosen))
    return scored


def _score_block(
    block: Sequence[int], observer: Observer, answers: Answers, variance: Variance
) -> list[ScoredCondition]:
    observations = [observer.observe(condition) for condition in block]
    owner = np.repeat(np.arange(len(block)), [len(found) for found in observations])
    flat = [one for found in observations for one in found]
    arrays = {"predicted": answers.mean(block)[owner], "observed": np.stack([one.effect for one in flat])}
    spread = _variance(block, owner, flat, answers, variance)
    if spread is not None:
        arrays["variance"] = spread
    scored = [ScoredCondition(condition, {}, {}) for condition in block]
    for name in PANELS:
        for metric in block_metrics(name):
            _add(scored, metric, arrays, owner, variance)
    return scored


def _add(
    scored: list[ScoredCondition],
    metric: BlockMetric,
    arrays: dict[str, NDArray[np.float64]],
    owner: NDArray[np.int64],
    variance: Variance,
) -> None:
    """One metric of one block; a condition with several references gets the mean of its scores."""
    name = metric.card.name
    if not set(metric.arguments) <= set(arrays):
        for one in scored:
            one.values[name], one.reasons[name] = None, variance.reason or "there is no variance"
        return
    scores = metric.function(**{need: arrays[need] for need in metric.arguments})
    for i, one in enumerate(scored):
        positions = np.flatnonzero(owner == i)
        undefined = [scores.reasons[p] for p in positions.tolist() if p in scores.reasons]
        if undefined:
            one.values[name], one.reasons[name] = None, undefined[0]
        else:
            one.values[name] = float(scores.values[positions].mean())


def _variance(
    block: Sequence[int],
    owner: NDArray[np.int64],
    observations: Sequence[Observation],
    answers: Answers,
    variance: Variance,
) -> NDArray[np.float64] | None:
    """The variance of observed − predicted effect. [observations, genes]

    `effect`: var + s²_T/n_T + s²_B/n_B; `observed`: var; `cell`: var/n_T + epistemic + s²_B/n_B.
    """
    if variance.source == "none":
        return None
    if variance.filled is not None:
        return np.broadcast_to(variance.filled, (len(owner), len(variance.filled)))
    told = answers.variance(block)[owner]
    if variance.kind == "observed":
        return told
    reference = np.stack([one.reference_variance for one in observations])
    if variance.kind == "effect":
        return told + np.stack([one.cells_variance for one in observations]) + reference
    n_cells = np.array([one.n_cells for one in observations], np.float64)
    return told / n_cells[:, None] + answers.epistemic(block)[owner] + reference
