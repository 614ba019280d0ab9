"""Parity with scPerturBench's metric functions: every value of a case folder, at the tolerances its README states."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics import expression_similarity
from harness.metrics.aggregation_table import TOP100, aggregate
from harness.metrics.card import Undefined, Value
from harness.metrics.differential import benjamini_hochberg, welch
from harness.metrics.gene_sets import GeneRanking, GeneSetSize, rank_genes, set_name
from harness.metrics.inputs import ConditionCells, Controls
from harness.metrics.moments import Moments
from harness.metrics.scperturbench import (
    Drawn,
    common_degs,
    condition_values,
    over_genes,
    published_transport,
)
from harness.parity.comparison import Comparison
from harness.parity.deviation import Deviation

PANEL = "scperturbench"
TOLERANCE, SCALE = 1e-6, 0.1
"""rtol 1e-6 / atol 1e-7."""
FLOAT32_TOLERANCE, FLOAT32_SCALE = 1e-5, 1.0
"""Scores and fold changes are stored in float32 by the reference: four times the worst that was seen."""
NEAR_TIE = 1e-5
"""Relative distance of scores within which float32 rounding may order two genes either way."""
AGGREGATION = "aggregation"
PUBLISHED_NAMES = {
    "mse": "mse",
    "pcc_delta": "pcc_delta",
    "energy_distance": "edistance",
    "wasserstein": "wasserstein",
    "kl_divergence": "kl_log2p1",
}
"""Name here → name in a case."""
SIMILARITIES = {
    "euclidean": expression_similarity.euclidean,
    "root_mean_squared_error": expression_similarity.euclidean,
    "mean_absolute_error": expression_similarity.mean_absolute_error,
    "spearman_distance": expression_similarity.spearman_distance,
    "cosine_distance": expression_similarity.cosine_distance,
    "r2_distance": expression_similarity.r2_distance,
    "mmd": expression_similarity.mmd,
}


def cases(folder: Path) -> list[Path]:
    """The cases of a parity folder: every JSON document in it."""
    return sorted(folder.glob("*.json"))


def check(case: Path) -> list[Deviation]:
    """Recompute one case, `NAME.json` beside `NAME.npz`, or the table `aggregation.json`."""
    document = json.loads(case.read_text(encoding="utf-8"))
    comparisons = _Comparisons(case.stem)
    if "groups" in document:
        for group, cells in _groups(case.with_suffix(".npz"), document["groups"]):
            _check_group(comparisons, group, cells)
    elif "rows" in document:
        _check_aggregation(comparisons, document["rows"])
    else:
        raise HarnessError(
            "this is no scPerturBench parity case",
            where=case,
            got=f"the keys {', '.join(sorted(document))}",
            expected="'groups' (a case) or 'rows' (an aggregation table)",
        )
    return [comparison.result() for comparison in comparisons.by_metric.values()]


@dataclass
class _Comparisons:
    """The comparisons of one case by metric."""

    case: str
    by_metric: dict[str, Comparison] = field(default_factory=dict)

    def of(self, metric: str, tolerance: float = TOLERANCE, scale: float = SCALE) -> Comparison:
        return self.by_metric.setdefault(metric, Comparison(self.case, metric, tolerance, scale))

    def exact(self, metric: str) -> Comparison:
        return self.of(metric, 0.0, 1.0)


@dataclass(frozen=True)
class _Cells:
    """One group of a case."""

    genes: dict[str, int]
    cells: ConditionCells


def _groups(path: Path, groups: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], _Cells]]:
    with np.load(path, allow_pickle=False) as arrays:
        data = {name: arrays[name] for name in arrays.files}
    genes = {str(name): i for i, name in enumerate(data["genes"])}
    for group in groups:
        context, perturbation = group["context"], group["perturbation"]
        controls = Controls(data["X_control"][data["control_context"] == context])
        observed, predicted = (
            data[f"X_{side}"][
                (data[f"{side}_context"] == context) & (data[f"{side}_perturbation"] == perturbation)
            ]
            for side in ("true", "pred")
        )
        predicted = _without_nan(predicted, controls.moments.mean)
        yield group, _Cells(genes, ConditionCells(observed, predicted, controls))


def _without_nan(predicted: NDArray[Any], control_mean: NDArray[np.float64]) -> NDArray[Any]:
    """A predicted cell with a NaN in any gene becomes the control mean in all genes."""
    lacking = np.isnan(predicted).any(axis=1)
    return np.where(lacking[:, None], control_mean, predicted) if lacking.any() else predicted


def _check_group(comparisons: _Comparisons, group: Mapping[str, Any], given: _Cells) -> None:
    cells = given.cells
    rankings = {
        "true": rank_genes(cells.observed_moments, cells.controls.moments),
        "pred": rank_genes(cells.predicted_moments, cells.controls.moments),
    }
    for side, of in (("true", cells.observed_moments), ("pred", cells.predicted_moments)):
        ranking = rankings[side]
        if ranking is not None and f"score_{side}" in group["de"]:
            _check_expression(
                comparisons, group["de"], side, given.genes, ranking, of, cells.controls.moments
            )
    sizes: dict[str, GeneSetSize] = {
        name: "all" if name == "all" else int(wanted["k"]) for name, wanted in group["gene_sets"].items()
    }
    drawn = Drawn.of(cells)
    values = condition_values(cells, tuple(sizes.values()))
    for name, wanted in group["gene_sets"].items():
        genes, own = _genes(comparisons, wanted, given, rankings["true"], group["de"])
        if own:
            title = set_name(sizes[name])
            found = {metric: values[f"{metric}_{title}"] for metric in PUBLISHED_NAMES}
        else:
            found = over_genes(cells, drawn, genes)
        _check_values(comparisons, wanted, found)
        _check_similarities(comparisons, wanted, cells, genes)
        _check_transport(comparisons, wanted, drawn, genes)
        if "common_degs_inferred" in wanted:
            _check_common_degs(comparisons, wanted["common_degs_inferred"], group["de"], rankings)


def _check_expression(
    comparisons: _Comparisons,
    expected: Mapping[str, Any],
    side: str,
    genes: Mapping[str, int],
    ranking: GeneRanking,
    cells: Moments,
    control: Moments,
) -> None:
    """Scores, adjusted p-values and fold changes. Where t is infinite, the reference's own rounding stands in for it."""
    scores = np.array([_number(value) for value in expected[f"score_{side}"]])
    named = [genes[name] for name in expected.get(f"degenerate_genes_{side}", ())]
    open_genes = np.union1d(ranking.degenerate, named).astype(np.int64)
    sure = np.setdiff1d(np.arange(len(scores)), open_genes)
    compared = comparisons.of("t_score", FLOAT32_TOLERANCE, FLOAT32_SCALE)
    compared.add_all(ranking.scores[sure].astype(np.float64).tolist(), scores[sure].tolist())
    if len(open_genes):
        compared.skip("genes without variance on either side: the reference's t is rounding", len(open_genes))
    p = welch(cells, control).p
    p[open_genes] = np.where(scores[open_genes] == 0, 1.0, 0.0)
    padj = [_number(value) for value in expected[f"padj_{side}"]]
    comparisons.of("padj").add_all(benjamini_hochberg(p).tolist(), padj)
    if f"foldchange_{side}" in expected:
        with np.errstate(over="ignore"):
            change = (np.expm1(cells.mean) + 1e-9) / (np.expm1(control.mean) + 1e-9)
        compared = comparisons.of("foldchange", FLOAT32_TOLERANCE, FLOAT32_SCALE)
        compared.add_all(change.tolist(), [_number(value) for value in expected[f"foldchange_{side}"]])


def _genes(
    comparisons: _Comparisons,
    wanted: Mapping[str, Any],
    given: _Cells,
    ranking: GeneRanking | None,
    expression: Mapping[str, Any],
) -> tuple[NDArray[np.int64] | None, bool]:
    """The genes that the expected values speak of, and whether they are the set that the harness chose."""
    listed = wanted["genes_in_upstream_order"]
    if listed is None:
        return None, True
    genes = np.array([given.genes[name] for name in listed], np.int64)
    compared = comparisons.exact("gene_set")
    if ranking is None:
        compared.skip("genes cannot be ranked from fewer than two cells")
        return genes, False
    chosen = ranking.top(len(genes))
    differing = np.setxor1d(chosen, genes)
    if len(differing) == 0:
        compared.add(0.0, 0.0)
        return genes, True
    if wanted["tie_at_cut_true"] or ranking.tie_at_cut(len(genes)):
        compared.skip("a tie at the cut leaves the set open")
    elif len(expression.get("degenerate_genes_true", ())) or len(ranking.degenerate):
        compared.skip("genes without variance on either side leave the set open")
    elif _near_cut(ranking, len(genes), differing):
        compared.skip("scores at the cut differ by less than float32 rounding")
    else:
        compared.add(float(len(differing)), 0.0)
    return genes, False


def _near_cut(ranking: GeneRanking, k: int, genes: NDArray[np.int64]) -> bool:
    cut = abs(float(ranking.scores[ranking.order[k - 1]]))
    return bool((np.abs(np.abs(ranking.scores[genes]) - cut) <= NEAR_TIE * cut).all())


def _check_values(comparisons: _Comparisons, wanted: Mapping[str, Any], found: Mapping[str, Value]) -> None:
    expected = wanted["expected"]["float64"]
    for name, published in PUBLISHED_NAMES.items():
        compared = comparisons.of(name)
        if name == "pcc_delta" and not wanted["pcc_delta_defined"]:
            compared.skip("the delta is 0 up to rounding")
            continue
        compared.add(found[name], _number(expected[published]))


def _check_similarities(
    comparisons: _Comparisons,
    wanted: Mapping[str, Any],
    cells: ConditionCells,
    genes: NDArray[np.int64] | None,
) -> None:
    kept: Any = slice(None) if genes is None else genes
    observed, predicted = cells.observed_moments.mean[kept], cells.predicted_moments.mean[kept]
    for name, expected in wanted.get("extra_metrics", {}).items():
        if name in SIMILARITIES:
            comparisons.of(name).add(SIMILARITIES[name](observed, predicted), _number(expected))


def _check_transport(
    comparisons: _Comparisons, wanted: Mapping[str, Any], drawn: Drawn, genes: NDArray[np.int64] | None
) -> None:
    expected = wanted.get("sinkhorn")
    if not expected:
        return
    distances = drawn.distances(genes)
    solved = published_transport(distances)
    for name, got in (
        ("mean_cost", float(distances.cost.mean())),
        ("std_cost", float(distances.cost.std())),
        ("epsilon", solved.epsilon),
        ("reg_ot_cost", solved.value),
    ):
        if name in expected:
            comparisons.of(f"sinkhorn_{name}").add(got, _number(expected[name]))
    comparisons.exact("sinkhorn_iterations").add(
        float(solved.iterations), float(expected["n_iters_multiple_of_10"])
    )
    comparisons.exact("sinkhorn_converged").add(float(solved.converged), float(expected["converged"]))


def _check_common_degs(
    comparisons: _Comparisons,
    wanted: Mapping[str, Any],
    expression: Mapping[str, Any],
    rankings: Mapping[str, GeneRanking | None],
) -> None:
    compared = comparisons.of("common_degs")
    observed, predicted = rankings["true"], rankings["pred"]
    if observed is None or predicted is None:
        compared.skip("genes cannot be ranked from fewer than two cells")
        return
    if wanted["tie_at_cut_true"] or wanted["tie_at_cut_pred"]:
        compared.skip("a tie at the cut leaves the set open")
        return
    k, expected = int(wanted["k"]), _number(wanted["score"])
    # the reference divides by k even where there are fewer genes
    got = common_degs(observed, predicted, k) * min(k, len(observed.order)) / k
    if wanted["rounding_sensitive"]:
        open_genes = sum(len(expression.get(f"degenerate_genes_{side}", ())) for side in ("true", "pred"))
        if abs(got - expected) <= open_genes / wanted["k"] + TOLERANCE:
            compared.skip("genes without variance on either side, one gene more or less each")
            return
    compared.add(got, expected)


def _check_aggregation(comparisons: _Comparisons, rows: list[dict[str, Any]]) -> None:
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["condition"]), {})[row["method"]] = row
    for methods in groups.values():
        table = aggregate({name: {m: _value(row.get(m), m) for m in TOP100} for name, row in methods.items()})
        for name, row in methods.items():
            for column, got in table[name].items():
                if column in row:
                    comparisons.of(_family(column)).add(got, _number(row[column]))


def _family(column: str) -> str:
    """`score`, `rank`, `overall_score_top100` …: columns of one kind share a line."""
    return column if column.startswith("overall") else column.split("_")[0]


def _value(raw: Any, metric: str) -> Value:
    number = _number(raw)
    return Undefined(f"{metric} is NaN") if math.isnan(number) else number


def _number(raw: Any) -> float:
    """A number as the cases write it: null is NaN, infinities are strings."""
    return math.nan if raw is None else float(raw)
