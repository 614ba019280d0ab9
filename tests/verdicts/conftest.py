"""A synthetic screen with a systematic shift and sparse effects, as arrays: what each control scores in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from harness.metrics import effect_error
from harness.metrics.card import Undefined
from harness.metrics.inputs import ConditionEffects
from harness.metrics.moments import Moments
from harness.metrics.retrieval import retrieval

PERTURBATIONS, GENES, CELLS, SEED = 120, 500, 60, 3
Array = np.ndarray


@dataclass(frozen=True)
class Screen:
    """Latent effects of one context, and two measurements of them that share neither cells nor controls."""

    latent: Array  # [perturbations, genes]
    truth: Array
    duplicate: Array
    train_mean: Array  # [genes]
    noise: Array  # [genes]; variance of single cells

    def interpolated(self) -> Array:
        """The duplicate, blended gene by gene with the train mean by 1 − adjusted p of its own test against the rest."""
        from scipy.special import ndtr
        from scipy.stats import false_discovery_control

        z = (self.duplicate - self.duplicate.mean(axis=0)) / np.sqrt(self.noise / CELLS)
        p = 2 * ndtr(-np.abs(z))
        share = 1 - np.stack([false_discovery_control(row) for row in p])
        return share * self.duplicate + (1 - share) * self.train_mean

    def scores(self, predicted: Array) -> dict[str, Array]:
        """Calibrated metrics of every perturbation; NaN where undefined."""
        names = ("mse", "pcc_delta", "pcc_delta_centred", "wmse")
        rows = [self._one(p, predicted[p]) for p in range(len(self.truth))]
        found = {name: np.array([row[name] for row in rows]) for name in names}
        places = retrieval(predicted, self.truth, self.train_mean)
        return found | {"retrieval": np.array([_number(value) for value in places])}

    def _one(self, p: int, predicted: Array) -> dict[str, float]:
        rng = np.random.default_rng([SEED, p])
        gap = rng.normal(0, np.sqrt(self.noise / CELLS))
        squares = self.noise * (CELLS - 1)
        halves = [
            Moments(CELLS // 2, self.truth[p] + sign * gap, self.noise * (CELLS // 2 - 1)) for sign in (1, -1)
        ]
        others = np.delete(self.truth, p, axis=0)
        rest = Moments(
            len(others) * CELLS,
            others.mean(axis=0),
            self.noise * CELLS * len(others) + CELLS * np.square(others - others.mean(axis=0)).sum(axis=0),
        )
        values = effect_error.condition_values(
            ConditionEffects(
                observed=self.truth[p],
                predicted=predicted,
                train=self.train_mean,
                targets=(),
                cells=Moments(CELLS, self.truth[p], squares),
                reference=Moments(10_000, np.zeros(GENES), self.noise * 9_999),
                halves=(halves[0], halves[1]),
                rest=rest,
            )
        )
        return {name: _number(value) for name, value in values.items()}


def _number(value: object) -> float:
    return np.nan if isinstance(value, Undefined) else float(value)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_screen() -> Callable[..., Screen]:
    """A screen: every perturbation shares one shift, and each moves a few genes of its own, some hardly."""

    def make(*, shift: float = 0.15, effect: float = 1.0, seed: int = SEED) -> Screen:
        rng = np.random.default_rng(seed)
        common = shift * rng.standard_normal(GENES)
        strength = effect * rng.exponential(1.0, PERTURBATIONS)

        def effects(n: int) -> Array:
            own = np.zeros((n, GENES))
            for row in own:
                row[rng.choice(GENES, 6, replace=False)] = rng.choice([-1, 1], 6) * rng.uniform(0.4, 1, 6)
            return own

        latent = common + strength[:, None] * effects(PERTURBATIONS)
        noise = 0.6 * rng.uniform(0.5, 1.5, GENES)
        measured = [latent + rng.normal(0, np.sqrt(noise / CELLS), latent.shape) for _ in range(2)]
        train = common + strength.mean() * effects(600).mean(axis=0)
        return Screen(latent, measured[0], measured[1], train, noise)

    return make
