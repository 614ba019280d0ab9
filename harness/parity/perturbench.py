"""Parity with PerturBench's evaluation: every score, rank and pairwise matrix of a case, for both releases it covers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics.pair_scores import (
    HIGHER_IS_BETTER,
    VECTOR_SCORES,
    VectorScore,
    all_pairs,
    mmd,
    mmd_of_all_pairs,
)
from harness.metrics.perturbench_ranks import Normaliser, Places, places
from harness.parity.comparison import Comparison
from harness.parity.deviation import Deviation
from harness.parity.ill_conditioned import IllConditioned
from harness.parity.perturbench_case import Case, Release

PANEL = "perturbench"
NORMALISER: dict[Release, Normaliser] = {"v2024": "n", "v2026": "n-1"}
RANK_ROUNDING = 1e-12
UNDERSCORE = "release v2024 splits labels at '_', which gives it rows of controls"
BOUNDARY = "equal test scores at place 50 leave the recall to the order of genes"
ERRORS = ("rmse", "mse", "mae")
RAISED = "the original raised an error"
Json = Mapping[str, Any]


def cases(folder: Path) -> list[Path]:
    """The cases of a parity folder: every JSON document that is not a split."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("split_"))


def check(case: Path) -> list[Deviation]:
    """Recompute one case, `NAME.json` beside `NAME.npz`."""
    document = json.loads(case.read_text(encoding="utf-8"))
    if "expected" not in document:
        raise HarnessError(
            "this is no PerturBench parity case",
            where=case,
            got=f"the keys {', '.join(sorted(document))}",
            expected="'expected', with values by release and aggregation",
        )
    inputs = Case.read(case.with_suffix(".npz"), int(document["parameters"]["pca_n_comps"]))
    comparisons = _Comparisons(case.stem, document["recommended_tolerance"])
    unsound = IllConditioned.of(document.get("ill_conditioned", ()))
    for release, aggregations in document["expected"].items():
        for aggregation, expected in aggregations.items():
            part = _Part(inputs, release, aggregation, expected, comparisons, unsound)
            if release == "v2024" and _has_underscore(inputs):
                comparisons.of(release, aggregation).skip(UNDERSCORE)
            else:
                part.check()
    return [comparison.result() for comparison in comparisons.by_name.values()]


def _has_underscore(case: Case) -> bool:
    return any(
        "_" in label for state, perturbations in case.states.items() for label in (state, *perturbations)
    )


@dataclass
class _Comparisons:
    """The comparisons of one case, by release, aggregation and metric."""

    case: str
    tolerances: Json
    by_name: dict[str, Comparison] = field(default_factory=dict)

    def of(self, *name: str) -> Comparison:
        told = next((self.tolerances[part] for part in name if part in self.tolerances), None)
        limits = told if isinstance(told, dict) else self.tolerances["default"]
        title = "/".join(name)
        made = Comparison(self.case, title, limits["rel"], limits["abs"] / limits["rel"])
        return self.by_name.setdefault(title, made)

    def exact(self, *name: str) -> Comparison:
        title = "/".join(name)
        return self.by_name.setdefault(title, Comparison(self.case, title, RANK_ROUNDING, 1.0))


@dataclass(frozen=True)
class _Part:
    """One aggregation of one release."""

    case: Case
    release: Release
    aggregation: str
    expected: Json
    comparisons: _Comparisons
    unsound: IllConditioned

    def check(self) -> None:
        if "aggregate_error" in self.expected or "error" in self.expected:
            self.comparisons.of(self.release, self.aggregation).skip(RAISED)
            return
        for metric, expected in self.expected.get("metrics", {}).items():
            self._check_scores(metric, expected)
        for metric, expected in self.expected.get("rank", {}).items():
            self._check_ranks(metric, expected)
        if "collapse" in self.expected:
            self._check_spread(self.expected["collapse"])

    def _check_scores(self, metric: str, expected: Json) -> None:
        name = (self.release, self.aggregation, metric)
        exact = metric == "top_k_recall"
        comparison = self.comparisons.exact(*name) if exact else self.comparisons.of(*name)
        if "error" in expected:
            return comparison.skip(RAISED)
        told = expected["per_perturbation"]
        why = self.unsound.score(self.aggregation, metric)
        if why is not None:
            return comparison.skip(why, len(told))
        got = self._scores(metric)
        undecided = self._undecided(metric)
        for key in sorted(set(got) | set(told)):
            if key in undecided:
                comparison.skip(BOUNDARY)
            else:
                comparison.add(got.get(key, math.nan), _number(told.get(key, math.inf)))
        if not undecided:
            defined = [value for value in got.values() if not math.isnan(value)]
            mean = math.fsum(defined) / len(defined) if defined else math.nan
            comparison.add(mean, _number(expected["mean_over_rows"]))
        return None

    def _check_ranks(self, metric: str, expected: Json) -> None:
        comparison = self.comparisons.exact(self.release, self.aggregation, metric, "rank")
        if "error" in expected:
            return comparison.skip(RAISED)
        why = self.unsound.rank(self.aggregation, metric)
        if why is not None:
            return comparison.skip(why, len(expected["tie_info"]))
        undecided = self._undecided(metric)
        for state, perturbations in self.case.states.items():
            keys = [f"{state}_{perturbation}" for perturbation in perturbations]
            if undecided & set(keys):
                comparison.skip(BOUNDARY, len(keys))
                continue
            scores = self._matrix(metric, state)
            higher = metric in HIGHER_IS_BETTER
            self._compare_places(
                comparison, keys, places(scores, higher_is_better=higher), expected["tie_info"]
            )
            if "transpose_tie_info" in expected:
                turned = places(scores, higher_is_better=higher, transposed=True)
                transposed = self.comparisons.exact(self.release, self.aggregation, metric, "rank_transposed")
                self._compare_places(transposed, keys, turned, expected["transpose_tie_info"])
            if state in expected.get("pairwise", {}):
                self._compare_matrix(metric, scores, state, expected["pairwise"][state])
        return None

    def _compare_places(self, comparison: Comparison, keys: list[str], found: Places, ties: Json) -> None:
        """A rank between the lowest and highest that ties allow is a rank that the original can draw."""
        for key, rank in zip(keys, found.expected(NORMALISER[self.release]).tolist(), strict=True):
            lowest, highest = ties[key]["rank_lowest"], ties[key]["rank_highest"]
            comparison.add(rank, min(max(rank, lowest), highest))

    def _compare_matrix(self, metric: str, scores: NDArray[np.float64], state: str, expected: Json) -> None:
        comparison = self.comparisons.of(self.release, self.aggregation, metric, "pairwise")
        names = self.case.states[state]
        told_names = [name if name in names else name.removeprefix(f"{state}_") for name in expected["order"]]
        place = [names.index(name) for name in told_names]
        told = np.array(
            [[_number(value) for value in row] for row in expected["pred_rows_ref_columns"]], np.float64
        )
        comparison.add_all(scores[np.ix_(place, place)].ravel().tolist(), told.ravel().tolist())

    def _check_spread(self, expected: Json) -> None:
        """Variance between perturbations: of all that are predicted, and of the truths that are predicted too."""
        comparison = self.comparisons.of(self.release, self.aggregation, "spread")
        for state in sorted(set(expected) & set(self.case.states)):
            told = expected[state]
            for side, name in ((self.case.predicted, "pred"), (self.case.observed, "ref")):
                among = sorted(side.perturbations(state)) if name == "pred" else None
                vectors = self.case.vectors(side, state, self.aggregation, self.release, among)
                spread = float(vectors.var(axis=0).mean())
                comparison.add(spread, _number(told[f"{name}_between_perturbation_var_mean_over_genes"]))

    def _undecided(self, metric: str) -> set[str]:
        """Conditions whose 50th place is tied on one side."""
        if metric != "top_k_recall":
            return set()
        ties = self.expected.get("topk_boundary_ties_k50", {})
        return {key for key, tie in ties.items() if tie["ref_boundary_tied"] or tie["pred_boundary_tied"]}

    def _scores(self, metric: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for state, perturbations in self.case.states.items():
            if metric == "mmd":
                sides = [
                    self.case.clouds(side, state, self.aggregation)
                    for side in (self.case.predicted, self.case.observed)
                ]
                values = [mmd(told, true) for told, true in zip(*sides, strict=True)]
            else:
                values = [
                    self._score(metric, told, true) for told, true in zip(*self._vectors(state), strict=True)
                ]
            found |= {f"{state}_{name}": value for name, value in zip(perturbations, values, strict=True)}
        return found

    def _score(self, metric: str, told: NDArray[np.float64], true: NDArray[np.float64]) -> float:
        """Errors of release v2024 leave out genes whose prediction is NaN."""
        if self.release == "v2024" and metric in ERRORS:
            known = ~np.isnan(told)
            told, true = told[known], true[known]
        return VECTOR_SCORES[_vector_score(metric)](told, true)

    def _matrix(self, metric: str, state: str) -> NDArray[np.float64]:
        if metric != "mmd":
            told, true = self._vectors(state)
            if self.release == "v2024" and np.isnan(told).any():
                return np.array([[self._score(metric, x, y) for y in true] for x in told])
            return all_pairs(_vector_score(metric), told, true)
        sides = (self.case.predicted, self.case.observed)
        return mmd_of_all_pairs(*(self.case.clouds(side, state, self.aggregation) for side in sides))

    def _vectors(self, state: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predicted and observed."""
        told, true = (
            self.case.vectors(side, state, self.aggregation, self.release)
            for side in (self.case.predicted, self.case.observed)
        )
        return told, true


def _vector_score(metric: str) -> VectorScore:
    for score in VECTOR_SCORES:
        if score == metric:
            return score
    raise HarnessError(f"unknown metric {metric!r}", expected=", ".join((*VECTOR_SCORES, "mmd")))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
