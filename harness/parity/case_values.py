"""Every value that a panel has of a parity case, from its cells alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.errors import HarnessError, UnknownNameError
from harness.metrics import celleval, perturbench, scperturbench
from harness.metrics.card import Value
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls
from harness.parity import celleval as celleval_cases
from harness.parity.panels import document_kind
from harness.parity.perturbench_case import Case

Values = dict[str, dict[str, Value]]
"""Condition → metric → value. A condition is `CONTEXT/PERTURBATION`."""


def values_of(case: Path) -> Values:
    """Every value of a case, given as its document, by condition."""
    if not case.is_file():
        raise HarnessError(
            "no such case", where=case, mend="name cases as `harness parity export` wrote them"
        )
    kind = document_kind(case)
    if kind not in VALUES:
        raise UnknownNameError("panel", str(kind), VALUES, where=case)
    return VALUES[kind](case)


def condition_name(context: str, perturbation: str) -> str:
    """How a reference names a condition."""
    return f"{context}/{perturbation}"


def _scperturbench(case: Path) -> Values:
    return {name: scperturbench.condition_values(cells) for name, cells in _groups(case)}


def _groups(case: Path) -> Iterator[tuple[str, ConditionCells]]:
    with np.load(case.with_suffix(".npz"), allow_pickle=False) as npz:
        arrays = {name: npz[name] for name in npz.files}
    pairs = set(zip(arrays["true_context"].tolist(), arrays["true_perturbation"].tolist(), strict=True))
    for context, perturbation in sorted(pairs):
        observed, predicted = (
            (arrays[f"{side}_context"] == context) & (arrays[f"{side}_perturbation"] == perturbation)
            for side in ("true", "pred")
        )
        if predicted.any():
            controls = Controls(arrays["X_control"][arrays["control_context"] == context])
            cells = ConditionCells(arrays["X_true"][observed], arrays["X_pred"][predicted], controls)
            yield condition_name(context, perturbation), cells


def _perturbench(case: Path) -> Values:
    document = json.loads(case.read_text(encoding="utf-8"))
    inputs = Case.read(case.with_suffix(".npz"), int(document["parameters"]["pca_n_comps"]))
    found: Values = {}
    for state, labels in inputs.states.items():
        controls = inputs.control_of[state]
        conditions = [
            ConditionCells(inputs.observed.of(state, label), inputs.predicted.of(state, label), controls)
            for label in labels
        ]
        sides = [
            (
                perturbench.side(cells.observed, controls, inputs.axes, seed=0),
                perturbench.side(cells.predicted, controls, inputs.axes, seed=0),
            )
            for cells in conditions
        ]
        observed, predicted = ([side[i] for side in sides] for i in (0, 1))
        ranks = perturbench.context_values(_profiles(labels, conditions), inputs.axes, observed, predicted)
        for i, label in enumerate(labels):
            own = perturbench.condition_values(conditions[i], inputs.axes, *sides[i])
            placed = {name: values[i] for name, values in ranks.items()}
            found[condition_name(state, label)] = own | placed
    return found


def _celleval(case: Path) -> Values:
    context = json.loads(case.read_text(encoding="utf-8")).get("context", case.stem)
    cells = celleval_cases.Cells.read(case.with_suffix(".npz"))
    conditions = [
        ConditionCells(
            cells.observed[label], cells.predicted[label], cells.controls, cells.predicted_controls
        )
        for label in cells.shared
    ]
    sides = [
        (
            celleval.side(one.observed, one.controls),
            celleval.side(one.predicted, one.predicted_controls),
        )
        for one in conditions
    ]
    columns = celleval_cases.recompute(conditions, sides, cells.shared, cells.genes)
    return {
        condition_name(context, label): {metric: values[i] for metric, values in columns.items()}
        for i, label in enumerate(cells.shared)
    }


def _profiles(labels: Sequence[str], conditions: Sequence[ConditionCells]) -> ContextProfiles:
    observed = np.stack([cells.observed_moments.mean for cells in conditions])
    predicted = np.stack([cells.predicted_moments.mean for cells in conditions])
    control = conditions[0].controls.moments.mean
    return ContextProfiles(
        perturbations=tuple(labels),
        targets=((),) * len(labels),
        observed=observed,
        predicted=predicted,
        control=control,
        observed_effect=observed - control,
        predicted_effect=predicted - control,
        train_effect=np.zeros_like(control),
    )


VALUES: dict[str, Callable[[Path], Values]] = {
    "scperturbench": _scperturbench,
    "perturbench": _perturbench,
    "celleval": _celleval,
}
