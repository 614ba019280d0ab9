"""Deterministic inputs of the PerturBench jobs: `controls.npy`, `observed.npy`, `predicted.npy`, a block per perturbation.

A: 100 perturbations × 100 cells × 2000 genes; B: 1000 × 50 × 2000. One context, 2000 control cells. Non-negative float32,
about 60 % zeros; the prediction has 0.6 of the true log effect and its own noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

N_GENES, N_CONTROLS, SEED = 2000, 2000, 7
SIZES = {"A": (100, 100), "B": (1000, 50), "quick": (40, 20)}
"""Job → perturbations, cells of each."""


def write_inputs(folder: Path, job: str) -> None:
    """Write the three arrays; observed and predicted a perturbation at a time."""
    n_perturbations, n_cells = SIZES[job]
    base = np.random.default_rng(SEED).gamma(0.6, 0.6, N_GENES).astype(np.float32)
    shape = (n_perturbations * n_cells, N_GENES)
    observed, predicted = (
        np.lib.format.open_memmap(folder / f"{side}.npy", "w+", np.float32, shape)
        for side in ("observed", "predicted")
    )
    for p in range(n_perturbations):
        rng = np.random.default_rng([SEED, p])
        effect = (rng.normal(0, 0.5, N_GENES) * (rng.random(N_GENES) < 0.1)).astype(np.float32)
        rows = slice(p * n_cells, (p + 1) * n_cells)
        observed[rows] = _cells(base * np.exp(effect), n_cells, rng)
        predicted[rows] = _cells(base * np.exp(0.6 * effect), n_cells, rng)
    np.save(folder / "controls.npy", _cells(base, N_CONTROLS, np.random.default_rng([SEED, 10**6])))


def _cells(mean: NDArray[np.float32], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    cells = mean * rng.random((n, N_GENES), dtype=np.float32) * 2
    cells[rng.random((n, N_GENES), dtype=np.float32) < 0.6] = 0
    return np.asarray(cells, np.float32)
