"""Panel `celleval`: the columns of cell-eval, with its semantics of version 0.8.2.

`clustering_agreement` is left out: it depends on a community search that differs between versions of its library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.celleval_context import RETRIEVAL, de_spearman_sig, energy_distance, pearson_edistance
from harness.metrics.celleval_de import (
    METRICS,
    PANEL,
    REFERENCE,
    SEMANTICS,
    Genes,
    differential_expression,
)
from harness.metrics.correlation import pearson
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls, Profile

STAMP = SEMANTICS
"""What values of this panel are stamped with: they cannot be compared across versions of the original."""
BELOW_ZERO = "expression is below 0 in the controls, which are no log1p values: there is no fold change"

_error = partial(
    metric, panel=PANEL, reference=REFERENCE, direction=Direction.LOWER, optimum=0.0, range=(0.0, np.inf),
    pathologies="predicting no effect is hard to beat",
)  # fmt: skip


@metric(
    panel=PANEL, reference=REFERENCE, direction=Direction.HIGHER, optimum=1.0, range=(-1.0, 1.0),
    pathologies="blind to scale; the noise of the shared controls is on both sides and correlates",
)  # fmt: skip
def pearson_delta(observed: Profile, predicted: Profile) -> Value:
    r"""Pearson correlation over genes of the effects against the controls: $\mathrm{corr}_g(m_P-m_C,\,m_T-m_C)$."""
    return pearson(observed, predicted, of=("the observed effect", "the predicted effect"))


@_error()
def mse(observed: Profile, predicted: Profile) -> float:
    r"""Mean squared error of mean expression: $\frac1G\sum_g(m_{P,g}-m_{T,g})^2$."""
    return float(np.square(predicted - observed).mean())


@_error()
def mae(observed: Profile, predicted: Profile) -> float:
    r"""Mean absolute error of mean expression: $\frac1G\sum_g|m_{P,g}-m_{T,g}|$."""
    return float(np.abs(predicted - observed).mean())


@_error()
def mse_delta(observed: Profile, predicted: Profile) -> float:
    r"""Mean squared error of effects, `mse` where both sides share controls: $\overline{(\hat\delta_g-\delta_g)^2}$."""
    return float(np.square(predicted - observed).mean())


@_error()
def mae_delta(observed: Profile, predicted: Profile) -> float:
    r"""Mean absolute error of effects, `mae` where both sides share controls: $\overline{|\hat\delta_g-\delta_g|}$."""
    return float(np.abs(predicted - observed).mean())


MEANS = (mse, mae)
DELTAS = (pearson_delta, mse_delta, mae_delta)


def _names(*functions: Any) -> tuple[str, ...]:
    return tuple(function.card.name for function in functions)


CONDITION_NAMES = _names(*MEANS, *DELTAS, *METRICS)
CONTEXT_NAMES = _names(*RETRIEVAL, pearson_edistance, de_spearman_sig)
NAMES = (*CONDITION_NAMES, *CONTEXT_NAMES)


@dataclass(frozen=True)
class Side:
    """One side of a condition against its controls; of the observed side it is computed once for all predictions."""

    fold_change: NDArray[np.float32]  # [genes]
    fdr: NDArray[np.float32]  # [genes]
    distance: float
    """Energy distance to the controls."""

    @cached_property
    def genes(self) -> Genes:
        return Genes(self.fold_change, self.fdr)

    @property
    def totals(self) -> Totals:
        """What metrics across perturbations need of it."""
        return Totals(self.distance, len(self.genes.significant))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The side as arrays, to be stored."""
        return {"fold_change": self.fold_change, "fdr": self.fdr, "distance": np.array(self.distance)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Side:
        """A side that was stored."""
        return cls(arrays["fold_change"], arrays["fdr"], float(arrays["distance"]))


@dataclass(frozen=True)
class Totals:
    """Two numbers of one side of a condition."""

    distance: float
    significant: int


def side(cells: NDArray[Any], controls: Controls, mean: Profile | None = None) -> Side | Undefined:
    """Differential expression and energy distance of cells [cells, genes] against the controls.

    `mean` is the mean of the cells, where it is known already.
    """
    if not len(cells) or not len(controls.cells):
        return Undefined("there are no control cells" if len(cells) else "there are no cells")
    if (controls.moments.mean < 0).any():
        return Undefined(BELOW_ZERO)
    genes = Genes.of(differential_expression(cells, controls, mean))
    return Side(genes.fold_change, genes.fdr, energy_distance(cells, controls))


def condition_values(
    cells: ConditionCells, observed: Side | Undefined | None = None, predicted: Side | Undefined | None = None
) -> dict[str, Value]:
    """The columns that need one condition only. Sides that are known already are not computed again."""
    true, told = cells.observed_moments.mean, cells.predicted_moments.mean
    observed = side(cells.observed, cells.controls, true) if observed is None else observed
    predicted = side(cells.predicted, cells.predicted_controls, told) if predicted is None else predicted
    values: dict[str, Value] = {function.card.name: function(true, told) for function in MEANS}  # type: ignore[attr-defined]
    if len(cells.controls.cells):
        effects = true - cells.controls.moments.mean, told - cells.predicted_controls.moments.mean
        values |= {function.card.name: function(*effects) for function in DELTAS}  # type: ignore[attr-defined]
    else:
        values |= dict.fromkeys(_names(*DELTAS), Undefined("there are no control cells"))
    for one in (observed, predicted):
        if isinstance(one, Undefined):
            return values | dict.fromkeys(_names(*METRICS), one)
    assert isinstance(observed, Side)
    assert isinstance(predicted, Side)
    genes = observed.genes, predicted.genes
    return values | {function.card.name: function(*genes) for function in METRICS}  # type: ignore[attr-defined]


def context_values(
    profiles: ContextProfiles,
    own: Sequence[int | None],
    observed: Sequence[Totals | Undefined],
    predicted: Sequence[Totals | Undefined],
) -> dict[str, list[Value]]:
    """The columns that compare the conditions of a context; numbers of the whole context are repeated for each.

    `own` is the position of the gene that a condition's label names, see `own_genes`.
    """
    effects = profiles.observed - profiles.control, profiles.predicted - profiles.predicted_control
    values: dict[str, list[Value]] = {
        function.card.name: function(*effects, own)  # type: ignore[attr-defined]
        for function in RETRIEVAL
    }
    n = len(profiles.perturbations)
    lacking = next((one for one in (*observed, *predicted) if isinstance(one, Undefined)), None)
    if lacking is not None:
        return values | {name: [lacking] * n for name in _names(pearson_edistance, de_spearman_sig)}
    true = [one for one in observed if isinstance(one, Totals)]
    told = [one for one in predicted if isinstance(one, Totals)]
    distance = pearson_edistance(*(np.array([one.distance for one in totals]) for totals in (true, told)))
    number = de_spearman_sig(
        *(np.array([one.significant for one in totals], np.float64) for totals in (true, told))
    )
    return values | dict(
        zip(_names(pearson_edistance, de_spearman_sig), ([distance] * n, [number] * n), strict=True)
    )


def own_genes(labels: Sequence[str], genes: Sequence[str]) -> list[int | None]:
    """For each label the position of the gene of that name, which retrieval leaves out; the first where it repeats."""
    position = {gene: i for i, gene in reversed(list(enumerate(genes)))}
    return [position.get(label) for label in labels]
