"""Which cells of a group are looked at: the published subsample, and seeded halves and samples of our own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PUBLISHED_LIMIT = 2000
PUBLISHED_SEED = 42
Rows = NDArray[np.int64]


def published_subsample(n_predicted: int, n_observed: int) -> tuple[Rows | None, Rows | None]:
    """The published subsample of (predicted, observed) cells; None where a group is taken whole.

    Drawn with numpy's legacy generator, predicted before observed, so that the observed cells drawn depend on whether the
    predicted ones had to be drawn.
    """
    generator = np.random.RandomState(PUBLISHED_SEED)
    predicted, observed = (
        generator.choice(n, PUBLISHED_LIMIT, replace=False).astype(np.int64) if n > PUBLISHED_LIMIT else None
        for n in (n_predicted, n_observed)
    )
    return predicted, observed


def halves(n: int, seed: int) -> tuple[Rows, Rows]:
    """Two disjoint random halves of n cells, each in ascending order; the second has the odd one."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]).astype(np.int64), np.sort(order[n // 2 :]).astype(np.int64)


def sample(n: int, size: int, seed: int) -> Rows:
    """At most `size` of n cells without replacement, in ascending order; all of them where there are no more."""
    if n <= size:
        return np.arange(n, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(n, size, replace=False)).astype(np.int64)
