"""Every pair of many at once: estimates and p-values of all paired differences, without an interval for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.statistics.design import Design, Floats, Ints
from harness.statistics.intervals import LEAST_CONTEXTS, p_values
from harness.statistics.variance import Scope, clustered


def round_robin(
    sides: Sequence[Floats], contexts: Sequence[object] | Ints, perturbations: Sequence[object] | Ints
) -> tuple[Floats, Floats]:
    """Estimate of `i − j` and its two-sided p from Student's t, as `paired_intervals` would find them. [sides, sides] each

    A side is [conditions, seeds], finite everywhere, of any number of seeds; or [conditions, seeds, metrics], and then what
    is found is [sides, sides, metrics]. The diagonal is 0 and 1; p is NaN where one condition alone would have to tell the
    scatter.
    """
    design = Design.of(contexts, perturbations)
    scope: Scope = "new contexts" if design.n_contexts >= LEAST_CONTEXTS else "these contexts"
    n = len(sides)
    several = n > 0 and sides[0].ndim == 3
    wide = [np.atleast_3d(side) for side in sides]
    metrics = wide[0].shape[2] if wide else 1
    estimate, p = np.zeros((n, n, metrics)), np.ones((n, n, metrics))
    seeds = np.array([side.shape[1] for side in sides])
    for i in range(n - 1):
        for count in np.unique(seeds[i + 1 :]):
            others = i + 1 + np.flatnonzero(seeds[i + 1 :] == count)
            theirs = np.concatenate(
                [wide[j] for j in others.tolist()], axis=2
            )  # [conditions, seeds, others × metrics]
            ours = np.tile(wide[i], (1, 1, len(others)))
            found = clustered(ours, theirs, design, scope)
            told = found.estimate.reshape(len(others), metrics)
            estimate[i, others], estimate[others, i] = told, -told
            of_pairs = p_values(found, np.sqrt(found.variance), design).reshape(len(others), metrics)
            p[i, others] = p[others, i] = of_pairs
    return (estimate, p) if several else (estimate[:, :, 0], p[:, :, 0])
