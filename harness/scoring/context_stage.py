"""The second stage of a score: the conditions of one context beside each other, as means."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.metrics import celleval, collapse, perturbench, retrieval, scperturbench_calibrated
from harness.metrics.card import Undefined, Value
from harness.metrics.cell_distances import skill_parts
from harness.metrics.effect_error import error_parts, without
from harness.metrics.inputs import ConditionEffects, ContextProfiles
from harness.metrics.moments import Moments, merge
from harness.scoring.condition_stage import ConditionStage, without_cells
from harness.scoring.parts import Parts
from harness.scoring.task_cells import TaskCells
from harness.scoring.training import Training
from harness.scoring.truth_side import ContextSide
from harness.scoring.values import mean_of_references

Fractions = dict[str, tuple[float, float] | None]
Matrix = NDArray[np.float64]  # [conditions, genes]


@dataclass
class ScoredCondition:
    """One condition with its value of every metric."""

    index: int
    """Position among the truth's conditions."""
    values: dict[str, dict[str, Value]]
    """By panel and metric."""
    fractions: Fractions = field(default_factory=dict)
    """By calibrated metric: numerator and denominator, where levels pool a ratio; None where it does not exist."""


@dataclass(frozen=True)
class ScoredContext:
    """The conditions of one kind in one context, and what is one number for all of them."""

    context: str
    kind: str
    conditions: list[ScoredCondition]
    numbers: dict[str, Value]
    """The collapse diagnostics of the context."""
    spread: collapse.Spread
    """What they are over several contexts is formed of."""


@dataclass(frozen=True)
class ContextStage:
    """Scores contexts from the parts that the first stage left."""

    task: TaskCells
    parts: Parts
    cells: ConditionStage
    training: Training

    def score(self, context: str, kind: str, indices: list[int]) -> ScoredContext:
        """The conditions of one kind in one context."""
        side = self.cells.context(context)
        scored = [ScoredCondition(index, self.parts.values(index)) for index in indices]
        self._add_effects(scored, side)
        profiles = self._profiles(indices, side)
        self._add_each(scored, "celleval", self._celleval(profiles, indices))
        self._add_each(scored, "perturbench", self._ranks(profiles, indices))
        baselines = {"per_perturbation_mean": np.stack([self._seen_elsewhere(i) for i in indices])}
        self._add_each(scored, "calibrated", retrieval.context_values(profiles, baselines))
        if self._of_profiles:
            for one in scored:
                one.values = without_cells(one.values)
        spread = collapse.spread(profiles.predicted_effect, profiles.observed_effect, self._sampling(indices))
        numbers = collapse.context_values(profiles.predicted_effect, spread)
        return ScoredContext(context, kind, scored, numbers, spread)

    @property
    def _of_profiles(self) -> bool:
        return self.task.dataset.meta.unit == "profile"

    def _seen_elsewhere(self, index: int) -> NDArray[np.float64]:
        """The mean training effect of a condition's perturbation in other contexts; unseen, that of all."""
        pert = self.task.truth.conditions[index].condition.pert
        return self.training.perturbations.get(pert, self.training.mean)

    def _sampling(self, indices: list[int]) -> Matrix:
        """Variance of the mean of each condition's cells."""
        n = np.array([len(self.task.truth.conditions[i].rows) for i in indices], np.float64)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(n > 1, self.parts.rows("cells_squares", indices) / (n - 1) / n, np.nan)

    def _ranks(self, profiles: ContextProfiles, indices: list[int]) -> dict[str, list[Value]]:
        sides = [
            [] if self._of_profiles else [self._side(name, i) for i in indices]
            for name in ("observed", "predicted")
        ]
        return perturbench.context_values(profiles, self.cells.axes, *sides)

    def _add_each(self, scored: list[ScoredCondition], panel: str, found: dict[str, list[Value]]) -> None:
        for position, one in enumerate(scored):
            mine = one.values.setdefault(panel, {})
            mine |= {name: values[position] for name, values in found.items()}

    def _profiles(self, indices: list[int], side: ContextSide) -> ContextProfiles:
        truth = self.task.truth
        rows = self.parts.rows
        return ContextProfiles(
            perturbations=tuple(truth.conditions[i].condition.pert for i in indices),
            targets=tuple(self.task.targets(i) for i in indices),
            observed=rows("observed", indices),
            predicted=rows("predicted", indices),
            control=side.controls.mean,
            observed_effect=np.stack([np.mean(self._effects(i), axis=0) for i in indices]),
            predicted_effect=rows("predicted_effect", indices),
            train_effect=self.training.mean,
        )

    def _effects(self, index: int) -> list[NDArray[np.float64]]:
        """The effect against each reference."""
        found = [self.parts.rows(f"effect_{r}", [index])[0] for r in (0, 1)]
        return [effect for effect in found if not np.isnan(effect).all()]

    def _celleval(self, profiles: ContextProfiles, indices: list[int]) -> dict[str, list[Value]]:
        own = celleval.own_genes(profiles.perturbations, self.task.dataset.genes)
        totals = [[self._totals(side, i) for i in indices] for side in ("observed", "predicted")]
        return celleval.context_values(profiles, own, *totals)

    def _totals(self, side: str, index: int) -> celleval.Totals | Undefined:
        distance = self.parts.carried(index, f"{side}_distance")
        significant = self.parts.carried(index, f"{side}_significant")
        if isinstance(distance, Undefined) or isinstance(significant, Undefined):
            return distance if isinstance(distance, Undefined) else Undefined(str(significant))
        return celleval.Totals(distance, int(significant))

    def _side(self, name: str, index: int) -> perturbench.Side:
        """One side of a condition as the first stage left it."""
        scores = self.parts.rows(f"{name}_scores", [index])[0]
        cloud = self.parts.rows(f"{name}_cloud", [index])[0].reshape(perturbench.RANK_CELLS, -1)
        cloud = cloud[~np.isnan(cloud[:, 0])]
        return perturbench.Side(None if np.isnan(scores).all() else scores, cloud if len(cloud) else None)

    def _add_effects(self, scored: list[ScoredCondition], side: ContextSide) -> None:
        """The calibrated values of effects, whose gene weights come from the other perturbations of the context."""
        moments = [self._moments(one.index, "cells") for one in scored]
        total = moments[0]
        for more in moments[1:]:
            total = merge(total, more)
        for one, cells in zip(scored, moments, strict=True):
            each = self._condition_effects(one.index, cells, without(total, cells), side)
            mine = one.values.setdefault("calibrated", {})
            mine |= mean_of_references([scperturbench_calibrated.effect_values(e) for e in each])
            parts = [error_parts(e) for e in each]
            one.fractions["error_ratio"] = _summed(parts)
            for name in ("energy", "sinkhorn"):
                distance = "energy_distance" if name == "energy" else "sinkhorn_divergence"
                if distance in mine:
                    found = skill_parts(mine[distance], mine[f"{distance}_control"], mine[f"{distance}_half"])
                    one.fractions[f"{name}_skill"] = None if isinstance(found, Undefined) else found

    def _condition_effects(
        self, index: int, cells: Moments, rest: Moments, side: ContextSide
    ) -> list[ConditionEffects]:
        halves = self._moments(index, "half_1"), self._moments(index, "half_2")
        paired = self.task.truth.paired
        predicted = self.parts.rows("predicted_effect", [index])[0]
        return [
            ConditionEffects(
                observed=effect,
                predicted=predicted,
                train=self.training.centre,
                targets=self.task.targets(index),
                cells=cells,
                reference=None if paired or not side.references else side.references[r],
                halves=None if np.isnan(halves[0].mean).any() else halves,
                rest=rest if rest.n else None,
            )
            for r, effect in enumerate(self._effects(index))
        ]

    def _moments(self, index: int, name: str) -> Moments:
        n = len(self.task.truth.conditions[index].rows)
        share = {"cells": n, "half_1": n // 2, "half_2": n - n // 2}[name]
        mean, squares = (self.parts.rows(f"{name}_{part}", [index])[0] for part in ("mean", "squares"))
        return Moments(share, mean, squares)


def _summed(parts: list[tuple[float, float] | Undefined]) -> tuple[float, float] | None:
    """Fractions against several references, added above and below."""
    known = [part for part in parts if not isinstance(part, Undefined)]
    if len(known) < len(parts):
        return None
    return sum(above for above, _ in known), sum(below for _, below in known)
