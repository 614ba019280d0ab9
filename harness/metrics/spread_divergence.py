"""Calibrated divergence of each gene's distribution: no gene without spread can decide it."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.inputs import CalibratedCells
from harness.metrics.moments import Moments, moments

PANEL: Final = "calibrated"
FLOOR = 1e-2
"""Least variance of a gene, as a share of its variance in the reference controls."""


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference="symmetric Kullback–Leibler divergence of Gaussians, variances floored",
    needs=("cells",),
    pathologies="counts are no Gaussians; inherits the spread of the controls that predicted cells were built on",
)
def kl_divergence(observed: Moments, predicted: Moments, reference: Moments) -> Value:
    r"""$\log_2(1+K)$, K the mean over genes of the symmetric divergence, $s^2$ at least $10^{-2}$ of the reference's.

    Genes that do not vary in the reference are left out: a set that no submission chooses.
    """
    floor = FLOOR * reference.squares / max(reference.n, 1)
    kept = floor > 0
    if not kept.any():
        return Undefined("no gene varies in the reference controls")
    s2, q2 = (np.maximum(side.squares / side.n, floor)[kept] for side in (observed, predicted))
    d2 = np.square(observed.mean - predicted.mean)[kept]
    return float(np.log2(1 + ((s2 + d2) / (2 * q2) + (q2 + d2) / (2 * s2) - 1).mean()))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, np.inf),
    reference="what kl_divergence leaves out",
    needs=("cells",),
)
def kl_genes_left_out(reference: Moments) -> float:
    """Number of genes that do not vary in the reference controls, beside the own targets."""
    return float((reference.squares == 0).sum())


NAMES = ("kl_divergence", "kl_genes_left_out")


def condition_values(
    cells: CalibratedCells, known: tuple[Moments, Moments] | None = None
) -> dict[str, Value]:
    """Every value of one condition. `known` are the moments of observed and predicted cells, where they are known."""
    genes = np.delete(np.arange(cells.observed.shape[1]), list(cells.targets))
    sides = (moments(cells.observed), moments(cells.predicted)) if known is None else known
    groups = (*sides, cells.reference.moments)
    observed, predicted, reference = (
        Moments(group.n, group.mean[genes], group.squares[genes]) for group in groups
    )
    return {
        "kl_divergence": kl_divergence(observed, predicted, reference),
        "kl_genes_left_out": kl_genes_left_out(reference),
    }
