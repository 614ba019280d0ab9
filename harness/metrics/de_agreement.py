"""Calibrated agreement of differential expression: the same cell number everywhere, the truth's noise for both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.differential import benjamini_hochberg
from harness.metrics.inputs import CalibratedCells
from harness.metrics.moments import moments
from harness.metrics.sampling import sample

PANEL: Final = "calibrated"
CELLS = 50
"""Observed cells and controls that genes are tested with; all of them where there are no more."""
FEWEST_CELLS = 5
RATE = 0.05
"""False discovery rate of a call."""
Signs = NDArray[np.int8]  # [genes]; −1, 0 (not called), 1


@dataclass(frozen=True)
class ObservedCalls:
    """The observed effect, tested: the same for every submission."""

    tested: NDArray[np.int64]
    """Positions of the genes that are tested."""
    error: NDArray[np.float64]  # [tested genes]
    freedom: NDArray[np.float64]  # [tested genes]
    calls: Signs
    directions: Signs


@dataclass(frozen=True)
class Calls:
    """Which genes are called on each side, and which way they go."""

    observed: Signs
    predicted: Signs
    directions: Signs
    """The way every gene goes in the observed cells, called or not."""

    @property
    def chance_overlap(self) -> float:
        """Expected overlap of two random sets of these sizes."""
        return float(np.count_nonzero(self.observed)) * np.count_nonzero(self.predicted) / len(self.observed)


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(0.0, 1.0),
    reference="Jaccard 1901; cells fixed in number",
    needs=("cells",),
    pathologies="two halves of the same data agree to about 0.4 only",
)
def deg_jaccard(calls: Calls) -> Value:
    r"""$|R\cap\hat R|/|R\cup\hat R|$ of the genes called in observed and predicted effects at 5 % false discoveries.

    Both effects are tested with the standard error of the observed one, from at most 50 cells against 50 controls: a
    submission gains nothing by the spread of its cells.
    """
    either = (calls.observed != 0) | (calls.predicted != 0)
    if not either.any():
        return Undefined("no gene is called on either side")
    both = (calls.observed != 0) & (calls.predicted != 0)
    return float(both.sum() / either.sum())


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    reference="sets of the same sizes drawn at random",
    needs=("cells",),
)
def deg_jaccard_chance(calls: Calls) -> Value:
    r"""Jaccard index at the expected overlap of random sets of these sizes: $e/(|R|+|\hat R|-e)$, $e=|R||\hat R|/G$."""
    sizes = np.count_nonzero(calls.observed) + np.count_nonzero(calls.predicted)
    if sizes == 0:
        return Undefined("no gene is called on either side")
    return calls.chance_overlap / (sizes - calls.chance_overlap)


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(0.0, 1.0),
    reference="vcc2026; cells fixed in number",
    needs=("cells",),
    pathologies="a guess of the sign reaches one half",
)
def direction_fidelity(calls: Calls) -> Value:
    r"""Predicted calls that go the observed way, over the larger number of calls: $k/\max(|\hat R|,|R|)$."""
    larger = _larger(calls)
    if larger == 0:
        return Undefined("no gene is called on either side")
    return float(((calls.predicted != 0) & (calls.predicted == calls.directions)).sum() / larger)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    reference="signs drawn at random",
    needs=("cells",),
)
def direction_fidelity_chance(calls: Calls) -> Value:
    r"""What the same calls reach with random signs: $\frac12|\hat R|/\max(|\hat R|,|R|)$."""
    larger = _larger(calls)
    if larger == 0:
        return Undefined("no gene is called on either side")
    return float(np.count_nonzero(calls.predicted) / (2 * larger))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, CELLS),
    reference="what genes are tested with",
    needs=("cells",),
)
def deg_cells(cells: CalibratedCells) -> float:
    """Number of observed cells, and of controls, that genes were tested with."""
    return float(min(len(cells.observed), len(cells.reference.cells), CELLS))


METRICS = (deg_jaccard, deg_jaccard_chance, direction_fidelity, direction_fidelity_chance)
NAMES = ("deg_jaccard", "deg_jaccard_chance", "direction_fidelity", "direction_fidelity_chance", "deg_cells")


def condition_values(
    cells: CalibratedCells,
    predicted_effect: NDArray[np.float64],
    known: ObservedCalls | Undefined | None = None,
) -> dict[str, Value]:
    """Every value of one condition, whose predicted effect is the mean over its rows.

    `known` spares what was computed for another submission on the same cells.
    """
    calls = call_genes(call_observed(cells) if known is None else known, predicted_effect)
    values: dict[str, Value] = {
        name: calls if isinstance(calls, Undefined) else function(calls)
        for name, function in zip(NAMES, METRICS, strict=False)
    }
    return values | {"deg_cells": deg_cells(cells)}


def call_observed(cells: CalibratedCells) -> ObservedCalls | Undefined:
    """Test the observed effect; genes without any variance are not tested."""
    size = int(deg_cells(cells))
    if size < FEWEST_CELLS:
        return Undefined(
            f"genes are tested with at least {FEWEST_CELLS} cells and controls, there are {size}"
        )
    observed = moments(cells.observed[sample(len(cells.observed), size, cells.seed)])
    reference = moments(cells.reference.cells[sample(len(cells.reference.cells), size, cells.seed + 1)])
    a, b = observed.variance / size, reference.variance / size
    tested = np.delete(np.arange(len(a)), list(cells.targets))
    tested = tested[(a + b)[tested] > 0]
    if len(tested) == 0:
        return Undefined("no gene varies in observed cells or controls")
    a, b = a[tested], b[tested]
    error, freedom = np.sqrt(a + b), (a + b) ** 2 / ((a**2 + b**2) / (size - 1))
    effect = (observed.mean - reference.mean)[tested]
    calls = _called(effect, error, freedom)
    return ObservedCalls(tested, error, freedom, calls, np.sign(effect).astype(np.int8))


def call_genes(
    observed: ObservedCalls | Undefined, predicted_effect: NDArray[np.float64]
) -> Calls | Undefined:
    """Test the predicted effect with the standard error of the observed one."""
    if isinstance(observed, Undefined):
        return observed
    predicted = _called(predicted_effect[observed.tested], observed.error, observed.freedom)
    return Calls(observed.calls, predicted, observed.directions)


def _called(effect: NDArray[np.float64], error: NDArray[np.float64], freedom: NDArray[np.float64]) -> Signs:
    """The sign of each effect that is called, 0 of the others."""
    from scipy.special import stdtr

    called = benjamini_hochberg(2 * stdtr(freedom, -np.abs(effect / error))) <= RATE
    return np.asarray(np.sign(effect).astype(np.int8) * called, np.int8)


def _larger(calls: Calls) -> int:
    return int(max(np.count_nonzero(calls.observed), np.count_nonzero(calls.predicted)))
