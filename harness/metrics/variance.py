"""What a submission's variance becomes before it is compared with an observed effect."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

VarKind = Literal["effect", "observed", "cell"]
Effects = NDArray[np.floating[Any]]  # [conditions, genes]


def total_variance(
    var: Effects,
    epistemic: Effects | None,
    kind: VarKind,
    cells_variance: Effects,
    reference_variance: Effects,
    n_cells: NDArray[np.int64],
) -> NDArray[np.float64]:
    r"""Variance of observed − predicted effect. [conditions, genes]

    `effect`: $\mathrm{var} + s^2_T/n_T + s^2_B/n_B$; `observed`: $\mathrm{var}$;
    `cell`: $\mathrm{var}/n_T + \mathrm{epistemic} + s^2_B/n_B$.
    `cells_variance` is $s^2_T/n_T$, NaN for fewer than two cells; `reference_variance` is $s^2_B/n_B$.
    """
    if kind == "observed":
        return np.asarray(var, np.float64)
    if kind == "effect":
        return np.asarray(var + cells_variance + reference_variance, np.float64)
    model = 0.0 if epistemic is None else epistemic
    return np.asarray(var / n_cells[:, None] + model + reference_variance, np.float64)


def own_uncertainty(claimed: Effects, epistemic: Effects | None, kind: VarKind) -> NDArray[np.float64]:
    """What the submission itself is unsure of, without sampling noise. [conditions, genes]

    The spread of single cells is biology; a submission that gives it says how unsure it is by `epistemic`, if it does.
    """
    if kind == "cell" and epistemic is not None:
        return np.asarray(epistemic, np.float64)
    return np.asarray(claimed, np.float64)
