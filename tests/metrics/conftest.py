"""Forecasts for tests of the uncertainty panel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.forecasts import Forecasts, TrainingResiduals


@pytest.fixture(scope="session")
def make_forecasts() -> Callable[..., Forecasts]:
    """Forecasts from means, observed effects and variances; all else is plain unless told."""

    def make(mean, observed, variance, **told) -> Forecasts:
        mean, observed = np.atleast_2d(np.asarray(mean, float)), np.atleast_2d(np.asarray(observed, float))
        variance = np.broadcast_to(np.asarray(variance, float), mean.shape)
        n, genes = mean.shape
        plain = {
            "perturbations": tuple(f"p{i}" for i in range(n)),
            "contexts": ("c",) * n,
            "kinds": ("reported",) * n,
            "strata": (None,) * n,
            "n_cells": np.full(n, 20),
            "sampling": np.zeros_like(mean),
            "claimed": variance,
            "epistemic": None,
            "residuals": TrainingResiduals(np.zeros(genes), np.ones(genes)),
        }
        return Forecasts(**(plain | {"mean": mean, "observed": observed, "variance": variance} | told))

    return make


@pytest.fixture(scope="session")
def simulate(make_forecasts: Callable[..., Forecasts]) -> Callable[..., Forecasts]:
    """Perturbations whose errors share a size of their own: `{"calib": 40, "reported": 60}` of them, in that order.

    `informed` forecasts know each size, others claim 1 for all; `shift` multiplies the errors of reported perturbations.
    """

    def draw(counts, *, genes=200, seed=0, informed=False, shift=1.0, spread=0.7, **told) -> Forecasts:
        rng = np.random.default_rng(seed)
        kinds = tuple(kind for kind, count in counts.items() for _ in range(count))
        size = np.exp(spread * rng.normal(size=(len(kinds), 1)))
        mean = rng.normal(size=(len(kinds), genes))
        factor = np.where(np.array(kinds) == "reported", shift, 1.0)[:, None]
        observed = mean + factor * size * rng.normal(size=mean.shape)
        variance = size**2 * np.ones_like(mean) if informed else np.ones_like(mean)
        return make_forecasts(mean, observed, variance, **({"kinds": kinds} | told))

    return draw
