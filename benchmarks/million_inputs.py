"""A screen of any size for the scorer: 20 hidden contexts × 100 perturbations, and two sets of predictions for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.contract.task import NamedHash
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.splits.split import ROLES, Role, Split, freeze
from harness.tasks.build import build_task
from harness.tasks.folder import Task

CONTROL = "control"
LEVELS = 64
"""Levels of expression; a gene has one, perturbations and contexts move some genes to another."""
ROWS_PER_CONDITION = 16
LEARNT_CELLS = 24
HIDDEN_CELLS, HIDDEN_CONDITIONS = 8, 40
CONTROLS = 300
BLOCK_ROWS = 512


@dataclass(frozen=True)
class Size:
    """How large a screen is."""

    contexts: int
    perturbations: int
    cells: int
    """Per hidden condition."""
    genes: int

    @property
    def test_cells(self) -> int:
        return self.contexts * self.perturbations * self.cells


@dataclass(frozen=True)
class Group:
    """Cells of one context and perturbation, in one role."""

    context: str
    pert: str
    cells: int
    role: Role


def make_screen(folder: Path, size: Size) -> tuple[PerturbDataset, Split, Task]:
    """Write dataset and task into a folder; the cells stream to disk a block at a time."""
    groups = list(_groups(size))
    perts = sorted({group.pert for group in groups} - {CONTROL})
    genes = [f"G{i}" for i in range(size.genes)]
    counts = [group.cells for group in groups]
    total = sum(counts)
    rows = Rows(
        pert=_labels([group.pert for group in groups], counts),
        context=_labels([group.context for group in groups], counts),
        batch=Labels((np.arange(total) % 2).astype(np.int32), ("b0", "b1")),
        is_control=np.repeat([group.pert == CONTROL for group in groups], counts),
        cell_ids=pa.array(np.arange(total)).cast(pa.string()),
    )
    with build_dataset(
        folder / "screen",
        name="screen",
        genes=genes,
        rows=rows,
        perturbations={pert: [genes[i]] for i, pert in enumerate(perts)},
        preprocessing=Preprocessing(found="log_normalised", steps=[], gene_space="all"),
        echo_check=False,
    ) as arrays:
        _fill(arrays.X, groups)
    dataset = open_dataset(folder / "screen", verify=False)
    role_of = np.repeat([ROLES.index(group.role) for group in groups], counts).astype(np.int8)
    split = freeze(
        name="hidden_contexts", dataset=NamedHash(name=dataset.name, hash=dataset.data_hash), regime="context_ood",
        params={}, seed=0, ood_axes=["context"], role_of=role_of,
    )  # fmt: skip
    task = build_task(dataset, split, "test", cache=folder / "tasks", max_rows=ROWS_PER_CONDITION)
    return dataset, split, task


def write_predictions(path: Path, task: Task, seed: int) -> None:
    """A common effect with noise, and a constant variance, for every row that is asked for."""
    rng = np.random.default_rng(seed)
    n_rows, n_genes = task.card.n_query, len(task.card.genes)
    path.mkdir()
    common = rng.normal(0, 0.05, n_genes).astype(np.float32)
    mean = np.lib.format.open_memmap(path / "mean.npy", "w+", np.float32, (n_rows, n_genes))
    var = np.lib.format.open_memmap(path / "var.npy", "w+", np.float32, (n_rows, n_genes))
    for start in range(0, n_rows, BLOCK_ROWS):
        block = mean[start : start + BLOCK_ROWS]
        block[...] = common + np.float32(0.05) * rng.standard_normal(block.shape, np.float32)
        var[start : start + BLOCK_ROWS] = np.float32(0.01) * (1 + rng.random((len(block), 1), np.float32))
    np.save(path / "idx.npy", np.arange(n_rows))


def _groups(size: Size) -> Iterator[Group]:
    """In the order of an artifact: contexts by name, perturbations by name, controls last."""
    perts = [f"P{i:03d}" for i in range(size.perturbations)]
    hidden = [f"hidden{i:02d}" for i in range(size.contexts)]
    for context in ("calib", *hidden, "learnt0", "learnt1"):
        role: Role = "calib" if context == "calib" else "test" if context in hidden else "train"
        cells = size.cells if context in hidden else LEARNT_CELLS
        for i, pert in enumerate(perts):
            yield Group(context, pert, cells, role)
            if context == "learnt1" and i < HIDDEN_CONDITIONS:
                yield Group(context, pert, HIDDEN_CELLS, "iid")
        yield Group(context, CONTROL, CONTROLS, role)


def _labels(names: list[str], counts: list[int]) -> Labels:
    levels, codes = np.unique(names, return_inverse=True)
    return Labels(np.repeat(codes, counts).astype(np.int32), tuple(levels.tolist()))


def _fill(X: NDArray[np.float32], groups: list[Group]) -> None:
    """log1p of Poisson-like counts: a random byte looks up the quantile of its gene's level."""
    rng = np.random.default_rng(0)
    quantiles = _quantiles().ravel()
    genes = rng.integers(0, LEVELS * 3 // 4, X.shape[1])
    moved = {
        name: _moves(rng, X.shape[1], share)
        for names, share in (({g.context for g in groups}, 0.2), ({g.pert for g in groups}, 0.05))
        for name in sorted(names)
    }
    start = 0
    for group in groups:
        shift = moved[group.context] + (0 if group.pert == CONTROL else moved[group.pert])
        base = (np.clip(genes + shift, 0, LEVELS - 1) * 256).astype(np.int32)
        for first in range(0, group.cells, BLOCK_ROWS):
            n = min(BLOCK_ROWS, group.cells - first)
            bytes_ = rng.integers(0, 256, (n, X.shape[1]), np.uint8)
            X[start : start + n] = quantiles[base + bytes_]
            start += n


def _quantiles() -> NDArray[np.float32]:
    """Per level, 256 quantiles of log1p of a Poisson count; the mean rises from 0.05 to 8. [levels, 256]"""
    from scipy.stats import poisson

    means = np.geomspace(0.05, 8.0, LEVELS)[:, None]
    return np.log1p(poisson.ppf((np.arange(256) + 0.5) / 256, means)).astype(np.float32)


def _moves(rng: np.random.Generator, n_genes: int, share: float) -> NDArray[np.int64]:
    return np.where(rng.random(n_genes) < share, rng.integers(-12, 13, n_genes), 0)
