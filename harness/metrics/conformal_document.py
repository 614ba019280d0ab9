"""The conformal layers as a document: coverage, width and n of every layer, by context and by group, from both sources."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.calibration import strongest_conditions
from harness.metrics.card import Undefined
from harness.metrics.conformal import ALPHA, BETA, INFINITE, NO_TEST, SHIFT, Held
from harness.metrics.conformal_layers import Group, Layers
from harness.metrics.uncertainty import TaskSummary

Document = dict[str, Any]
PROMISE = (
    f"with probability {1 - BETA:.0%} a new perturbation has at least {1 - ALPHA:.0%} of its genes covered"
)
MARGINAL = f"a gene of a new perturbation is covered with probability {1 - ALPHA:.0%}"


def conformal_document(summary: TaskSummary) -> Document:
    """Both sources against the reported conditions: what a guarantee is worth here, and what it is worth across a shift."""
    return {"alpha": ALPHA, "beta": BETA, "note": SHIFT} | {
        source: _layers(summary, layers) for source, layers in summary.layers.items()
    }


def _layers(summary: TaskSummary, layers: Layers) -> Document:
    rows = summary.known("reported", "coverage_90")
    return {
        "n_calibration": layers.n_calibration,
        "perturbation": {"promise": PROMISE} | _held(summary, layers.perturbation, rows),
        "split": {"promise": MARGINAL} | _held(summary, layers.split, rows),
        "normalised": {"promise": MARGINAL} | _held(summary, layers.normalised, rows),
        "mondrian": {
            by: {"reason": groups.reason}
            if isinstance(groups, Undefined)
            else {name: _group(group) for name, group in groups.items()}
            for by, groups in layers.mondrian.items()
        },
    }


def _held(summary: TaskSummary, held: Held | Undefined, rows: NDArray[np.int64]) -> Document:
    """One layer as a whole, on the strongest tenth, and by context."""
    whole = _numbers(held, np.arange(len(rows)))
    if isinstance(held, Undefined) or not len(rows):
        return whole
    names = np.array([summary.forecasts.contexts[i] for i in rows.tolist()], object)
    contexts = sorted(set(names.tolist()))
    return whole | {
        "strongest_decile": _numbers(held, strongest_conditions(summary.effect_size[rows])),
        "per_context": {name: _numbers(held, np.flatnonzero(names == name)) for name in contexts},
    }


def _group(group: Group) -> Document:
    chosen = np.arange(len(group.rows))
    return {"n_calibration": group.n_calibration} | _numbers(group.held, chosen)


def _numbers(held: Held | Undefined, chosen: NDArray[np.int64]) -> Document:
    """Share of perturbations that kept the promise, mean share of genes covered, mean width, of how many conditions."""
    empty: Document = {"perturbations_covered": None, "genes_covered": None, "width": None, "n": len(chosen)}
    if isinstance(held, Undefined):
        return empty | {"reason": held.reason}
    if not len(chosen):
        return empty | {"reason": NO_TEST}
    width = float(held.width[chosen].mean())
    found: Document = {
        "perturbations_covered": float(held.kept[chosen].mean()),
        "genes_covered": float(held.coverage[chosen].mean()),
        "width": width,
        "n": len(chosen),
    }
    return found if np.isfinite(width) else found | {"width": None, "reason": INFINITE}
