"""The mean delta of a perturbation over training contexts; an unseen one gets the train mean."""

from __future__ import annotations

from perturbfm.baseline import (
    EXTENDED,
    NATIVE,
    Baseline,
    Params,
    Rule,
    by_intervention,
    by_perturbation,
    lookup,
)
from perturbfm.conditions import Training


def fit(training: Training, params: Params) -> Rule:
    """The same perturbation at the same dose, else at any."""
    return lookup(training, [(by_intervention, NATIVE), (by_perturbation, EXTENDED)])


submission = Baseline(fit)
