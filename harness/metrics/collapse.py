"""Panel `collapse`: do predictions differ between perturbations as much as the truth does, and in how many directions?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.pair_scores import unit

PANEL: Final = "collapse"
SIGNAL_FLOOR = 0.01
"""Share of a gene's observed variance that counts as signal at least, however noisy the gene."""
SAME = 1e-6
"""Distance of two predictions, relative to their norms, that float32 rounding of equal ones can reach."""
FLAT = 1e-12
"""Share of the squared norm that rounding leaves of the variance of equal predictions."""
COLLAPSED, SCATTERED = 0.1, 3.0
"""Variance ratios below and above which a submission is flagged."""
FEW = "there are fewer than two perturbations in a context, nothing to differ"
NOISE = "observed effects differ between perturbations by no more than their sampling noise"
NO_EFFECT = "observed effects are no larger than their sampling noise"
Effects = NDArray[np.float64]  # [conditions, genes]


@dataclass(frozen=True)
class Spread:
    """How effects differ between the perturbations of one context; spreads of contexts add up."""

    conditions: int
    freedom: int
    """Conditions less contexts."""
    predicted: NDArray[np.float64]  # [genes]; Σ_p (δ̂_p − mean)²
    observed: NDArray[np.float64]  # [genes]; Σ_p (δ_p − mean)²
    noise: NDArray[np.float64]  # [genes]; sampling variance of δ, times the freedom
    predicted_norm: float
    """Σ_p ‖δ̂_p‖²"""
    observed_norm: float
    """Σ_p ‖δ_p‖², sampling noise taken off."""

    def __add__(self, other: Spread) -> Spread:
        return Spread(
            self.conditions + other.conditions,
            self.freedom + other.freedom,
            self.predicted + other.predicted,
            self.observed + other.observed,
            self.noise + other.noise,
            self.predicted_norm + other.predicted_norm,
            self.observed_norm + other.observed_norm,
        )

    @property
    def signal(self) -> NDArray[np.float64]:
        """Observed spread less noise, at least a small share of it. [genes]"""
        return np.maximum(self.observed - self.noise, SIGNAL_FLOOR * self.observed)

    @property
    def excess(self) -> float:
        """Observed spread over all genes less noise."""
        return float((self.observed - self.noise).sum())


def spread(predicted: Effects, observed: Effects, sampling: Effects) -> Spread:
    """Spread of one context. `sampling` is the variance of the observed effects by their cells, NaN where unknown."""
    n = len(observed)
    known = ~np.isnan(sampling).any(axis=1)
    noise = sampling[known].mean(axis=0) if known.any() else np.zeros(observed.shape[1])
    return Spread(
        n,
        max(n - 1, 0),
        _within(predicted),
        _within(observed),
        noise * max(n - 1, 0),
        float(np.square(predicted).sum()),
        float(np.square(observed).sum() - n * noise.sum()),
    )


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1.0,
    range=(0.0, np.inf),
    unit="context",
    needs=("means", "perturbations"),
    reference="variance ratio over perturbations, sampling noise of the truth taken off",
    pathologies="says nothing of the right direction; below 0.1 predictions have collapsed, above 3 they scatter",
)
def variance_ratio(context: Spread) -> Value:
    r"""$\sum_g\mathrm{Var}_p(\hat\delta_{pg})\,/\,\sum_g\max(\mathrm{Var}_p(\delta_{pg})-\overline{v_{pg}},\,\varepsilon_g)$.

    $v$ is the sampling variance of an observed effect, $\varepsilon_g$ one hundredth of the observed variance. Over several
    contexts both sums run over variances within contexts.
    """
    if context.freedom < 1:
        return Undefined(FEW)
    if context.excess <= 0:
        return Undefined(NOISE)
    return float(context.predicted.sum() / context.signal.sum())


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1.0,
    range=(0.0, np.inf),
    unit="context",
    needs=("means", "perturbations"),
    reference="variance ratio over perturbations, by gene",
    pathologies="genes that no perturbation moves are half of them; their ratio is large by the noise floor",
)
def variance_ratio_median_gene(context: Spread) -> Value:
    r"""Median over genes of $\mathrm{Var}_p(\hat\delta_{pg})$ over the gene's term in the variance ratio's denominator."""
    if context.freedom < 1:
        return Undefined(FEW)
    moving = context.observed > 0
    if context.excess <= 0 or not moving.any():
        return Undefined(NOISE)
    return float(np.median(context.predicted[moving] / context.signal[moving]))


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1.0,
    range=(0.0, np.inf),
    unit="context",
    needs=("means", "perturbations"),
    reference="size of predicted effects over that of observed ones",
    pathologies="says nothing of the right direction; a model that hedges has less than 1 and the lower error",
)
def norm_ratio(context: Spread) -> Value:
    r"""$\sqrt{\sum_p\|\hat\delta_p\|^2\,/\,\sum_p(\|\delta_p\|^2-\sum_g v_{pg})}$."""
    if context.observed_norm <= 0:
        return Undefined(NO_EFFECT)
    return float(np.sqrt(context.predicted_norm / context.observed_norm))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 2.0),
    unit="context",
    needs=("means", "perturbations"),
    reference="mean cosine distance of pairs of predicted effects",
    pathologies="blind to scale: noise around one effect is diverse where that effect is small",
)
def pairwise_diversity(predicted: Effects) -> Value:
    r"""$\overline{1-\cos(\hat\delta_p,\hat\delta_q)}$ over pairs of perturbations; 0 where all point the same way."""
    if len(predicted) < 2:
        return Undefined(FEW)
    directions = unit(predicted[predicted.any(axis=1)])
    if len(directions) < 2:
        return Undefined("fewer than two predicted effects are not zero")
    n = len(directions)
    together = float(np.square(directions.sum(axis=0)).sum())
    return max(1 - (together - n) / (n * (n - 1)), 0.0)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.0,
    range=(0.0, 1.0),
    unit="context",
    needs=("means", "perturbations"),
    reference="share of pairs of perturbations that are predicted the same",
    pathologies="a prediction with a little noise has no tied pair, however collapsed",
)
def tied_pairs(predicted: Effects) -> Value:
    r"""Share of pairs with $\|\hat\delta_p-\hat\delta_q\|\le10^{-6}\max(\|\hat\delta_p\|,\|\hat\delta_q\|)$."""
    n = len(predicted)
    if n < 2:
        return Undefined(FEW)
    norms = np.sqrt(np.square(predicted).sum(axis=1))
    order = np.argsort(norms, kind="stable")
    rows, lengths = predicted[order], norms[order]
    tied = 0
    for i in range(n - 1):
        stop = int(np.searchsorted(lengths, lengths[i] * (1 + 2 * SAME), side="right"))
        near = rows[i + 1 : stop]
        if len(near):
            gaps = np.sqrt(np.square(near - rows[i]).sum(axis=1))
            tied += int((gaps <= SAME * lengths[i + 1 : stop]).sum())
    return tied / (n * (n - 1) / 2)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(1.0, np.inf),
    unit="context",
    needs=("means", "perturbations"),
    reference="Roy & Vetterli 2007",
    pathologies="grows with the number of perturbations and with noise: compare it with the truth's",
)
def effective_rank(effects: Effects) -> Value:
    r"""$\exp(-\sum_i p_i\ln p_i)$, $p_i=\sigma_i/\sum_j\sigma_j$, σ the singular values of effects minus their mean."""
    if len(effects) < 2:
        return Undefined(FEW)
    centred = effects - effects.mean(axis=0)
    if float(np.square(centred).sum()) <= FLAT * float(np.square(effects).sum()):
        return Undefined("all effects are the same, they span nothing")
    gram = centred @ centred.T if len(effects) <= effects.shape[1] else centred.T @ centred
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    values = values[values > FLAT**0.5 * values.max()]
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


OF_SPREAD: dict[str, Callable[[Spread], Value]] = {
    "variance_ratio": variance_ratio,
    "variance_ratio_median_gene": variance_ratio_median_gene,
    "norm_ratio": norm_ratio,
}
OF_PREDICTIONS: dict[str, Callable[[Effects], Value]] = {
    "pairwise_diversity": pairwise_diversity,
    "tied_pairs": tied_pairs,
    "effective_rank": effective_rank,
}
GLOBAL_NAMES = tuple(OF_SPREAD)
NAMES = (*OF_SPREAD, *OF_PREDICTIONS)


def context_values(predicted: Effects, found: Spread) -> dict[str, Value]:
    """The diagnostics of one context, `NAMES`."""
    values = {name: function(found) for name, function in OF_SPREAD.items()}
    return values | {name: function(predicted) for name, function in OF_PREDICTIONS.items()}


def global_values(contexts: Iterable[Spread]) -> dict[str, Value]:
    """The diagnostics over all contexts, `GLOBAL_NAMES`: spreads within contexts, added in the order given."""
    found = list(contexts)
    if not found:
        return dict.fromkeys(GLOBAL_NAMES, Undefined(FEW))
    total = found[0]
    for one in found[1:]:
        total = total + one
    return {name: function(total) for name, function in OF_SPREAD.items()}


def flag(ratio: Value) -> str | None:
    """`collapsed` or `scattered`, where a variance ratio is far from that of the truth."""
    if isinstance(ratio, Undefined) or COLLAPSED <= ratio <= SCATTERED:
        return None
    return "collapsed" if ratio < COLLAPSED else "scattered"


def _within(effects: Effects) -> NDArray[np.float64]:
    """Squared deviations from the mean over conditions; exactly 0 where all are the same. [genes]"""
    if not len(effects):
        return np.zeros(effects.shape[1])
    return np.asarray(np.square(effects - effects[0] - (effects - effects[0]).mean(axis=0)).sum(axis=0))
