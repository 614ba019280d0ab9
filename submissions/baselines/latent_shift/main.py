"""PCA shift: the mean shift of a perturbation in the latent space of training pseudobulk; parts of a combination add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from perturbfm.baseline import Baseline, Params, Rule, principal_axes, sum_of_parts
from perturbfm.conditions import Training


def fit(training: Training, params: Params) -> Rule:
    """Deltas are what is left of them on the principal axes."""
    states = np.array([training.state(condition.context) for condition in training.table])
    profiles = np.concatenate(
        [states.reshape(training.delta.shape) + training.delta, *map(np.atleast_2d, training.states.values())]
    )
    axes = principal_axes(profiles, params["components"])
    return sum_of_parts(replace(training, delta=training.delta @ axes.T @ axes))


submission = Baseline(fit)
