"""Cells of a screen: negative-binomial counts with library sizes, and their normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.synth.design import Group, batch_of_cells
from harness.datasets.synth.spec import SynthSpec
from harness.datasets.synth.world import World
from harness.digest import seed_from

BLOCK_VALUES = 1 << 20
LARGEST_COUNT = np.iinfo(np.uint16).max


def count_blocks(world: World, group: Group) -> Iterator[NDArray[np.uint16]]:
    """Counts of a group's cells, in blocks of about a million values. [cells, genes]

    Expression is a composition: what one gene gains the others lose, and a cell's total tells nothing of what was done.
    """
    spec = world.spec
    rng = np.random.default_rng(seed_from("synthetic", spec.seed, "cells", *group.axes))
    log_mean = world.log_mean(group) + world.batch  # [batches, genes]
    share = np.exp(log_mean - log_mean.max())
    share /= share.sum(axis=1, keepdims=True)
    batch = batch_of_cells(spec, group)
    step = max(1, BLOCK_VALUES // spec.n_genes)
    for start in range(0, group.n_cells, step):
        yield _counts(spec, share[batch[start : start + step]], rng)


def log_normalise(counts: NDArray[Any], target_sum: float) -> NDArray[np.float32]:
    """`log1p(counts · target_sum / total)` of each cell, in float64 and rounded once to float32. [cells, genes]

    float32 arithmetic would differ in the last bit from machine to machine; float64 differs far below what float32 keeps.
    """
    total = counts.sum(axis=1, dtype=np.int64, keepdims=True)
    logged: NDArray[np.float64] = np.log1p(counts * target_sum / np.maximum(total, 1))
    return logged.astype(np.float32)


def _counts(spec: SynthSpec, share: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint16]:
    library = spec.depth * np.exp(spec.depth_spread * rng.normal(size=(len(share), 1)))
    mean = share * library
    if spec.dispersion:
        mean = mean * rng.gamma(1 / spec.dispersion, spec.dispersion, mean.shape)
    return np.minimum(rng.poisson(mean), LARGEST_COUNT).astype(np.uint16)
