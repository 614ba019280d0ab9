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

    A side is [conditions, seeds], finite everywhere, of any number of seeds. The diagonal is 0 and 1; p is NaN where one
    condition alone would have to tell the scatter.
    """
    design = Design.of(contexts, perturbations)
    scope: Scope = "new contexts" if design.n_contexts >= LEAST_CONTEXTS else "these contexts"
    n = len(sides)
    estimate, p = np.zeros((n, n)), np.ones((n, n))
    seeds = np.array([side.shape[1] for side in sides])
    for i in range(n - 1):
        for count in np.unique(seeds[i + 1 :]):
            others = i + 1 + np.flatnonzero(seeds[i + 1 :] == count)
            theirs = np.stack([sides[j] for j in others.tolist()], axis=2)  # [conditions, seeds, others]
            ours = np.repeat(sides[i][:, :, None], len(others), axis=2)
            found = clustered(ours, theirs, design, scope)
            estimate[i, others], estimate[others, i] = found.estimate, -found.estimate
            p[i, others] = p[others, i] = p_values(found, np.sqrt(found.variance), design)
    return estimate, p
