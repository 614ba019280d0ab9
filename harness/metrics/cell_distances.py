"""Calibrated distances between observed and predicted cells: without bias of the cell number, beside their two references.

Every distance is shown relative to the same distance of the prediction of no effect and of one half of the observed cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.inputs import CalibratedCells
from harness.metrics.pairwise import squared_distances
from harness.metrics.pooling import ratio_of_sums
from harness.metrics.sampling import halves, sample
from harness.metrics.sinkhorn import transport

PANEL: Final = "calibrated"
MAX_CELLS = 1000
"""Observed cells that distances are computed on; more are drawn from, seeded."""
EPSILON_SHARE = 1.0
"""ε is the mean squared distance between observed cells. With the published twentieth, cells travel little farther than to
themselves, and what is left is the noise of thousands of genes."""
TOO_FAR = 1e9
"""Spread of predicted cells, in spreads of the observed ones, from which on rounding decides what is left when it is
taken off: nothing is taken off then, so that one absurd cell cannot bring a distance near 0."""
FEW_OBSERVED = "there are fewer than two observed cells"
FEW_HALVES = "there are fewer than two observed cells in each half"
FEW_BASAL = "there are fewer than two control cells that predictions were built on"
FEW_PREDICTED = "there are fewer than two predicted cells"
NO_SPREAD = "the observed cells do not differ from each other"
NOT_FARTHER = "the controls are no farther from the observed cells than their halves from each other"
Wide = NDArray[np.float64]  # [cells, genes]
Square = NDArray[np.float64]  # [cells, cells]; squared distances


@dataclass(frozen=True)
class Anchors:
    """The two references of one condition, and what they share with any prediction; no submission changes it."""

    observed: Wide
    second: NDArray[np.int64]
    """Positions of the half of the observed cells that transport goes to."""
    within: float
    energy_control: Value
    energy_half: Value
    epsilon: float
    transported: int
    """Number of cells that are transported to the second half, the same for all sides."""
    self_transport: float
    """Transport of the second half onto itself."""
    sinkhorn_control: Value
    sinkhorn_half: Value


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(-np.inf, np.inf),
    reference="Székely & Rizzo 2013, U-statistic",
    needs=("cells",),
    pathologies="over all genes most of it is noise; slightly negative where nothing differs; hardly sees one stray cell",
)
def energy_distance(anchors: Anchors, predicted: Wide) -> Value:
    r"""$2E|T-P| - E_{i\ne j}|T_i-T_j| - E_{i\ne j}|P_i-P_j|$: the same for few and for many cells, own targets left out."""
    if len(anchors.observed) < 2:
        return Undefined(FEW_OBSERVED)
    if len(predicted) < 2:
        return Undefined(FEW_PREDICTED)
    within = mean_of_pairs(squared_distances(predicted, predicted, same=True))
    if within > TOO_FAR * max(anchors.within, 1.0):
        within = 0.0
    return energy(squared_distances(anchors.observed, predicted), anchors.within, within)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(-np.inf, np.inf),
    reference="the prediction of no effect",
    needs=("cells",),
)
def energy_distance_control(anchors: Anchors) -> Value:
    """Energy distance of the cells that predictions were built on: what predicting no effect scores."""
    return anchors.energy_control


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(-np.inf, np.inf),
    reference="split half",
    needs=("cells",),
)
def energy_distance_half(anchors: Anchors) -> Value:
    """Energy distance between two random halves of the observed cells: what a repetition of the experiment scores."""
    return anchors.energy_half


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-np.inf, np.inf),
    reference="relative to no effect and split half",
    needs=("cells",),
    may_rank=True,
    pathologies="heavy-tailed where the effect is hardly larger than its noise: levels pool it as a ratio of sums",
)
def energy_skill(anchors: Anchors, predicted: Wide) -> Value:
    r"""$(D_{control}-D_{pred})/(D_{control}-D_{half})$: 0 is no effect, 1 a repetition of the experiment."""
    return skill(energy_distance(anchors, predicted), anchors.energy_control, anchors.energy_half)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(-np.inf, np.inf),
    reference="Feydy et al. 2019",
    needs=("cells",),
    pathologies="grows as groups shrink: compare it with its two references only, which have the same cell number",
)
def sinkhorn_divergence(anchors: Anchors, predicted: Wide) -> Value:
    r"""Debiased transport to half of the cells: $W_ε(P,T)-\frac12W_ε(P,P)-\frac12W_ε(T,T)$, ε the mean cost in T."""
    if isinstance(anchors.sinkhorn_half, Undefined):
        return anchors.sinkhorn_half
    if len(predicted) < 2:
        return Undefined(FEW_PREDICTED)
    return _divergence(predicted, anchors.observed[anchors.second], anchors.epsilon, anchors.self_transport)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(-np.inf, np.inf),
    reference="the prediction of no effect",
    needs=("cells",),
)
def sinkhorn_divergence_control(anchors: Anchors) -> Value:
    """Debiased transport of the cells that predictions were built on: what predicting no effect scores."""
    return anchors.sinkhorn_control


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(-np.inf, np.inf),
    reference="split half",
    needs=("cells",),
)
def sinkhorn_divergence_half(anchors: Anchors) -> Value:
    """Debiased transport between two random halves of the observed cells: what a repetition of the experiment scores."""
    return anchors.sinkhorn_half


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-np.inf, np.inf),
    reference="relative to no effect and split half",
    needs=("cells",),
    may_rank=True,
    pathologies="heavy-tailed where the effect is hardly larger than its noise: levels pool it as a ratio of sums",
)
def sinkhorn_skill(anchors: Anchors, predicted: Wide) -> Value:
    r"""$(D_{control}-D_{pred})/(D_{control}-D_{half})$ of the debiased transport, all with the same number of cells."""
    return skill(sinkhorn_divergence(anchors, predicted), anchors.sinkhorn_control, anchors.sinkhorn_half)


NAMES = (
    "energy_distance",
    "energy_distance_control",
    "energy_distance_half",
    "energy_skill",
    "sinkhorn_divergence",
    "sinkhorn_divergence_control",
    "sinkhorn_divergence_half",
    "sinkhorn_skill",
)


def condition_values(cells: CalibratedCells, known: Anchors | None = None) -> dict[str, Value]:
    """Every value of one condition. `known` spares what was computed for another submission on the same cells."""
    anchors = anchor(cells) if known is None else known
    predicted = _wide(cells, cells.predicted)
    energy_value = energy_distance(anchors, predicted)
    rows = sample(len(predicted), anchors.transported, cells.seed)
    sinkhorn_value = sinkhorn_divergence(anchors, predicted[rows])
    return {
        "energy_distance": energy_value,
        "energy_distance_control": anchors.energy_control,
        "energy_distance_half": anchors.energy_half,
        "energy_skill": skill(energy_value, anchors.energy_control, anchors.energy_half),
        "sinkhorn_divergence": sinkhorn_value,
        "sinkhorn_divergence_control": anchors.sinkhorn_control,
        "sinkhorn_divergence_half": anchors.sinkhorn_half,
        "sinkhorn_skill": skill(sinkhorn_value, anchors.sinkhorn_control, anchors.sinkhorn_half),
    }


def skill(predicted: Value, control: Value, half: Value) -> Value:
    """How much of the way from no effect to a repetition of the experiment a prediction went."""
    parts = skill_parts(predicted, control, half)
    return parts if isinstance(parts, Undefined) else ratio_of_sums([parts], NOT_FARTHER)


def skill_parts(predicted: Value, control: Value, half: Value) -> tuple[float, float] | Undefined:
    """Numerator and denominator of a skill, to be pooled over conditions."""
    if isinstance(predicted, Undefined):
        return predicted
    if isinstance(control, Undefined):
        return control
    if isinstance(half, Undefined):
        return half
    return control - predicted, control - half


def anchor(cells: CalibratedCells) -> Anchors:
    """The two references of a condition."""
    observed = _wide(cells, cells.observed[sample(len(cells.observed), MAX_CELLS, cells.seed)])
    basal = _wide(cells, cells.basal)
    first, second = halves(len(observed), cells.seed)
    squared = squared_distances(observed, observed, same=True)
    within = mean_of_pairs(squared)
    energy_control, energy_half = _energy_anchors(observed, basal, squared, first, second)
    n = len(observed)
    epsilon = float(squared.sum()) / (n * (n - 1)) * EPSILON_SHARE if n > 1 else 0.0
    transported = min(len(first), len(basal))
    lacking = _lacking(len(first), transported, epsilon)
    if lacking is not None:
        none = Undefined(lacking)
        return Anchors(
            observed, second, within, energy_control, energy_half, epsilon, transported, 0.0, none, none
        )
    target = observed[second]
    self_transport = transport(squared[np.ix_(second, second)], epsilon).value
    sources = (
        basal[sample(len(basal), transported, cells.seed)],
        observed[first[sample(len(first), transported, cells.seed)]],
    )
    control, half = (_divergence(source, target, epsilon, self_transport) for source in sources)
    return Anchors(
        observed,
        second,
        within,
        energy_control,
        energy_half,
        epsilon,
        transported,
        self_transport,
        control,
        half,
    )


def _lacking(half: int, transported: int, epsilon: float) -> str | None:
    """Why there is no transport; None where there is."""
    if half < 2:
        return FEW_HALVES
    if transported < 2:
        return FEW_BASAL
    return NO_SPREAD if epsilon == 0 else None


def mean_of_pairs(squared: Square) -> float:
    """Mean distance over pairs of different cells, from their squared distances; NaN for fewer than two cells."""
    n = len(squared)
    return float(np.sqrt(squared).sum()) / (n * (n - 1)) if n > 1 else float("nan")


def energy(between: Square, within_x: float, within_y: float) -> float:
    """Energy distance from squared distances between two groups and the mean distances within them."""
    return 2 * float(np.sqrt(between).mean()) - within_x - within_y


def _energy_anchors(
    observed: Wide, basal: Wide, squared: Square, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Value, Value]:
    control: Value = Undefined(
        FEW_OBSERVED if len(observed) < 2 else "there are fewer than two control cells"
    )
    if len(observed) > 1 and len(basal) > 1:
        within_basal = mean_of_pairs(squared_distances(basal, basal, same=True))
        control = energy(squared_distances(observed, basal), mean_of_pairs(squared), within_basal)
    if len(first) < 2:
        return control, Undefined(FEW_HALVES)
    parts = [squared[np.ix_(a, b)] for a, b in ((first, second), (first, first), (second, second))]
    return control, energy(parts[0], mean_of_pairs(parts[1]), mean_of_pairs(parts[2]))


def _divergence(source: Wide, target: Wide, epsilon: float, target_on_itself: float) -> float:
    across = transport(squared_distances(source, target), epsilon).value
    source_on_itself = transport(squared_distances(source, source, same=True), epsilon).value
    return across - (source_on_itself + target_on_itself) / 2


def _wide(cells: CalibratedCells, group: NDArray[np.float32]) -> Wide:
    return without_targets(group, cells.targets)


def without_targets(group: NDArray[np.float32], targets: Sequence[int]) -> Wide:
    """Cells in double precision without some genes, copied once."""
    gone = sorted(set(targets))
    out = np.empty((len(group), group.shape[1] - len(gone)))
    starts = [0, *(gene + 1 for gene in gone)]
    for k, (start, stop) in enumerate(zip(starts, [*gone, group.shape[1]], strict=True)):
        out[:, start - k : stop - k] = group[:, start:stop]
    return out
