"""The pictures of a scorecard, drawn from its sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.reporting import figures
from harness.reporting.page import number
from harness.reporting.scorecard.sheet import Score, Sheet

GAIN = "reported conditions"
WITHIN = "in distribution"
MOST_COLUMNS = 12


def drawings(sheet: Sheet) -> dict[str, Any]:
    """Every picture by name."""
    found: dict[str, Any] = {
        "bullets": {row.key: bullet_of(row) for row in sheet.headline},
        "curves": _curves(sheet),
        "deltas": _deltas(sheet.pictures or {}),
    }
    if sheet.status["scored"]:
        found |= {
            "reliability": _reliability(sheet.uncertainty or {}),
            "risk_coverage": _risk_coverage(sheet.uncertainty or {}),
            "conformal": _conformal(sheet.uncertainty or {}),
            "ranks": _ranks(sheet),
            "heat_map": _heat_map(sheet),
            "variance_ratio": figures.variance_ratio(sheet.variance_ratio),
        }
    return found


def bullet_of(row: Score) -> Markup:
    """A headline metric between its controls."""
    reason = row.not_scaled or row.reason or "the run was scored without controls"
    return figures.bullet(
        row.metric, row.scaled, row.scaled_low, row.scaled_high, raw=number(row.value), reason=reason
    )


def _reliability(uncertainty: Mapping[str, Any]) -> Markup:
    told = uncertainty.get("calibration", {})
    series = {
        name: told[key]["intervals"]
        for key, name in (("reported", GAIN), ("iid", WITHIN))
        if told.get(key, {}).get("intervals")
    }
    return figures.reliability(told.get("nominal", []), series, reason=_why(told.get("reported")))


def _risk_coverage(uncertainty: Mapping[str, Any]) -> Markup:
    told = uncertainty.get("risk_coverage", {})
    curve = dict(told.get("curve") or {})
    kept = curve.pop("coverage", None) or []
    lines: dict[str, Sequence[float | None]] = {
        name: values if isinstance(values, list) else [values] * len(kept) for name, values in curve.items()
    }
    return figures.risk_coverage(kept, lines, reason=_why(told))


def _conformal(uncertainty: Mapping[str, Any]) -> Markup:
    told = uncertainty.get("conformal", {})
    layer = told.get("calib", {}).get("perturbation", {}) if isinstance(told.get("calib"), Mapping) else {}
    rows = [
        figures.ContextCoverage(
            context, one.get("perturbations_covered"), int(one.get("n", 0)), one.get("width")
        )
        for context, one in sorted(layer.get("per_context", {}).items())
    ]
    return figures.coverage_by_context(rows, promised=1 - told.get("alpha", 0.1), reason=_why(told))


def _ranks(sheet: Sheet) -> Markup:
    ranks = sheet.conditions.retrieval if sheet.conditions else ()
    return figures.rank_histogram("Where the right perturbation ranks", ranks, lower_is_better=False)


def _heat_map(sheet: Sheet) -> Markup:
    told = sheet.conditions
    if told is None:
        return figures.heat_map("By context and perturbation", [], [], [], higher_is_better=None)
    columns = told.contexts[:MOST_COLUMNS]
    return figures.heat_map(
        f"{told.metric} by context and perturbation",
        told.perturbations,
        columns,
        [row[: len(columns)] for row in told.values],
        higher_is_better=told.higher_is_better,
    )


def _curves(sheet: Sheet) -> list[tuple[str, Markup]]:
    if sheet.training is None:
        return []
    best = sheet.training.best_step
    return [
        (one.name, figures.learning_curve(f"Training: {one.name}", one.steps, one.values, best_step=best))
        for one in sheet.training.curves
    ]


def _deltas(pictures: Mapping[str, Any]) -> list[tuple[str, str, Markup]]:
    """Predicted against observed change of the best, the median and the worst condition."""
    error = pictures.get("error", {}).get("metric", "error")
    return [
        (
            f"{one['which'].capitalize()} condition: {one['perturbation']} in {one['context']}",
            f"{error} {number(one['error'])}; {len(one['observed'])} of {one['of']} genes, those that moved most"
            + ("" if one["genes"] else "; unnamed, since this is the test split"),
            figures.delta_scatter(
                f"Predicted against observed change, {one['which']} condition",
                [_known(value) for value in one["observed"]],
                [_known(value) for value in one["predicted"]],
                genes=one["genes"],
            ),
        )
        for one in pictures.get("examples", [])
    ]


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _why(told: Any) -> str:
    return str(told.get("reason", "")) if isinstance(told, Mapping) else ""
