"""Panel `perturbench`: PerturBench's metrics as published (v2026), their ranks and transposed ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics import pair_scores
from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.inputs import ConditionCells, ContextProfiles, Profile
from harness.metrics.pair_scores import HIGHER_IS_BETTER, Cloud, VectorScore, all_pairs, mmd_of_all_pairs
from harness.metrics.pca import PrincipalAxes
from harness.metrics.perturbench_aggregations import log_fold_change
from harness.metrics.perturbench_ranks import NORMALISERS, Normaliser, Places, places
from harness.metrics.perturbench_side import RANK_CELLS as RANK_CELLS
from harness.metrics.perturbench_side import Side as Side
from harness.metrics.perturbench_side import side as side

PANEL: Final = "perturbench"
REFERENCE = "PerturBench 2025 (arXiv 2408.10609), evaluation code of 2026-02"
STAMP = NORMALISERS["n-1"]
"""What ranks of this panel are stamped with; ranks of other releases are not comparable."""
ONE_PERTURBATION = "there is one perturbation in this context, nothing to rank it among"
TOO_FEW = "a t-test needs two cells in the group and two controls"
NO_CELLS = "there are no cells to compare, only profiles"

_error = partial(
    metric, panel=PANEL, reference=REFERENCE, direction=Direction.LOWER, optimum=0.0, range=(0.0, np.inf)
)
_likeness = partial(
    metric, panel=PANEL, reference=REFERENCE, direction=Direction.HIGHER, optimum=1.0, range=(-1.0, 1.0),
    pathologies="blind to scale; both sides share the controls, whose noise correlates",
)  # fmt: skip


@_error(pathologies="dominated by the genes with the largest effects; predicting no effect is hard to beat")
def rmse_average(predicted: Profile, observed: Profile) -> Value:
    r"""Root mean squared error of mean expression: $\sqrt{\frac1G\sum_g(m_P-m_T)_g^2}$."""
    return _defined("rmse", predicted, observed)


@_error(pathologies="predicting no effect is hard to beat")
def mae_average(predicted: Profile, observed: Profile) -> Value:
    r"""Mean absolute error of mean expression: $\frac1G\sum_g|m_P-m_T|_g$."""
    return _defined("mae", predicted, observed)


@_likeness()
def cosine_logfc(predicted: Profile, observed: Profile) -> Value:
    r"""Cosine of the log fold changes, $\log_2\frac{m_P+0.1}{m_C+0.1}$ and $\log_2\frac{m_T+0.1}{m_C+0.1}$."""
    return _defined("cosine", predicted, observed)


@_likeness()
def pearson_logfc(predicted: Profile, observed: Profile) -> Value:
    r"""Correlation over genes of $\log_2\frac{m_P+0.1}{m_C+0.1}$ and $\log_2\frac{m_T+0.1}{m_C+0.1}$."""
    return _defined("pearson", predicted, observed)


@metric(
    panel=PANEL, reference=REFERENCE, direction=Direction.HIGHER, optimum=1.0, range=(-1.0, 1.0),
    pathologies="the centre is the mean of all truths and controls, so that what all perturbations share scores",
)  # fmt: skip
def cosine_pca_average(predicted: Profile, observed: Profile) -> Value:
    r"""Cosine of mean expression on the first 100 principal axes A of truth and controls: $\cos(A(m_P-μ),A(m_T-μ))$."""
    return _defined("cosine", predicted, observed)


@metric(
    panel=PANEL, reference=REFERENCE, direction=Direction.HIGHER, optimum=1.0, range=(-np.inf, 1.0), needs=("cells",),
    pathologies="the spread is the prediction's: a constant prediction has 0, a spread-out wrong one is close to it",
)  # fmt: skip
def r2_scores(predicted: Profile, observed: Profile) -> Value:
    r"""$1-\sum_g(t_P-t_T)_g^2/\sum_g(t_P-\bar t_P)_g^2$ of t-scores against the controls, the prediction as reference."""
    return _defined("r2_score", predicted, observed)


@metric(
    panel=PANEL, reference=REFERENCE, direction=Direction.HIGHER, optimum=1.0, range=(0.0, 1.0), needs=("cells",),
    pathologies="at most G/50 where there are fewer than 50 genes; 50/G by chance; equal scores keep gene order",
)  # fmt: skip
def top_k_recall_scores(predicted: Profile, observed: Profile) -> Value:
    r"""$|T_{50}(t_P)\cap T_{50}(t_T)|/50$, the genes with the 50 largest absolute t-scores of either side."""
    return _defined("top_k_recall", predicted, observed)


@_error(
    needs=("cells",),
    pathologies="cells paired with themselves favour many cells; a prediction without spread of cells looks bad",
)
def mmd_pca(predicted: Cloud, observed: Cloud, within_observed: float | None = None) -> Value:
    r"""$E|a-b|-\frac12E|a-a'|-\frac12E|b-b'|$ of cells in the space of the principal axes, all pairs."""
    return pair_scores.mmd(predicted, observed, within_observed)


METRICS = tuple(
    function.card.name  # type: ignore[attr-defined]
    for function in (
        rmse_average, mae_average, cosine_logfc, pearson_logfc, cosine_pca_average, r2_scores, top_k_recall_scores,
        mmd_pca,
    )
)  # fmt: skip
_OF_EACH = {name: f"Scored by `{name}`." for name in METRICS}
_rank = partial(
    metric, panel=PANEL, reference=REFERENCE, range=(0.0, 1.0), needs=("means", "perturbations"), variants=_OF_EACH,
    unit="context",
)  # fmt: skip
_FEW = "coarse where there are few perturbations; 0.5 by chance and by collapse"


@_rank(direction=Direction.LOWER, optimum=0.0, pathologies=_FEW)
def rank(found: Places, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
    r"""Place of a truth's own prediction among all predictions: $(\mathrm{better}+\mathrm{tied}/2)/(n-1)$."""
    return found.expected(normaliser)


@_rank(direction=Direction.LOWER, optimum=0.0, pathologies=_FEW)
def rank_transposed(found: Places, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
    r"""Place of a prediction's own truth among all truths: $(\mathrm{better}+\mathrm{tied}/2)/(n-1)$."""
    return found.expected(normaliser)


@_rank(direction=Direction.NONE, optimum=None)
def rank_lowest(found: Places, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
    """The rank if every tie were won: the least that the original, which draws, can give."""
    return found.lowest(normaliser)


@_rank(direction=Direction.NONE, optimum=None)
def rank_highest(found: Places, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
    """The rank if every tie were lost: the most that the original, which draws, can give."""
    return found.highest(normaliser)


@_rank(direction=Direction.NONE, optimum=None)
def rank_tied(found: Places, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:  # noqa: ARG001
    """Share of the other predictions that score exactly the same: near 1 where predictions have collapsed."""
    return found.tied_share


CONDITION_NAMES = METRICS
RANKS: dict[str, Callable[..., NDArray[np.float64]]] = {
    "rank": rank, "rank_transposed": rank_transposed, "rank_lowest": rank_lowest, "rank_highest": rank_highest,
    "rank_tied": rank_tied,
}  # fmt: skip
CONTEXT_NAMES = tuple(f"{name}_{of}" for name in RANKS for of in METRICS)
NAMES = (*CONDITION_NAMES, *CONTEXT_NAMES)


def condition_values(
    cells: ConditionCells, axes: PrincipalAxes | Undefined, observed: Side, predicted: Side
) -> dict[str, Value]:
    """The metrics of one condition, `CONDITION_NAMES`. Sides come from `side`."""
    told, true = cells.predicted_moments.mean[None], cells.observed_moments.mean[None]
    values = {"rmse_average": rmse_average(told[0], true[0]), "mae_average": mae_average(told[0], true[0])}
    if len(cells.controls.cells):
        changes = (
            log_fold_change(told, cells.predicted_controls.moments.mean)[0],
            log_fold_change(true, cells.controls.moments.mean)[0],
        )
        values |= {"cosine_logfc": cosine_logfc(*changes), "pearson_logfc": pearson_logfc(*changes)}
    else:
        none = Undefined("there are no control cells")
        values |= {"cosine_logfc": none, "pearson_logfc": none}
    if isinstance(axes, Undefined):
        values["cosine_pca_average"] = axes
    else:
        values["cosine_pca_average"] = cosine_pca_average(axes.project(told)[0], axes.project(true)[0])
    return values | side_values(observed, predicted, axes)


def side_values(observed: Side, predicted: Side, axes: PrincipalAxes | Undefined) -> dict[str, Value]:
    """The metrics that need cells."""
    values: dict[str, Value]
    if observed.scores is None or predicted.scores is None:
        values = dict.fromkeys(("r2_scores", "top_k_recall_scores"), Undefined(TOO_FEW))
    else:
        scores = predicted.scores, observed.scores
        values = {"r2_scores": r2_scores(*scores), "top_k_recall_scores": top_k_recall_scores(*scores)}
    if isinstance(axes, Undefined) or observed.cloud is None or predicted.cloud is None:
        return values | {"mmd_pca": axes if isinstance(axes, Undefined) else Undefined(NO_CELLS)}
    return values | {"mmd_pca": mmd_pca(predicted.cloud, observed.cloud, observed.within)}


def context_values(
    profiles: ContextProfiles,
    axes: PrincipalAxes | Undefined,
    observed: Sequence[Side] = (),
    predicted: Sequence[Side] = (),
    *,
    metrics: Sequence[str] = METRICS,
    normaliser: Normaliser = "n-1",
) -> dict[str, list[Value]]:
    """Ranks of every condition among the predicted conditions of its context, `CONTEXT_NAMES`.

    Sides (see `Side.for_ranks`) stand in the order of the profiles; without them metrics of cells are undefined.
    """
    n = len(profiles.perturbations)
    values: dict[str, list[Value]] = {}
    for name in metrics:
        scores = (
            Undefined(ONE_PERTURBATION) if n < 2 else _score_matrix(name, profiles, axes, observed, predicted)
        )
        if isinstance(scores, Undefined):
            values |= {f"{kind}_{name}": [scores] * n for kind in RANKS}
        else:
            values |= _ranks(name, scores, normaliser)
    return {f"{kind}_{name}": values[f"{kind}_{name}"] for kind in RANKS for name in metrics}


def _score_matrix(
    name: str,
    profiles: ContextProfiles,
    axes: PrincipalAxes | Undefined,
    observed: Sequence[Side],
    predicted: Sequence[Side],
) -> NDArray[np.float64] | Undefined:
    """The score of every prediction (row) against every truth (column)."""
    score, aggregation = _OF_METRIC[name]
    if aggregation in ("pca_average", "pca") and isinstance(axes, Undefined):
        return axes
    if aggregation in ("scores", "pca"):
        if not observed or not predicted:
            return Undefined(NO_CELLS)
        if aggregation == "pca":
            return mmd_of_all_pairs(_clouds(predicted), _clouds(observed))
        n_genes = profiles.observed.shape[1]
        return all_pairs(score, _scores(predicted, n_genes), _scores(observed, n_genes))
    told, true = profiles.predicted, profiles.observed
    if aggregation == "logfc":
        told = log_fold_change(told, profiles.predicted_control)
        true = log_fold_change(true, profiles.control)
    elif not isinstance(axes, Undefined) and aggregation == "pca_average":
        told, true = axes.project(told), axes.project(true)
    return all_pairs(score, told, true)


def _ranks(name: str, scores: NDArray[np.float64], normaliser: Normaliser) -> dict[str, list[Value]]:
    higher = _OF_METRIC[name][0] in HIGHER_IS_BETTER
    straight = places(scores, higher_is_better=higher)
    turned = places(scores, higher_is_better=higher, transposed=True)
    missing = np.isnan(scores)
    unranked = np.asarray(missing.all(axis=0) & ~missing.all(), np.bool_)
    reason = Undefined(f"no prediction has a `{name}` against this truth")
    return {
        f"{kind}_{name}": [
            reason if lost else value
            for lost, value in zip(
                unranked.tolist(),
                function(turned if kind == "rank_transposed" else straight, normaliser).tolist(),
                strict=True,
            )
        ]
        for kind, function in RANKS.items()
    }


def _scores(sides: Sequence[Side], n_genes: int) -> NDArray[np.float64]:
    return np.stack([np.full(n_genes, np.nan) if one.scores is None else one.scores for one in sides])


def _clouds(sides: Sequence[Side]) -> list[Cloud]:
    return [np.zeros((0, 1)) if one.cloud is None else one.cloud for one in sides]


def _defined(score: VectorScore, predicted: Profile, observed: Profile) -> Value:
    """A published score as a value: what the original calls NaN does not exist, and why."""
    for profile, whose in ((predicted, "predicted"), (observed, "observed")):
        if not np.isfinite(profile).all():
            return Undefined(f"the {whose} profile is not finite")
        if score == "cosine" and not profile.any():
            return Undefined(f"the {whose} change is zero in every gene")
        if score == "pearson" and profile.max() == profile.min():
            return Undefined(f"the {whose} change is the same in every gene")
    return pair_scores.VECTOR_SCORES[score](predicted, observed)


_OF_METRIC: dict[str, tuple[VectorScore, str]] = {
    "rmse_average": ("rmse", "average"),
    "mae_average": ("mae", "average"),
    "cosine_logfc": ("cosine", "logfc"),
    "pearson_logfc": ("pearson", "logfc"),
    "cosine_pca_average": ("cosine", "pca_average"),
    "r2_scores": ("r2_score", "scores"),
    "top_k_recall_scores": ("top_k_recall", "scores"),
    "mmd_pca": ("mse", "pca"),
}
