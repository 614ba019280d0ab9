"""Hierarchical resampling as matrix products: contexts, then conditions within them, each draw one row of weights."""

from __future__ import annotations

import numpy as np

from harness.statistics.design import Design, Floats
from harness.statistics.variance import Scope

BLOCK_NUMBERS = 1_000_000
"""Weights of one block of draws, so that memory stays small however many conditions there are."""


def bootstrap_means(values: Floats, design: Design, *, resamples: int, seed: int, scope: Scope) -> Floats:
    """Means of resampled data. [conditions, metrics] → [resamples, metrics]

    A draw takes as many contexts as there are, with replacement (for `these contexts` each once), and of each as many
    conditions as it has, with replacement. All metrics see the same draws, so that their joint distribution is kept.
    """
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK_NUMBERS // design.n)
    blocks = [
        _weights(design, min(step, resamples - start), rng, scope) @ values
        for start in range(0, resamples, step)
    ]
    return np.concatenate(blocks)


def _weights(design: Design, draws: int, rng: np.random.Generator, scope: Scope) -> Floats:
    """What each condition counts in each draw; every row sums to 1. [draws, conditions]"""
    n = design.n_contexts
    taken = (
        rng.integers(n, size=(draws, n))
        if scope == "new contexts"
        else np.broadcast_to(np.arange(n), (draws, n))
    )
    order = np.argsort(design.contexts, kind="stable")
    first = np.concatenate([[0], np.cumsum(design.sizes)[:-1]])
    sizes = design.sizes[taken][:, :, None]  # [draws, slots, 1]
    widest = int(design.sizes.max())
    within = (rng.random((draws, n, widest)) * sizes).astype(np.int64)
    place = order[np.minimum(first[taken][:, :, None] + within, design.n - 1)]
    place += np.arange(draws)[:, None, None] * design.n
    share = np.broadcast_to(1.0 / (n * sizes), place.shape)
    if (design.sizes < widest).any():
        used = np.arange(widest) < sizes
        place, share = place[used], share[used]
    counts = np.bincount(place.ravel(), share.ravel(), minlength=draws * design.n)
    return np.asarray(counts.reshape(draws, design.n), np.float64)
