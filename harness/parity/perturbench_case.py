"""A PerturBench parity case: its cells by covariate state and perturbation, and what each aggregation makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Undefined
from harness.metrics.inputs import Controls
from harness.metrics.moments import Moments, moments
from harness.metrics.pca import PrincipalAxes, principal_axes
from harness.metrics.perturbench_aggregations import (
    log_fold_change,
    overestimated_variance_test,
    scaled,
    signed_log_p,
    signed_log_p_v2024,
    variation,
)

Release = Literal["v2024", "v2026"]
Cells = NDArray[np.float32]  # [cells, genes]
Vectors = NDArray[np.float64]  # [conditions, features]


@dataclass(frozen=True)
class Side:
    """One side, observed or predicted: all its cells with their labels."""

    cells: Cells
    state: NDArray[np.str_]  # [cells]
    perturbation: NDArray[np.str_]  # [cells]

    def of(self, state: str, perturbation: str) -> Cells:
        chosen: Cells = self.cells[(self.state == state) & (self.perturbation == perturbation)]
        return chosen

    def perturbations(self, state: str) -> set[str]:
        return set(self.perturbation[self.state == state].tolist())


@dataclass(frozen=True)
class Case:
    """The inputs of a case; genes in alphabetical order, which decides ties of test scores."""

    observed: Side
    predicted: Side
    controls: Side
    n_components: int

    @classmethod
    def read(cls, path: Path, n_components: int) -> Case:
        with np.load(path, allow_pickle=False) as arrays:
            data = {name: arrays[name] for name in arrays.files}
        order = np.argsort(data["genes"])

        def side(cells: str, covariates: str, perturbation: NDArray[Any]) -> Side:
            state = np.array(["_".join(row) for row in data[covariates].astype(str)], np.str_)
            return Side(data[cells][:, order], state, perturbation.astype(np.str_))

        label = np.repeat(data["control_label"], len(data["X_control"]))
        return cls(
            side("X_true", "true_covariates", data["true_perturbation"]),
            side("X_pred", "pred_covariates", data["pred_perturbation"]),
            side("X_control", "control_covariates", label),
            n_components,
        )

    @cached_property
    def states(self) -> dict[str, list[str]]:
        """State → perturbations that occur on both sides of it."""
        control = set(self.controls.perturbation.tolist())
        common = {
            state: sorted(
                (self.observed.perturbations(state) & self.predicted.perturbations(state)) - control
            )
            for state in sorted(set(self.observed.state.tolist()))
        }
        return {state: found for state, found in common.items() if found}

    @cached_property
    def control_of(self) -> dict[str, Controls]:
        return {state: Controls(self.controls.cells[self.controls.state == state]) for state in self.states}

    @cached_property
    def axes(self) -> PrincipalAxes:
        axes = principal_axes(
            np.concatenate([self.observed.cells, self.controls.cells]), n_components=self.n_components
        )
        assert not isinstance(axes, Undefined)
        return axes

    def vectors(
        self,
        side: Side,
        state: str,
        aggregation: str,
        release: Release,
        perturbations: Sequence[str] | None = None,
    ) -> Vectors:
        """One row per perturbation: those common to both sides, unless others are named."""
        whole = self._scaled_over(side, state, release) if aggregation == "scaled" else None
        rows = [
            self._vector(side.of(state, perturbation), self.control_of[state], aggregation, release, whole)
            for perturbation in (self.states[state] if perturbations is None else perturbations)
        ]
        return np.stack(rows)

    def clouds(self, side: Side, state: str, aggregation: str) -> list[NDArray[np.float64]]:
        """Cells of each perturbation, as they are or in the space of the principal axes."""
        cells = [side.of(state, perturbation) for perturbation in self.states[state]]
        if aggregation == "pca":
            return [self.axes.project(one) for one in cells]
        return [np.asarray(one, np.float64) for one in cells]

    def _scaled_over(self, side: Side, state: str, release: Release) -> Moments:
        parts = (side, self.controls)
        if release == "v2024":
            return moments(np.concatenate([part.cells for part in parts]))
        return moments(np.concatenate([part.cells[part.state == state] for part in parts]))

    def _vector(
        self, cells: Cells, controls: Controls, aggregation: str, release: Release, whole: Moments | None
    ) -> NDArray[np.float64]:
        if whole is not None:
            return scaled(cells, whole)
        if aggregation == "logp" and release == "v2024":
            return signed_log_p_v2024(cells, controls)
        if aggregation == "logfc" and release == "v2024":
            change = log_fold_change(moments(cells).mean, controls.moments.mean)
            return np.where(np.isinf(change), 0.0, change)
        if aggregation == "pca_average":
            return np.asarray(self.axes.project(moments(cells).mean[None])[0])
        return AGGREGATIONS[aggregation](moments(cells), controls.moments)


AGGREGATIONS: dict[str, Callable[[Moments, Moments], NDArray[np.float64]]] = {
    "average": lambda cells, _: cells.mean,
    "logfc": lambda cells, control: log_fold_change(cells.mean, control.mean),
    "var": lambda cells, _: variation(cells),
    "scores": lambda cells, control: overestimated_variance_test(cells, control)[0],
    "pvals": lambda cells, control: overestimated_variance_test(cells, control)[1],
    "logp": lambda cells, control: signed_log_p(*overestimated_variance_test(cells, control)),
}
