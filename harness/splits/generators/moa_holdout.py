"""Held-out mechanisms of action: whole classes of drugs that training never sees."""

from __future__ import annotations

from collections import Counter

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import Assignment
from harness.splits.constituents import constituents
from harness.splits.holdout import hold_out_groups, read_groups
from harness.splits.leaks import conditions_apart, perturbations_apart

RULES = (conditions_apart, perturbations_apart)
UNCLEAR = frozenset({"", "unclear", "unknown", "na", "nan", "none", "other"})


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    moa: str = "moa",
    holdout_moa: tuple[str, ...] = (),
    min_drugs: int = 3,
    fraction: float = 0.2,
    val_fraction: float = 0.1,
    calib_fraction: float = 0.1,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out whole classes of at least `min_drugs` drugs; `moa` is a covariate or a TSV of drug and class.

    Drugs without a clear class are set aside, as they may share a held-out mechanism; small classes train.
    """
    told, source = read_groups(dataset, moa)
    singles = sorted({part for parts in constituents(dataset).values() for part in parts})
    group_of = {
        name: told[name] for name in singles if name in told and told[name].strip().lower() not in UNCLEAR
    }
    sizes = Counter(group_of.values())
    large = sorted(name for name, n in sizes.items() if n >= min_drugs)
    if len(large) < 3:
        raise HarnessError(
            f"holding out mechanisms needs at least three classes of {min_drugs} drugs or more",
            where=f"dataset {dataset.name}",
            got=", ".join(f"{name} ({n})" for name, n in sizes.most_common(6)) or "no drug with a class",
            mend="lower min_drugs, or complete the mapping of drugs to classes",
        )
    return hold_out_groups(
        dataset,
        group_of,
        kind="moa",
        seed=seed,
        holdout=holdout_moa,
        candidates=large,
        fraction=fraction,
        val_fraction=val_fraction,
        calib_fraction=calib_fraction,
        iid_conditions=iid_conditions,
        iid_fraction=iid_fraction,
        params={"holdout_moa": list(holdout_moa), "min_drugs": min_drugs, **source},
    )
