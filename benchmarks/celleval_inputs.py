"""Inputs of the cell-eval job from a seed: log1p counts, the same controls in both files, predicted effects × 0.6."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CONTROL = "non-targeting"
PERT_COLUMN = "target_gene"
DEPTH = 4000
DRAWN_AT_ONCE = 2000
ATTENUATION = 0.6


def write_inputs(
    folder: Path, n_cells: int, n_perturbations: int, n_genes: int = 2000, seed: int = 0
) -> None:
    """Write `real.h5ad` and `pred.h5ad`; a tenth of the cells are controls, the same in both files."""
    from scipy import sparse

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    base = rng.gamma(0.35, 2.0, n_genes) + 0.005
    effects = []
    for _ in range(n_perturbations):
        hit = rng.random(n_genes) < rng.choice([0.01, 0.03, 0.1, 0.2])
        effects.append(np.where(hit, rng.normal(0, 0.7, n_genes), 0.0))
    for i, effect in enumerate(effects):
        effect[i] = -1.6
    n_controls = n_cells // 10
    sizes = _group_sizes(rng, n_perturbations, n_cells - n_controls)
    parts = [min(DRAWN_AT_ONCE, n_controls - start) for start in range(0, n_controls, DRAWN_AT_ONCE)]
    controls = sparse.vstack([_draw(rng, base, np.zeros(n_genes), n) for n in parts], format="csr")
    labels = [CONTROL] * n_controls + [f"G{i}" for i, size in enumerate(sizes.tolist()) for _ in range(size)]
    for name, own_seed, scale in (("real", seed + 1, 1.0), ("pred", seed + 2, ATTENUATION)):
        own = np.random.default_rng(own_seed)
        groups = [_draw(own, base, scale * e, n) for e, n in zip(effects, sizes.tolist(), strict=True)]
        _write(folder / f"{name}.h5ad", sparse.vstack([controls, *groups], format="csr"), labels)


def _group_sizes(rng: np.random.Generator, n_perturbations: int, n_cells: int) -> NDArray[np.int64]:
    share = rng.dirichlet(np.full(n_perturbations, 8.0))
    sizes = np.maximum(8, np.floor(share * n_cells).astype(int))
    sizes[0] += n_cells - sizes.sum()
    return sizes


def _draw(
    rng: np.random.Generator, base: NDArray[np.float64], effect: NDArray[np.float64], n: int
) -> csr_matrix:
    from scipy import sparse

    mean = base * np.exp(effect)
    mean = mean / mean.sum() * DEPTH
    rate = rng.gamma(2.0, mean * rng.lognormal(0, 0.35, (n, 1)) / 2.0)
    counts = rng.poisson(rate).astype(np.float32)
    counts[counts.sum(1) == 0, 0] = 1
    return sparse.csr_matrix(np.log1p(counts / counts.sum(1, keepdims=True) * 1e4).astype(np.float32))


def _write(path: Path, cells: csr_matrix, labels: list[str]) -> None:
    import anndata
    import pandas as pd

    data = anndata.AnnData(cells)
    data.var_names = [f"G{i}" for i in range(cells.shape[1])]
    names = [f"c{i}" for i in range(cells.shape[0])]
    data.obs = pd.DataFrame({PERT_COLUMN: pd.Categorical(labels)}, index=names)
    data.write_h5ad(path)
