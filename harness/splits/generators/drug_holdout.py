"""Held-out drugs, at every dose and in every context; drugs of one group (a scaffold, say) go together."""

from __future__ import annotations

from harness.datasets.dataset import PerturbDataset
from harness.splits.assignment import Assignment
from harness.splits.constituents import constituents
from harness.splits.holdout import hold_out_groups, read_groups
from harness.splits.leaks import conditions_apart, perturbations_apart

RULES = (conditions_apart, perturbations_apart)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    holdout_drug: tuple[str, ...] = (),
    groups: str | None = None,
    fraction: float = 0.2,
    val_fraction: float = 0.1,
    calib_fraction: float = 0.1,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out whole drugs; `groups` (a covariate, or a TSV of drug and group) keeps drugs of a group together.

    A drug without a group is a group of its own. Mixtures of drugs of different roles are set aside.
    """
    singles = sorted({part for parts in constituents(dataset).values() for part in parts})
    told, source = read_groups(dataset, groups) if groups else ({}, {})
    group_of = {name: f"group {told[name]}" if name in told else name for name in singles}
    return hold_out_groups(
        dataset,
        group_of,
        kind="drug",
        seed=seed,
        holdout=tuple(group_of.get(name, name) for name in holdout_drug),
        fraction=fraction,
        val_fraction=val_fraction,
        calib_fraction=calib_fraction,
        iid_conditions=iid_conditions,
        iid_fraction=iid_fraction,
        params={"holdout_drug": list(holdout_drug), **source},
    )
