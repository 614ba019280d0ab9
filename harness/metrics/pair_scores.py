"""Scores of a prediction against a truth, and of all predictions of a context against all its truths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.backend import product
from harness.metrics.differential import strongest
from harness.metrics.pairwise import squared_distances, sum_of_distances

Vector = NDArray[np.float64]  # [features]
Matrix = NDArray[np.float64]  # [conditions, features]
Cloud = NDArray[np.float64]  # [cells, features]
VectorScore = Literal["rmse", "mse", "mae", "cosine", "pearson", "r2_score", "top_k_recall"]
TOP_K = 50
BLOCK_CELLS = 8192


def rmse(predicted: Vector, observed: Vector) -> float:
    """Root mean squared difference."""
    return float(np.sqrt(np.square(predicted - observed).mean()))


def mse(predicted: Vector, observed: Vector) -> float:
    """Mean squared difference."""
    return float(np.square(predicted - observed).mean())


def mae(predicted: Vector, observed: Vector) -> float:
    """Mean absolute difference."""
    return float(np.abs(predicted - observed).mean())


def cosine(predicted: Vector, observed: Vector) -> float:
    """Cosine of the angle between two vectors, not centred; NaN where one is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.sqrt(np.square(predicted).sum() * np.square(observed).sum())
        return float(np.clip((predicted * observed).sum() / norms, -1.0, 1.0))


def pearson(predicted: Vector, observed: Vector) -> float:
    """Correlation; NaN where one vector is constant."""
    return cosine(*(centred(vector[None])[0] for vector in (predicted, observed)))


def r2_score(predicted: Vector, observed: Vector) -> float:
    """1 − Σ(x − y)² / Σ(x − mean x)², x the *prediction*; a constant prediction has 0, or 1 where it is right."""
    error = np.square(predicted - observed).sum()
    spread = np.square(centred(predicted[None])).sum()
    if spread == 0:
        return float(error == 0)
    return float(1 - error / spread)


def top_k_recall(predicted: Vector, observed: Vector, k: int = TOP_K) -> float:
    """Overlap of the k strongest features of either side, divided by k even where there are fewer features."""
    if np.isnan(predicted).any() or np.isnan(observed).any():
        return float("nan")
    return len(np.intersect1d(strongest(predicted, k), strongest(observed, k))) / k


def mmd(predicted: Cloud, observed: Cloud, within_observed: float | None = None) -> float:
    """Half the energy distance of two groups of cells, each cell paired with itself too."""
    within = mean_within(observed) if within_observed is None else within_observed
    return _between(predicted, observed) - (mean_within(predicted) + within) / 2


VECTOR_SCORES: dict[VectorScore, Callable[[Vector, Vector], float]] = {
    "rmse": rmse, "mse": mse, "mae": mae, "cosine": cosine, "pearson": pearson, "r2_score": r2_score,
    "top_k_recall": top_k_recall,
}  # fmt: skip
HIGHER_IS_BETTER = frozenset({"cosine", "pearson", "r2_score", "top_k_recall"})


def all_pairs(score: VectorScore, predicted: Matrix, observed: Matrix) -> Matrix:
    """A score of every prediction (row) against every truth (column), by matrix products."""
    return _ALL_PAIRS[score](predicted, observed)


def mmd_of_all_pairs(predicted: Sequence[Cloud], observed: Sequence[Cloud]) -> Matrix:
    """MMD of every prediction (row) against every truth (column); an empty cloud has NaN."""
    scores = np.full((len(predicted), len(observed)), np.nan)
    _fill_mean_distances(scores, predicted, observed)
    scores -= 0.5 * np.array([mean_within(cloud) for cloud in predicted])[:, None]
    scores -= 0.5 * np.array([mean_within(cloud) for cloud in observed])
    return scores


def centred(vectors: Matrix) -> Matrix:
    """Rows minus their mean; a constant row is exactly 0."""
    out = np.asarray(vectors - vectors.mean(axis=1, keepdims=True))
    out[vectors.max(axis=1) == vectors.min(axis=1)] = 0.0
    return out


def unit(vectors: Matrix) -> Matrix:
    """Rows of length 1; NaN where a row is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(vectors / np.sqrt(np.square(vectors).sum(axis=1, keepdims=True)), np.float64)


def _mse_pairs(predicted: Matrix, observed: Matrix) -> Matrix:
    """Differences do not change when both move; near 0 the expansion of the square keeps its digits."""
    centre = observed.mean(axis=0)
    centre = np.where(np.isfinite(centre), centre, 0.0)
    squared = squared_distances(predicted - centre, observed - centre)
    squared /= predicted.shape[1]
    return squared


def _mae_pairs(predicted: Matrix, observed: Matrix) -> Matrix:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(predicted, observed, "cityblock") / predicted.shape[1], np.float64)


def _cosine_pairs(predicted: Matrix, observed: Matrix) -> Matrix:
    return np.asarray(np.clip(product(unit(predicted), unit(observed)), -1.0, 1.0))


def _r2_pairs(predicted: Matrix, observed: Matrix) -> Matrix:
    error = _mse_pairs(predicted, observed)
    spread = np.square(centred(predicted)).mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread == 0, np.where(error == 0, 1.0, 0.0), 1 - error / spread)


def _recall_pairs(predicted: Matrix, observed: Matrix) -> Matrix:
    """Overlaps are small whole numbers, which float32 counts exactly."""
    members = [_members(vectors) for vectors in (predicted, observed)]
    recall = (members[0] @ members[1].T).astype(np.float64) / TOP_K
    recall[np.isnan(predicted).any(axis=1)] = np.nan
    recall[:, np.isnan(observed).any(axis=1)] = np.nan
    return np.asarray(recall)


def _members(vectors: Matrix) -> NDArray[np.float32]:
    members = np.zeros(vectors.shape, np.float32)
    for row, vector in zip(members, vectors, strict=True):
        row[strongest(vector, TOP_K)] = 1.0
    return members


_ALL_PAIRS: dict[VectorScore, Callable[[Matrix, Matrix], Matrix]] = {
    "rmse": lambda x, y: np.sqrt(_mse_pairs(x, y)),
    "mse": _mse_pairs,
    "mae": _mae_pairs,
    "cosine": _cosine_pairs,
    "pearson": lambda x, y: _cosine_pairs(centred(x), centred(y)),
    "r2_score": _r2_pairs,
    "top_k_recall": _recall_pairs,
}


class _Run(NamedTuple):
    """Neighbouring clouds that are compared at once."""

    start: int
    stop: int


def _fill_mean_distances(means: Matrix, clouds: Sequence[Cloud], others: Sequence[Cloud]) -> None:
    """Mean distance of each cloud's cells (row) to those of each other cloud (column), where there are cells."""
    for run in _runs(others):
        sizes = np.array([len(other) for other in others[run.start : run.stop]])
        filled = np.flatnonzero(sizes)
        if not len(filled):
            continue
        stacked = np.concatenate(others[run.start : run.stop])
        starts = np.r_[0, np.cumsum(sizes)[:-1]][filled]
        for row, cloud in zip(means, clouds, strict=True):
            if len(cloud):
                distances = squared_distances(cloud, stacked)
                per_cell = np.sqrt(distances, out=distances).sum(axis=0)
                row[run.start + filled] = np.add.reduceat(per_cell, starts) / (sizes[filled] * len(cloud))


def _runs(clouds: Sequence[Cloud]) -> list[_Run]:
    runs, start, cells = [], 0, 0
    for i, cloud in enumerate(clouds):
        if cells and cells + len(cloud) > BLOCK_CELLS:
            runs.append(_Run(start, i))
            start, cells = i, 0
        cells += len(cloud)
    return [*runs, _Run(start, len(clouds))]


def _between(x: Cloud, y: Cloud) -> float:
    return sum_of_distances(x, y) / (len(x) * len(y)) if len(x) and len(y) else float("nan")


def mean_within(x: Cloud) -> float:
    """Mean distance of all ordered pairs of cells, each with itself included; NaN of none."""
    return sum_of_distances(x) / len(x) ** 2 if len(x) else float("nan")
