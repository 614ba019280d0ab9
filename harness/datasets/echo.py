"""The control-echo check: handing back control cells must not look like knowledge.

A model may see pool A. If the truth subtracts the same cells, the prediction that knows no biology at all, minus what pool
A shows, correlates with it. The echo is `−(x_A − C̄)`: the pool-A cells matched to a condition's cells against the mean of
pool C, an estimate of the same control state from other cells. (Against pool A's own mean the part that pools share would
cancel.) The truth is the condition's mean minus the mean of pool B. Both are taken at one batch mix, that of the condition.

Disjoint pools of independent cells give 0 on average, with a null distribution that is known: within a context and batch the
cells of A and C are exchangeable, whatever B and the perturbed cells are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.digest import seed_from
from harness.errors import HarnessError

LARGEST_R = 0.02
LARGEST_P = 1e-3
LARGEST_TWINS = 0.05
CELLS_PER_CONDITION = 32
CONTROLS_PER_POOL = 200
MAX_GENES = 2000


@dataclass(frozen=True)
class EchoReport:
    """How well an echo of the controls scores on an artifact."""

    r: float
    """Pearson correlation over genes of echo and truth delta, mean over conditions, contexts weighted alike."""
    p: float
    """Two-sided permutation p of its covariance, cells of pools A and C exchanged within context and batch."""
    n: int
    """Conditions looked at."""
    twins: float
    """Share of the pool-B cells looked at whose values stand in pool A of the same context too, value for value."""
    reason: str | None = None
    """Why the check does not apply; then r and p are NaN."""

    @property
    def refused(self) -> bool:
        """Whether an artifact with this echo is refused."""
        return (abs(self.r) > LARGEST_R and self.p < LARGEST_P) or self.twins > LARGEST_TWINS


@dataclass(frozen=True)
class _ContextEcho:
    """What one context contributes."""

    correlations: NDArray[np.float64]  # [conditions]
    covariances: NDArray[
        np.float64
    ]  # [1 + permutations], mean over conditions; the first is the observed one
    twins: float


def refuse_echo(dataset: PerturbDataset, *, where: Path, max_rows: int = 20_000) -> EchoReport:
    """Refuse an artifact, by the name it was to have, on which an echo of the controls scores. Returns the report."""
    report = control_echo(dataset, max_rows=max_rows)
    if report.refused:
        raise HarnessError(
            "control cells answer for themselves: an echo of pool A predicts the truth deltas",
            where=where,
            got=f"r = {report.r:.3f} (p = {report.p:.1g}, {report.n} conditions), "
            f"{report.twins:.0%} of the pool-B cells stand in pool A too",
            expected=f"|r| at most {LARGEST_R} or p at least {LARGEST_P:g}, and no repeated control cells",
            mend="look for control cells that stand in the source more than once, or values smoothed over cells",
        )
    return report


def control_echo(
    dataset: PerturbDataset, *, max_rows: int = 20_000, permutations: int = 1999, seed: int = 0
) -> EchoReport:
    """Score the control echo on an artifact, on a seeded sample of at most about `max_rows` rows."""
    reason = _not_applicable(dataset)
    if reason:
        return EchoReport(float("nan"), float("nan"), 0, 0.0, reason)
    rng = np.random.default_rng(seed_from("echo", seed))
    genes = np.sort(rng.permutation(dataset.meta.n_vars)[:MAX_GENES])
    contexts = [
        name for name, mode in dataset.meta.pools.modes.items() if mode in ("three-pool", "cross-fit")
    ]
    quota = max(2, int((max_rows / len(contexts) - 3 * CONTROLS_PER_POOL) // CELLS_PER_CONDITION))
    found = [_context_echo(dataset, context, genes, quota, permutations, rng) for context in contexts]
    echoes = [echo for echo in found if echo is not None]
    if not echoes:
        return EchoReport(
            float("nan"), float("nan"), 0, 0.0, "no condition shares a batch with controls of each pool"
        )
    null = np.mean([echo.covariances for echo in echoes], axis=0)
    return EchoReport(
        r=float(np.mean([echo.correlations.mean() for echo in echoes])),
        p=float(np.mean(np.abs(null) >= np.abs(null[0]) * (1 - 1e-12))),
        n=sum(len(echo.correlations) for echo in echoes),
        twins=float(np.mean([echo.twins for echo in echoes])),
    )


def _not_applicable(dataset: PerturbDataset) -> str | None:
    if dataset.meta.unit == "profile":
        return "rows are profiles, not cells"
    if dataset.meta.matching.rule != "cell":
        return f"controls are matched by the rule {dataset.meta.matching.rule!r}"
    if not {"three-pool", "cross-fit"}.intersection(dataset.meta.pools.modes.values()):
        return "no context has controls enough for three pools"
    return None


def _context_echo(
    dataset: PerturbDataset,
    context: str,
    genes: NDArray[np.int64],
    quota: int,
    permutations: int,
    rng: np.random.Generator,
) -> _ContextEcho | None:
    batch = dataset.obs.batch.codes
    pools = {
        pool: _some(dataset.pool_rows(context, pool), CONTROLS_PER_POOL, rng) for pool in (Pool.B, Pool.C)
    }
    pool_a = dataset.pool_rows(context, Pool.A)
    shared = set(batch[pool_a]) & set(batch[pools[Pool.B]]) & set(batch[pools[Pool.C]])
    cells = _cells_of_conditions(dataset, context, np.array(sorted(shared), np.int32), quota, rng)
    if not cells:
        return None
    matched = [dataset.control[rows] for rows in cells]
    seen_a = np.unique(np.concatenate(matched))
    inputs = np.concatenate([seen_a, pools[Pool.C]])

    truth = _condition_means(dataset, cells, genes) - _reference(dataset, cells, pools[Pool.B], genes)
    weights = np.stack(
        [
            np.concatenate([_shares(seen_a, rows), -_mix(batch[pools[Pool.C]], batch[of])])
            for rows, of in zip(matched, cells, strict=True)
        ]
    )  # [conditions, inputs]; each row sums to 0
    values = _centred(np.asarray(dataset.X[inputs][:, genes], np.float64))
    truth = _centred(truth)
    correlations = _row_correlations(-weights @ values, truth)
    projected = values @ (truth / np.maximum(np.linalg.norm(truth, axis=1, keepdims=True), 1e-300)).T
    # What each cell adds to the mean covariance when it stands in the place of another. [places, cells]
    moved = -weights.T @ projected.T / len(cells)
    orders = _shuffled_within(batch[inputs], permutations, rng)
    covariances = moved[np.arange(len(inputs)), orders].sum(axis=1)
    twins = _twins(dataset, _some(pool_a, CONTROLS_PER_POOL * 2, rng), pools[Pool.B])
    return _ContextEcho(correlations, covariances, twins)


def _cells_of_conditions(
    dataset: PerturbDataset,
    context: str,
    batches: NDArray[np.int32],
    quota: int,
    rng: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Cells of some conditions of a context, of the batches in which each pool has a control."""
    obs = dataset.obs
    rows = np.flatnonzero(
        (obs.context.codes == obs.context.code(context)) & ~obs.is_control & np.isin(obs.batch.codes, batches)
    )
    condition = dataset.conditions.of_row[rows]
    chosen = _some(np.unique(condition).astype(np.int64), quota, rng)
    return [_some(rows[condition == one], CELLS_PER_CONDITION, rng) for one in chosen]


def _reference(
    dataset: PerturbDataset,
    cells: list[NDArray[np.int64]],
    pool_b: NDArray[np.int64],
    genes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The pool-B mean at the batch mix of each condition. [conditions, genes]"""
    batch = dataset.obs.batch.codes
    weights = np.stack([_mix(batch[pool_b], batch[rows]) for rows in cells])
    return np.asarray(weights @ np.asarray(dataset.X[pool_b][:, genes], np.float64))


def _condition_means(
    dataset: PerturbDataset, cells: list[NDArray[np.int64]], genes: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.stack([np.asarray(dataset.X[rows][:, genes], np.float64).mean(axis=0) for rows in cells])


def _mix(batch: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.float64]:
    """Weights that give cells of some batches the batch mix of others; they sum to 1. [cells]"""
    weights = np.zeros(len(batch))
    for code, count in zip(*np.unique(wanted, return_counts=True), strict=True):
        here = batch == code
        weights[here] = count / len(wanted) / here.sum()
    return weights


def _shares(cells: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """How often each of the sorted cells was drawn, as shares. [cells]"""
    return np.bincount(np.searchsorted(cells, drawn), minlength=len(cells)) / len(drawn)


def _twins(dataset: PerturbDataset, pool_a: NDArray[np.int64], pool_b: NDArray[np.int64]) -> float:
    """Share of pool-B cells whose values a pool-A cell has too; empty cells do not count."""
    known = {row.tobytes() for row in np.asarray(dataset.X[pool_a])}
    values = np.asarray(dataset.X[pool_b])
    return float(np.mean([bool(row.any()) and row.tobytes() in known for row in values]))


def _shuffled_within(
    group: NDArray[np.int32], permutations: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The order as it is, then random orders that leave every group in its places. [1 + permutations, cells]"""
    _, code = np.unique(group, return_inverse=True)
    orders = np.empty((1 + permutations, len(group)), np.int64)
    orders[0] = np.arange(len(group))
    orders[1:, np.argsort(code, kind="stable")] = np.argsort(
        code + rng.random((permutations, len(group))), axis=1
    )
    return orders


def _row_correlations(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    norm = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return np.asarray((left * right).sum(axis=1) / np.maximum(norm, 1e-300))


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean(axis=1, keepdims=True))


def _some(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most so many of the rows, chosen at random, ascending."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
