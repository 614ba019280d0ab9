"""Panel `celleval`: metrics that compare the perturbations of one context with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.celleval_de import PANEL, REFERENCE
from harness.metrics.correlation import pearson, spearman
from harness.metrics.inputs import Controls
from harness.metrics.pairwise import BLOCK_ROWS, sum_of_distances

Effects = NDArray[np.float64]  # [conditions, genes]
OwnGenes = Sequence[int | None]
"""For each condition the position of the gene whose name is the condition's label; None where there is none."""

OWN_GENE = "chance is (P + 1)/2P; a constant prediction scores higher, because own genes are left out where they would hurt"
WORST = "the worst value is 1/P; exact ties are broken by the order of perturbations"


@metric(
    panel=PANEL, reference=REFERENCE, range=(0.0, 1.0), needs=("means", "perturbations"),
    direction=Direction.HIGHER, optimum=1.0, unit="context", pathologies=f"{OWN_GENE}; {WORST}",
)  # fmt: skip
def discrimination_score_l1(observed: Effects, predicted: Effects, own: OwnGenes) -> list[Value]:
    r"""$1-r/P$, $r$ observed effects being nearer to the prediction in $L_1$ than the perturbation's own effect."""
    return _discrimination(observed, predicted, own, "cityblock")


@metric(
    panel=PANEL, reference=REFERENCE, range=(0.0, 1.0), needs=("means", "perturbations"),
    direction=Direction.HIGHER, optimum=1.0, unit="context", pathologies=f"{OWN_GENE}; {WORST}",
)  # fmt: skip
def discrimination_score_l2(observed: Effects, predicted: Effects, own: OwnGenes) -> list[Value]:
    r"""$1-r/P$, $r$ observed effects being nearer to the prediction in $L_2$ than the perturbation's own effect."""
    return _discrimination(observed, predicted, own, "euclidean")


@metric(
    panel=PANEL, reference=REFERENCE, range=(0.0, 1.0), needs=("means", "perturbations"),
    direction=Direction.HIGHER, optimum=1.0, unit="context", pathologies=f"{OWN_GENE}; {WORST}",
)  # fmt: skip
def discrimination_score_cosine(observed: Effects, predicted: Effects, own: OwnGenes) -> list[Value]:
    r"""$1-r/P$, $r$ observed effects being nearer to the prediction in angle than the perturbation's own effect."""
    return _discrimination(observed, predicted, own, "cosine")


@metric(
    panel=PANEL, reference=REFERENCE, range=(-1.0, 1.0), needs=("cells", "perturbations"),
    direction=Direction.HIGHER, optimum=1.0, unit="context",
    pathologies="one number for a context, carried by its strongest perturbations; knows their strength, not their genes",
)  # fmt: skip
def pearson_edistance(observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> Value:
    r"""Correlation over perturbations of $E=2\overline{|x-y|}-\overline{|x-x'|}-\overline{|y-y'|}$ to the controls."""
    of = ("the energy distance of observed cells", "the energy distance of predicted cells")
    return pearson(observed, predicted, of=of)


@metric(
    panel=PANEL, reference=REFERENCE, range=(-1.0, 1.0), needs=("cells", "perturbations"),
    direction=Direction.HIGHER, optimum=1.0, unit="context",
    pathologies="one number for a context; 1 where no perturbation has a significant observed gene",
)  # fmt: skip
def de_spearman_sig(observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> Value:
    r"""Spearman correlation over perturbations of $|S_T|$ and $|S_P|$, where $|S_T|>0$; 1 where none has any."""
    chosen = observed > 0
    if not chosen.any():
        return 1.0
    of = ("the number of significant observed genes", "the number of significant predicted genes")
    return spearman(observed[chosen], predicted[chosen], of=of)


RETRIEVAL = (discrimination_score_l1, discrimination_score_l2, discrimination_score_cosine)


def energy_distance(cells: NDArray[Any], controls: Controls) -> float:
    """Energy distance of a condition's cells to the controls, both with zero self-distances (V-statistic)."""
    x = np.asarray(cells, np.float64)
    within = sum_of_distances(x) / len(x) ** 2
    blocks = range(0, len(controls.cells), BLOCK_ROWS)
    across = sum(
        sum_of_distances(np.asarray(controls.cells[start : start + BLOCK_ROWS], np.float64), x)
        for start in blocks
    )
    return 2 * across / (len(x) * len(controls.cells)) - within - controls.mean_distance


def _discrimination(observed: Effects, predicted: Effects, own: OwnGenes, distance: str) -> list[Value]:
    """A gene that is left out is set to 0 on both sides, which no distance notices."""
    from scipy.spatial.distance import cdist

    if len(observed) < 2:
        return [Undefined("there is one perturbation, nothing to tell it from")] * len(observed)
    found: list[Value] = []
    candidates = observed.copy()
    for p, (query, gene) in enumerate(zip(predicted.copy(), own, strict=True)):
        if gene is not None:
            query[gene] = candidates[:, gene] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            distances = cdist(query[None], candidates, distance)[0]
        distances[np.isnan(distances)] = 1.0  # a zero vector is at right angles to everything
        nearer = (distances < distances[p]).sum() + (distances[:p] == distances[p]).sum()
        found.append(1 - int(nearer) / len(observed))
        if gene is not None:
            candidates[:, gene] = observed[:, gene]
    return found
