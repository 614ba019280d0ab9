"""Inputs of the scPerturBench job from a seed: 20 perturbations × 200 + 200 cells × 2000 genes, 400 controls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SEED = 20251121
N_GENES, N_PERTURBATIONS, N_CELLS, N_CONTROLS = 2000, 20, 200, 400
MEAN_LOG, MEAN_SD, CONTEXT_SD = -1.6, 1.5, 0.5
SHARE_DE, CHANGE_SD, RESPONSE_SD = 0.05, 1.0, 0.25
DISPERSION, DEPTH, DEPTH_SD = 0.6, 5000.0, 0.25
SHRINKAGE, MEAN_NOISE, CELL_NOISE = 0.7, 0.05, 0.06
SCALE = 100
"""Values are whole hundredths."""


@dataclass(frozen=True)
class Inputs:
    """One context as cells, rounded to hundredths."""

    controls: NDArray[np.float32]
    observed: dict[str, NDArray[np.float32]]
    predicted: dict[str, NDArray[np.float32]]


def write_inputs(path: Path, n_cells: int = N_CELLS) -> None:
    """Write the cells as `.npz`; with the default size, value by value those that the recorded reference was run on."""
    rng = np.random.default_rng(SEED)
    base = rng.normal(MEAN_LOG, MEAN_SD, N_GENES)
    rng.normal(0, CONTEXT_SD, N_GENES)  # a first context does not shift, but its numbers are drawn
    names = [f"PERT{i}" for i in range(N_PERTURBATIONS)]
    changes = {name: _change(rng) for name in names}
    controls = _cells(rng, base, N_CONTROLS)
    observed, predicted = [], []
    for name in names:
        observed.append(_cells(rng, base + changes[name], n_cells))
        predicted.append(_predicted(rng, controls, observed[-1]))
    np.savez(
        path,
        names=names,
        X_control=_rounded(controls),
        X_true=np.stack([_rounded(cells) for cells in observed]),
        X_pred=np.stack([_rounded(cells) for cells in predicted]),
    )


def read_inputs(path: Path) -> Inputs:
    """The cells as both sides are given them."""
    with np.load(path, allow_pickle=False) as npz:
        names = npz["names"].tolist()
        observed, predicted = (dict(zip(names, npz[key], strict=True)) for key in ("X_true", "X_pred"))
        return Inputs(npz["X_control"], observed, predicted)


def _change(rng: np.random.Generator) -> NDArray[np.float64]:
    """Log fold changes of a perturbation: of few genes, and a response of the context on top."""
    changed = rng.random(N_GENES) < SHARE_DE
    effect = np.where(changed, rng.normal(0, CHANGE_SD, N_GENES), 0.0)
    return effect + np.where(changed, rng.normal(0, RESPONSE_SD, N_GENES), 0.0)


def _cells(rng: np.random.Generator, log_mean: NDArray[np.float64], n: int) -> NDArray[np.float32]:
    """log1p of counts per 10,000 of negative-binomial counts."""
    library = np.exp(rng.normal(0, DEPTH_SD, n))
    mean = np.exp(log_mean) * library[:, None]
    shape = 1.0 / DISPERSION
    counts = rng.poisson(rng.gamma(shape, mean / shape)).astype(float)
    total = counts.sum(axis=1) + rng.poisson(DEPTH * library)
    return np.log1p(counts / total[:, None] * 1e4).astype(np.float32)


def _predicted(
    rng: np.random.Generator, controls: NDArray[np.float32], observed: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Control cells + a shrunken, noisy mean shift + noise of each cell, not below 0."""
    rows = rng.choice(len(controls), len(observed), replace=len(observed) > len(controls))
    shift = SHRINKAGE * (observed.mean(0) - controls.mean(0))
    shift = shift + rng.normal(0, MEAN_NOISE, shift.shape)
    cells = controls[rows] + shift + rng.normal(0, CELL_NOISE, (len(observed), N_GENES))
    return np.round(np.maximum(cells, 0), 3).astype(np.float32)


def _rounded(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return (np.rint(np.asarray(cells, np.float64) * SCALE) / SCALE).astype(np.float32)
