"""The mean delta of a perturbation in the same context, else over contexts; an unseen one gets the train mean."""

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
    """From the most to the least specific."""
    return lookup(
        training,
        [
            (lambda c: c, NATIVE),
            (lambda c: (c.context, c.pert), EXTENDED),
            (by_intervention, EXTENDED),
            (by_perturbation, EXTENDED),
        ],
    )


submission = Baseline(fit)
