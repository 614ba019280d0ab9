"""No effect: every delta is zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from perturbfm.baseline import NATIVE, Answer, Baseline, Params, Rule
from perturbfm.conditions import Training

from harness.sdk import Condition


def fit(training: Training, params: Params) -> Rule:
    """Nothing to learn but the variance."""

    def rule(asked: Sequence[Condition]) -> Answer:
        return np.zeros((len(asked), len(training.genes))), np.full(len(asked), NATIVE, np.uint8)

    return rule


submission = Baseline(fit)
