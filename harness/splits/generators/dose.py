"""Held-out doses: between those that were seen, or above them."""

from __future__ import annotations

from harness.datasets.dataset import PerturbDataset
from harness.splits.assignment import Assignment
from harness.splits.leaks import conditions_apart, perturbations_seen, values_beyond
from harness.splits.ordered import Kind, hold_out_values

RULES = (conditions_apart, perturbations_seen, values_beyond)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    covariate: str = "dose",
    kind: Kind = "extrapolation",
    val_fraction: float = 0.25,
    calib_fraction: float = 0.25,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out one dose of each drug that has enough of them: the highest (extrapolation) or one between.

    It is held out in every context; perturbations are dealt to test, val and calib.
    """
    return hold_out_values(
        dataset,
        "dose",
        covariate=covariate,
        kind=kind,
        seed=seed,
        val_fraction=val_fraction,
        calib_fraction=calib_fraction,
        iid_conditions=iid_conditions,
        iid_fraction=iid_fraction,
    )
