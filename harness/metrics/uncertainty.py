"""The uncertainty panel: every value of its cards, for each condition and for a whole task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics import calibration, conformal, decomposition, ood, proper_scores, risk_coverage
from harness.metrics.card import Card, Undefined, Value
from harness.metrics.conformal_layers import Layers, conformal_layers
from harness.metrics.forecasts import Forecasts
from harness.metrics.scores import Scores

Array = NDArray[np.float64]
Positions = NDArray[np.int64]
PANEL = "uncertainty"
CONDITION_METRICS: tuple[Callable[[Forecasts], Scores], ...] = (
    calibration.coverage_50,
    calibration.coverage_80,
    calibration.coverage_90,
    calibration.coverage_95,
    proper_scores.nll,
    proper_scores.nll_skill,
    proper_scores.crps,
    proper_scores.crps_skill,
    proper_scores.interval_score_90,
    proper_scores.interval_skill_90,
    calibration.calibration_error,
    calibration.pit_ks,
    calibration.width_90,
    risk_coverage.relative_risk,
    risk_coverage.uncertainty,
    risk_coverage.expected_risk,
    decomposition.epistemic_share,
)
TASK_METRICS: tuple[Callable[..., Value], ...] = (
    calibration.coverage_90_error,
    calibration.coverage_90_strongest,
    calibration.pooled_calibration_error,
    calibration.recalibrated_width_90,
    risk_coverage.aurc,
    risk_coverage.aurc_gain,
    risk_coverage.aurc_gain_norm,
    risk_coverage.aurc_advantage,
    risk_coverage.uncertainty_risk_spearman,
    risk_coverage.uncertainty_risk_p,
    risk_coverage.risk_curve_deviation,
    ood.ood_auroc,
    ood.ood_auroc_matched,
    ood.ood_auroc_distance,
    decomposition.epistemic_ratio,
    decomposition.aleatoric_ratio,
    conformal.conformal_coverage,
    conformal.conformal_width,
    conformal.conformal_split_coverage,
    conformal.conformal_split_width,
    conformal.conformal_normalised_coverage,
    conformal.conformal_normalised_width,
    conformal.conformal_iid_coverage,
    conformal.conformal_iid_width,
)


def _card(function: Callable[..., object]) -> Card:
    card: Card = function.card  # type: ignore[attr-defined]
    return card


CONDITION_NAMES = tuple(_card(function).name for function in CONDITION_METRICS)
TASK_NAMES = tuple(_card(function).name for function in TASK_METRICS)
NAMES = CONDITION_NAMES + TASK_NAMES


def condition_values(forecasts: Forecasts) -> dict[str, list[Value]]:
    """Every condition-level value, in the order of the forecasts; each condition is scored on its own."""
    values: dict[str, list[Value]] = {name: [] for name in CONDITION_NAMES}
    for block in forecasts.blocks():
        for name, function in zip(CONDITION_NAMES, CONDITION_METRICS, strict=True):
            values[name] += function(block).each()
    return values


@dataclass(frozen=True)
class TaskSummary:
    """What the task level needs of all conditions: a few numbers of each, and the conformal layers."""

    forecasts: Forecasts
    values: dict[str, list[Value]]
    """Condition-level values."""
    effect_size: Array  # [conditions]; ‖δ‖
    norm: Array  # [conditions]; ‖μ‖
    pit: Array  # [conditions, levels]; NaN rows where the variance is unknown
    intervals: Array  # [conditions, levels]; NaN rows where the variance is unknown
    parts: Array  # [conditions, 2]; epistemic, aleatoric
    calibration_z: Array  # [calibration conditions, genes]
    layers: dict[str, Layers]
    """By the kind of the calibration conditions: `calib`, `iid`."""
    seed: int

    def column(self, name: str) -> Array:
        """One condition-level metric; NaN where undefined. [conditions]"""
        return np.array([np.nan if isinstance(v, Undefined) else v for v in self.values[name]], np.float64)

    def ordered(self) -> Positions:
        """The reported conditions that can be ordered by the risk that is expected of them, and have one."""
        return self.known("reported", "expected_risk", "relative_risk")

    def known(self, kind: str, *names: str) -> Positions:
        """Conditions of a kind for which these metrics are defined."""
        chosen = self.forecasts.of_kind(kind)
        for name in names:
            chosen = chosen[~np.isnan(self.column(name)[chosen])]
        return chosen


def summarise(forecasts: Forecasts, seed: int = 0) -> TaskSummary:
    """Read the forecasts block by block, once for each thing that is needed of them."""
    calibrating = forecasts.of_kind("calib")
    z = forecasts.rowwise(lambda block: block.z[~block.unknown], calibrating)
    return TaskSummary(
        forecasts,
        condition_values(forecasts),
        effect_size=forecasts.rowwise(lambda block: np.sqrt(np.square(block.observed).sum(axis=1))),
        norm=forecasts.rowwise(lambda block: np.sqrt(np.square(block.mean).sum(axis=1))),
        pit=forecasts.rowwise(lambda block: _where_known(block, calibration.pit_shares(block))),
        intervals=forecasts.rowwise(lambda block: _where_known(block, calibration.interval_shares(block))),
        parts=forecasts.rowwise(decomposition.parts),
        calibration_z=z,
        layers={kind: conformal_layers(forecasts, kind) for kind in ("calib", "iid")},
        seed=seed,
    )


def task_values(summary: TaskSummary) -> dict[str, Value]:
    """Every task-level value, of the reported conditions against the iid and calibration ones."""
    reported = summary.forecasts.of_kind("reported")
    if len(reported) and not len(summary.known("reported", "uncertainty")):
        return dict.fromkeys(TASK_NAMES, Undefined(summary.forecasts.no_variance))
    values = (
        _calibration_values(summary)
        | _order_values(summary)
        | _detection_values(summary)
        | _decomposition_values(summary)
        | _conformal_values(summary)
    )
    return {name: values[name] for name in TASK_NAMES}


def _calibration_values(summary: TaskSummary) -> dict[str, Value]:
    rows = summary.known("reported", "coverage_90")
    coverage = summary.column("coverage_90")[rows]
    return {
        "coverage_90_error": calibration.coverage_90_error(coverage),
        "coverage_90_strongest": calibration.coverage_90_strongest(coverage, summary.effect_size[rows]),
        "pooled_calibration_error": calibration.pooled_calibration_error(summary.pit[rows]),
        "recalibrated_width_90": calibration.recalibrated_width_90(
            summary.column("width_90")[rows], summary.calibration_z
        ),
    }


def _order_values(summary: TaskSummary) -> dict[str, Value]:
    rows = summary.ordered()
    expected, risk = summary.column("expected_risk")[rows], summary.column("relative_risk")[rows]
    by_norm = risk_coverage.aurc_gain_norm(summary.norm[rows], risk)
    if summary.forecasts.filled:
        values: dict[str, Value] = {
            _card(function).name: Undefined(risk_coverage.FILLED)
            for function in TASK_METRICS
            if function.__module__ == risk_coverage.__name__
        }
        return values | {"aurc_gain_norm": by_norm}
    competitors = [by_norm]
    if summary.forecasts.distance is not None:
        competitors.append(risk_coverage.aurc_gain(summary.forecasts.distance[rows], risk))
    gain = risk_coverage.aurc_gain(expected, risk)
    return {
        "aurc": risk_coverage.aurc(expected, risk),
        "aurc_gain": gain,
        "aurc_gain_norm": by_norm,
        "aurc_advantage": risk_coverage.aurc_advantage(gain, competitors),
        "uncertainty_risk_spearman": risk_coverage.uncertainty_risk_spearman(expected, risk),
        "uncertainty_risk_p": risk_coverage.uncertainty_risk_p(expected, risk, summary.seed),
        "risk_curve_deviation": risk_coverage.risk_curve_deviation(expected, risk),
    }


def _detection_values(summary: TaskSummary) -> dict[str, Value]:
    near, far = summary.known("iid", "uncertainty"), summary.known("reported", "uncertainty")
    distance = summary.forecasts.distance
    beside = ood.ood_auroc_distance(*((None, None) if distance is None else (distance[near], distance[far])))
    if summary.forecasts.filled:
        same = Undefined(risk_coverage.FILLED)
        return {"ood_auroc": same, "ood_auroc_matched": same, "ood_auroc_distance": beside}
    sure = summary.column("uncertainty")
    cells = np.asarray(summary.forecasts.n_cells, np.float64)
    confounders = [(of[near], of[far]) for of in (summary.effect_size, cells)]
    return {
        "ood_auroc": ood.ood_auroc(sure[near], sure[far]),
        "ood_auroc_matched": ood.ood_auroc_matched(sure[near], sure[far], confounders),
        "ood_auroc_distance": beside,
    }


def _decomposition_values(summary: TaskSummary) -> dict[str, Value]:
    forecasts = summary.forecasts
    ratios = {
        "epistemic_ratio": decomposition.epistemic_ratio,
        "aleatoric_ratio": decomposition.aleatoric_ratio,
    }
    if forecasts.filled or forecasts.epistemic is None:
        reason = decomposition.FILLED_PARTS if forecasts.filled else decomposition.NO_PARTS
        return dict.fromkeys(ratios, Undefined(reason))
    near, far = forecasts.of_kind("iid"), forecasts.of_kind("reported")
    return {
        name: ratio(summary.parts[near, part], summary.parts[far, part])
        for part, (name, ratio) in enumerate(ratios.items())
    }


def _conformal_values(summary: TaskSummary) -> dict[str, Value]:
    own, iid = summary.layers["calib"], summary.layers["iid"]
    return {
        "conformal_coverage": conformal.conformal_coverage(own.perturbation),
        "conformal_width": conformal.conformal_width(own.perturbation),
        "conformal_split_coverage": conformal.conformal_split_coverage(own.split),
        "conformal_split_width": conformal.conformal_split_width(own.split),
        "conformal_normalised_coverage": conformal.conformal_normalised_coverage(own.normalised),
        "conformal_normalised_width": conformal.conformal_normalised_width(own.normalised),
        "conformal_iid_coverage": conformal.conformal_iid_coverage(iid.perturbation),
        "conformal_iid_width": conformal.conformal_iid_width(iid.perturbation),
    }


def _where_known(block: Forecasts, shares: Array) -> Array:
    return np.where(block.unknown[:, None], np.nan, shares)
