"""The uncertainty panel as `metrics.json` and `calibration.json` hold it: numbers with their n, curves, reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics import calibration, decomposition, risk_coverage
from harness.metrics.card import Undefined, Value
from harness.metrics.conformal_document import conformal_document
from harness.metrics.uncertainty import CONDITION_NAMES, TaskSummary

Array = NDArray[np.float64]
Document = dict[str, Any]
CURVE_POINTS = 100
QUANTILES = {"min": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
NO_CONDITIONS = "there are no such conditions"


def uncertainty_document(summary: TaskSummary, values: dict[str, Value]) -> Document:
    """Everything that the panel says of a task, from its summary and its task-level values.

    Conditions count equally; what does not exist is null with its reason.
    """
    reported = summary.forecasts.of_kind("reported")
    return {
        "global": _levels(summary, reported) | {name: entry(value) for name, value in values.items()},
        "iid": _levels(summary, summary.forecasts.of_kind("iid")),
        "per_perturbation": _grouped(summary, summary.forecasts.perturbations),
        "per_context": _grouped(summary, summary.forecasts.contexts),
        "coverage": _coverage(summary) | {"error_90": entry(values["coverage_90_error"])},
        "nll": _level(summary, "nll", reported) | {"skill": _level(summary, "nll_skill", reported)},
        "crps": _level(summary, "crps", reported) | {"skill": _level(summary, "crps_skill", reported)},
        "sharpness": {
            "width_90": _level(summary, "width_90", reported),
            "recalibrated_width_90": entry(values["recalibrated_width_90"]),
        },
        "calibration": _calibration(summary) | {"pooled_error": entry(values["pooled_calibration_error"])},
        "risk_coverage": _risk_coverage(summary, values),
        "ood_auroc": _detection(summary, values),
        "decomposition": _decomposition(summary, values),
        "conformal": conformal_document(summary),
    }


def entry(value: Value) -> Document:
    """One value, or null with its reason."""
    return {"value": None, "reason": value.reason} if isinstance(value, Undefined) else {"value": value}


def level(values: Sequence[Value]) -> Document:
    """Mean of what is defined, with how much is not; correctly rounded, so that order cannot matter."""
    numbers = [value for value in values if not isinstance(value, Undefined)]
    reasons = [value.reason for value in values if isinstance(value, Undefined)]
    found: Document = {"value": math.fsum(numbers) / len(numbers) if numbers else None, "n": len(numbers)}
    if reasons:
        return found | {"undefined": len(reasons), "reason": min(reasons)}
    return found if numbers else found | {"reason": NO_CONDITIONS}


def _level(summary: TaskSummary, name: str, positions: Iterable[int]) -> Document:
    values = summary.values[name]
    return level([values[i] for i in positions])


def _levels(summary: TaskSummary, positions: Sequence[int] | NDArray[np.int64]) -> Document:
    return {name: _level(summary, name, positions) for name in CONDITION_NAMES}


def _grouped(summary: TaskSummary, names: Sequence[str]) -> Document:
    groups: dict[str, list[int]] = {}
    for i in summary.forecasts.of_kind("reported").tolist():
        groups.setdefault(names[i], []).append(i)
    return {name: _levels(summary, groups[name]) for name in sorted(groups)}


def _coverage(summary: TaskSummary) -> Document:
    """Each nominal level: the mean, its distribution over conditions, and the strongest tenth of them."""
    reported = summary.forecasts.of_kind("reported")
    document: Document = {}
    for nominal in (50, 80, 90, 95):
        name = f"coverage_{nominal}"
        found = _level(summary, name, reported) | {"nominal": nominal / 100}
        rows = summary.known("reported", name)
        if len(rows):
            shares = summary.column(name)[rows]
            strongest = calibration.strongest_conditions(summary.effect_size[rows])
            found["distribution"] = {
                label: float(np.quantile(shares, place, method="inverted_cdf"))
                for label, place in QUANTILES.items()
            }
            found["strongest_decile"] = {"value": float(shares[strongest].mean()), "n": len(strongest)}
        document[str(nominal)] = found
    return document


def _calibration(summary: TaskSummary) -> Document:
    """Nominal against empirical probability, for quantiles and for central intervals."""
    return {"nominal": list(calibration.LEVELS)} | {
        kind: _reliability(summary, kind) for kind in ("reported", "iid")
    }


def _reliability(summary: TaskSummary, kind: str) -> Document:
    rows = summary.known(kind, "coverage_90")
    if not len(rows):
        return {"quantiles": None, "intervals": None, "n": 0, "reason": calibration.NO_CONDITIONS}
    return {
        "quantiles": summary.pit[rows].mean(axis=0).tolist(),
        "intervals": summary.intervals[rows].mean(axis=0).tolist(),
        "n": len(rows),
    }


def _risk_coverage(summary: TaskSummary, values: dict[str, Value]) -> Document:
    rows = summary.ordered()
    risk = summary.column("relative_risk")[rows]
    distance = summary.forecasts.distance
    competitors: dict[str, Value] = {
        "predicted_norm": risk_coverage.aurc_gain(summary.norm[rows], risk),
        "predicted_norm_falling": risk_coverage.aurc_gain(-summary.norm[rows], risk),
    }
    if distance is not None:
        competitors["distance_to_train"] = risk_coverage.aurc_gain(distance[rows], risk)
    names = ("aurc", "aurc_gain", "aurc_advantage", "risk_curve_deviation")
    document: Document = {name: entry(values[name]) for name in names}
    document |= {
        "n": len(rows),
        "spearman": entry(values["uncertainty_risk_spearman"])
        | {"p": entry(values["uncertainty_risk_p"])["value"]},
        "competitors": {name: entry(value) for name, value in competitors.items()},
    }
    if isinstance(values["aurc"], Undefined):
        return document | {"curve": None, "reason": values["aurc"].reason}
    orders = {
        "risk": summary.column("expected_risk")[rows],
        "oracle": risk,
        "predicted_norm": summary.norm[rows],
    }
    shown = np.unique(np.ceil(np.linspace(0, 1, CURVE_POINTS + 1)[1:] * len(rows)).astype(np.int64)) - 1
    curves = {name: risk_coverage.risk_curve(order, risk)[shown].tolist() for name, order in orders.items()}
    share: list[float] = ((shown + 1) / len(rows)).tolist()
    return document | {"curve": {"coverage": share, "random": float(risk.mean())} | curves}


def _detection(summary: TaskSummary, values: dict[str, Value]) -> Document:
    return entry(values["ood_auroc"]) | {
        "matched": entry(values["ood_auroc_matched"]),
        "distance_to_train": entry(values["ood_auroc_distance"]),
        "n_iid": len(summary.forecasts.of_kind("iid")),
        "n_reported": len(summary.forecasts.of_kind("reported")),
    }


def _decomposition(summary: TaskSummary, values: dict[str, Value]) -> Document:
    forecasts = summary.forecasts
    near, far = forecasts.of_kind("iid"), forecasts.of_kind("reported")
    document: Document = {
        "epistemic_share": {
            kind: _level(summary, "epistemic_share", rows)
            for kind, rows in (("reported", far), ("iid", near))
        }
    }
    names = np.array(forecasts.perturbations)
    for part, name in enumerate(("epistemic", "aleatoric")):
        ratio = entry(values[f"{name}_ratio"])
        if ratio["value"] is not None:
            a, b = summary.parts[near, part], summary.parts[far, part]
            interval = decomposition.ratio_interval(a, b, (names[near], names[far]), summary.seed)
            ratio["interval_95"] = None if interval is None else list(interval)
            ratio |= {"iid": float(a.mean()), "reported": float(b.mean())}
        document[f"{name}_ratio"] = ratio
    return document
