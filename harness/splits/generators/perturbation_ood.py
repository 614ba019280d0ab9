"""Held-out perturbations: never seen in training, in no context, alone or combined."""

from __future__ import annotations

from harness.datasets.dataset import PerturbDataset
from harness.splits.assignment import Assignment
from harness.splits.constituents import constituents
from harness.splits.holdout import hold_out_groups
from harness.splits.leaks import conditions_apart, perturbations_apart

RULES = (conditions_apart, perturbations_apart)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    holdout_perturbation: tuple[str, ...] = (),
    fraction: float = 0.2,
    val_fraction: float = 0.1,
    calib_fraction: float = 0.1,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out a fraction of the perturbations, or named ones, in every context.

    A combination follows its constituents when all of them have one role; mixed combinations are set aside.
    """
    singles = sorted({part for parts in constituents(dataset).values() for part in parts})
    return hold_out_groups(
        dataset,
        {name: name for name in singles},
        kind="perturbation",
        seed=seed,
        holdout=holdout_perturbation,
        fraction=fraction,
        val_fraction=val_fraction,
        calib_fraction=calib_fraction,
        iid_conditions=iid_conditions,
        iid_fraction=iid_fraction,
        params={"holdout_perturbation": list(holdout_perturbation)},
    )
