"""Parity of panel `celleval`: cases of `NAME.npz`, `NAME.json` and `NAME.de.npz`, computed by cell-eval itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics import celleval
from harness.metrics.card import Undefined, Value
from harness.metrics.celleval_de import NOTHING_REAL, Expression, differential_expression
from harness.metrics.correlation import is_constant
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls
from harness.metrics.labels import require_same_labels
from harness.parity.celleval_baseline import baseline_cells, score
from harness.parity.deviation import Deviation

TOLERANCE = 1e-9
NOT_COMPUTED = "clustering_agreement"
ROUNDING = 2e-6
"""Largest distance that the reference gives to two identical cells, where only rounding is left of |x|² + |y|² − 2xy."""
WIDEST = 1e-5
COINCIDENT = "predicted cells equal control cells, whose distance of 0 the reference gives as up to 2e-6"
EXPRESSION: dict[str, Callable[[Expression], NDArray[np.float64]]] = {
    "target_mean": lambda de: de.target_mean,
    "ref_mean": lambda de: de.reference_mean,
    "log2_fold_change": lambda de: de.fold_change,
    "p_value": lambda de: de.test.p,
    "statistic": lambda de: de.test.u,
    "fdr": lambda de: de.test.fdr,
}

FIRST_OF_ONE = 1.0
"""What the reference gives a perturbation that has no other to be told from; the panel gives no value there."""
DISCRIMINATION = tuple(name for name in celleval.CONTEXT_NAMES if name.startswith("discrimination_score"))
WITHOUT_ROW = ("de_direction_match", "de_spearman_lfc_sig", "de_sig_genes_recall")

Sides = tuple[celleval.Side | Undefined, celleval.Side | Undefined]
"""Observed, predicted."""


@dataclass(frozen=True)
class Cells:
    """The cells of a case by label, and the controls of each side."""

    observed: Mapping[str, NDArray[np.float32]]
    predicted: Mapping[str, NDArray[Any]]
    controls: Controls
    predicted_controls: Controls
    genes: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Cells:
        with np.load(path, allow_pickle=False) as npz:
            arrays = {name: npz[name] for name in npz.files}
        controls = Controls(arrays["X_control"])
        own = arrays.get("X_control_pred")
        return cls(
            _by_label(arrays["X_true"], arrays["labels_true"]),
            _by_label(arrays["X_pred"], arrays["labels_pred"]),
            controls,
            controls if own is None else Controls(own),
            tuple(arrays["genes"].tolist()),
        )

    @property
    def shared(self) -> list[str]:
        """Labels of both sides, in the order of the reference."""
        return sorted(set(self.observed) & set(self.predicted))


def cases(folder: Path) -> list[Path]:
    """The cases of a folder: the documents that have their cells beside them."""
    return [path for path in sorted(folder.glob("*.json")) if path.with_suffix(".npz").is_file()]


def check(case: Path) -> list[Deviation]:
    """Recompute a case, given as its document; one deviation a column, aggregates and differential expression apart."""
    document = json.loads(case.read_text(encoding="utf-8"))
    cells = Cells.read(case.with_suffix(".npz"))
    expected = document.get("expected_on_shared_labels", document["expected"])
    labels = cells.shared
    conditions = _conditions(cells, labels)
    sides = [_sides(condition) for condition in conditions]
    columns = recompute(conditions, sides, labels, cells.genes)
    widened = {"pearson_edistance": _rounding(conditions, sides)}
    found = list(_refusals(case.stem, document, cells))
    for metric in _expected_metrics(expected):
        bound = widened.get(metric, 0.0)
        limit = (max(TOLERANCE, bound), COINCIDENT if bound > TOLERANCE else "")
        values = dict(zip(labels, columns[metric], strict=True))
        found.append(_compare_column(case.stem, metric, values, expected, *limit))
        if metric not in expected.get("missing_metrics", ()):
            found.append(
                _compare_aggregate(case.stem, metric, columns[metric], expected["aggregate"], *limit)
            )
    if "baseline_aggregate" in document:
        found += _compare_baseline(case.stem, document, cells, columns)
    note = "a community search that differs between versions of its library"
    found.append(Deviation(case.stem, NOT_COMPUTED, 0.0, TOLERANCE, 0, len(labels), note))
    de = case.with_suffix(".de.npz")
    return found + (list(_compare_expression(case.stem, de, cells)) if de.is_file() else [])


def recompute(
    conditions: Sequence[ConditionCells], sides: Sequence[Sides], labels: Sequence[str], genes: Sequence[str]
) -> dict[str, list[Value]]:
    """Every column of the panel."""
    rows = [celleval.condition_values(c, *both) for c, both in zip(conditions, sides, strict=True)]
    observed = np.stack([c.observed_moments.mean for c in conditions])
    predicted = np.stack([c.predicted_moments.mean for c in conditions])
    control = conditions[0].controls.moments.mean
    own_control = conditions[0].predicted_controls.moments.mean
    profiles = ContextProfiles(
        perturbations=tuple(labels),
        targets=((),) * len(labels),
        observed=observed,
        predicted=predicted,
        control=control,
        observed_effect=observed - control,
        predicted_effect=predicted - own_control,
        train_effect=np.zeros(len(genes)),
        own_control=own_control,
    )
    totals = [
        [s if isinstance(s, Undefined) else s.totals for s in side] for side in zip(*sides, strict=True)
    ]
    context = celleval.context_values(profiles, celleval.own_genes(labels, genes), *totals)
    if len(labels) == 1:
        context |= {name: [FIRST_OF_ONE] for name in DISCRIMINATION}
    return {name: [row[name] for row in rows] for name in celleval.CONDITION_NAMES} | context


def aggregate(metric: str, values: Sequence[Value]) -> dict[str, float]:
    """The reference's summary of a column: undefined values are NaN, which spreads; some columns leave them out."""
    kept = np.array([_number(value) for value in values if not _is_null(metric, value)], np.float64)
    ordered = np.sort(kept)  # NaN last
    n = len(ordered)
    summary = {"count": float(n), "null_count": float(len(values) - n)}
    if n == 0:
        return summary
    known = ordered[~np.isnan(ordered)]
    ends = (known[0], known[-1]) if len(known) else (np.nan, np.nan)
    summary |= {"mean": float(ordered.mean()), "std": float(ordered.std(ddof=1)) if n > 1 else np.nan}
    summary |= {f"{q}%": float(ordered[int(q / 100 * (n - 1) + 0.5)]) for q in (25, 50, 75)}
    return summary | {"min": float(ends[0]), "max": float(ends[1])}


def _conditions(cells: Cells, labels: Sequence[str]) -> list[ConditionCells]:
    return [
        ConditionCells(
            cells.observed[label], cells.predicted[label], cells.controls, cells.predicted_controls
        )
        for label in labels
    ]


def _sides(condition: ConditionCells) -> Sides:
    return (
        celleval.side(condition.observed, condition.controls),
        celleval.side(condition.predicted, condition.predicted_controls),
    )


def _refusals(case: str, document: Mapping[str, Any], cells: Cells) -> Iterator[Deviation]:
    """A case that the reference refuses must be refused here too."""
    if "error" not in document["expected"]:
        return
    try:
        require_same_labels(cells.observed, cells.predicted, where=case)
    except HarnessError as refused:
        yield Deviation(case, "refusal of other labels", 0.0, TOLERANCE, 1, note=str(refused.got))
    else:
        yield Deviation(case, "refusal of other labels", np.inf, TOLERANCE, 1, note="not refused")


def _expected_metrics(expected: Mapping[str, Any]) -> list[str]:
    missing = expected.get("missing_metrics", ())
    named = {name for row in expected["per_perturbation"].values() for name in row} | set(missing)
    unknown = named - set(celleval.NAMES) - {NOT_COMPUTED}
    if unknown:
        raise HarnessError(
            "a parity case names columns that this panel does not have",
            got=", ".join(sorted(unknown)),
            expected=f"columns of {celleval.STAMP}",
            mend="use cases that this version of the reference computed",
        )
    return [name for name in celleval.NAMES if name in named]


def _compare_column(
    case: str,
    metric: str,
    values: Mapping[str, Value],
    expected: Mapping[str, Any],
    tolerance: float,
    note: str,
) -> Deviation:
    rows = expected["per_perturbation"]
    if set(rows) != set(values):
        return Deviation(case, metric, np.inf, tolerance, 0, note="the case expects other perturbations")
    worst = max(_gap(_number(value), _expected(rows[label].get(metric))) for label, value in values.items())
    return Deviation(case, metric, worst, tolerance, len(values), note=note)


def _compare_aggregate(
    case: str, metric: str, values: Sequence[Value], expected: Mapping[str, Any], tolerance: float, note: str
) -> Deviation:
    found = aggregate(metric, values)
    told = {statistic: _expected(row.get(metric)) for statistic, row in expected.items()}
    worst = max(_gap(found.get(statistic, np.nan), value) for statistic, value in told.items())
    return Deviation(case, f"{metric} (aggregate)", worst, tolerance, len(told), note=note)


def _compare_baseline(
    case: str, document: Mapping[str, Any], cells: Cells, columns: Mapping[str, Sequence[Value]]
) -> Iterator[Deviation]:
    """The summary of the reference's own baseline, and the score of the prediction against it."""
    labels = cells.shared
    constant = replace(cells, predicted=baseline_cells(cells.observed, cells.controls, labels))
    conditions = _conditions(constant, labels)
    baseline = recompute(conditions, [_sides(c) for c in conditions], labels, cells.genes)
    for metric, values in baseline.items():
        told = {s: _expected(row.get(metric)) for s, row in document["baseline_aggregate"].items()}
        found = aggregate(metric, values)
        worst = max(_gap(found.get(statistic, np.nan), value) for statistic, value in told.items())
        yield Deviation(case, f"{metric} (baseline)", worst, TOLERANCE, len(told))
    for metric, expected in document.get("score_vs_baseline", {}).items():
        if metric in baseline:
            means = (aggregate(metric, side[metric])["mean"] for side in (columns, baseline))
            yield Deviation(
                case, f"{metric} (score)", _gap(score(metric, *means), _expected(expected)), TOLERANCE, 1
            )


def _compare_expression(case: str, path: Path, cells: Cells) -> Iterator[Deviation]:
    with np.load(path, allow_pickle=False) as npz:
        arrays = {name: npz[name] for name in npz.files}
    order = [cells.genes.index(gene) for gene in arrays["genes"].tolist()]
    for side, groups, controls in (
        ("real", cells.observed, cells.controls),
        ("pred", cells.predicted, cells.predicted_controls),
    ):
        targets = arrays[f"targets_{side}"].tolist()
        found = [differential_expression(groups[target], controls) for target in targets]
        for name, take in EXPRESSION.items():
            expected = arrays[f"{name}_{side}"]
            ours = np.stack([take(de)[order] for de in found])
            worst = max(
                _gap(a, b) for a, b in zip(ours.ravel().tolist(), expected.ravel().tolist(), strict=True)
            )
            yield Deviation(case, f"{name} ({side})", worst, TOLERANCE, expected.size)


def _rounding(conditions: Sequence[ConditionCells], sides: Sequence[Sides]) -> float:
    """How far the reference's correlation of energy distances may be off where cells coincide."""
    total = 0.0
    for position in (0, 1):
        errors, distances = [], []
        for condition, both in zip(conditions, sides, strict=True):
            side = both[position]
            if isinstance(side, Undefined):
                return 0.0
            chosen = (
                (condition.observed, condition.controls),
                (condition.predicted, condition.predicted_controls),
            )
            errors.append(ROUNDING * _coincident_share(*chosen[position]))
            distances.append(side.distance)
        if is_constant(np.array(distances)):
            return 0.0
        total += 2 * float(np.linalg.norm(errors) / np.linalg.norm(np.array(distances) - np.mean(distances)))
    return min(total, WIDEST)


def _coincident_share(cells: NDArray[np.float32], controls: Controls) -> float:
    """Weight of pairs of different cells with equal values in the energy distance of a condition."""
    across = Counter(row.tobytes() for row in controls.cells)
    within = Counter(row.tobytes() for row in cells)
    shared = sum(number * across[row] for row, number in within.items())
    twins = sum(number * (number - 1) for number in within.values())
    return 2 * shared / (len(cells) * len(controls.cells)) + twins / len(cells) ** 2


def _by_label(cells: NDArray[np.float32], labels: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    return {str(label): cells[labels == label] for label in np.unique(labels)}


def _is_null(metric: str, value: Value) -> bool:
    """Columns that have no row for a perturbation without a significant observed gene."""
    return metric in WITHOUT_ROW and isinstance(value, Undefined) and value.reason == NOTHING_REAL


def _number(value: Value) -> float:
    return np.nan if isinstance(value, Undefined) else value


def _expected(value: float | str | None) -> float:
    """A number of a case: `null` and "nan" are both no value."""
    return np.nan if value is None else float(value)


def _gap(found: float, expected: float) -> float:
    if np.isnan(found) or np.isnan(expected):
        return 0.0 if np.isnan(found) and np.isnan(expected) else np.inf
    return 0.0 if found == expected else abs(found - expected)
