"""Held-out combinations, by how many of their constituents training has seen alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import (
    TRAIN,
    Assignment,
    calib_notes,
    deal,
    has_pert,
    hide_iid,
    perts_in,
    perturbations,
    roles_by_level,
    share,
    shuffled,
    stream,
)
from harness.splits.constituents import combinations, constituents
from harness.splits.leaks import conditions_apart, labels_apart, withheld_unseen
from harness.splits.split import Role

RULES = (conditions_apart, labels_apart, withheld_unseen)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    fraction: float = 0.5,
    unseen_fraction: float = 0.2,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out combinations in every context; the strata seen0, seen1, seen2 count constituents seen alone.

    Single perturbations of `unseen_fraction` of the constituents are set aside and all their combinations are held out;
    of the other combinations `fraction` is. With `unseen_fraction` 0 every single trains. Half of each stratum is test,
    a quarter each val and calib.
    """
    made_of = constituents(dataset)
    doubles = combinations(dataset)
    if len(doubles) < 4:
        raise HarnessError(
            "the regime needs at least four combinations, measured as perturbations like 'A+B'",
            where=f"dataset {dataset.name}",
            got=", ".join(doubles) or "single perturbations only",
            mend="choose perturbation_ood or context_ood for this dataset",
        )
    withheld = _withhold(sorted({p for name in doubles for p in made_of[name]}), unseen_fraction, seed)
    singles = [name for name in perturbations(dataset) if name not in set(doubles)]
    seen = {name for name in singles if not withheld.intersection(made_of[name])}
    hidden = _hide(doubles, made_of, withheld, fraction, seed)
    by_stratum: dict[str, list[str]] = {}
    for name in hidden:
        by_stratum.setdefault(f"seen{sum(part in seen for part in made_of[name])}", []).append(name)
    role_of_pert: dict[str, Role] = dict.fromkeys([*seen, *doubles, dataset.meta.control_label], "train")
    for stratum, names in sorted(by_stratum.items()):
        role_of_pert |= deal(
            names,
            {"val": len(names) // 4, "calib": len(names) // 4},
            stream("combo", seed, "deal", stratum),
            rest="test",
        )
    role_of = roles_by_level(dataset.obs.pert, role_of_pert)
    hide_iid(dataset, role_of, stream("combo", seed, "iid"), conditions=iid_conditions, fraction=iid_fraction)
    alone = sorted(set(singles) - seen)
    return Assignment(
        role_of,
        ("combination", "perturbation") if withheld else ("combination",),
        {
            "fraction": fraction,
            "unseen_fraction": unseen_fraction,
            "withheld": sorted(withheld),
            "iid_conditions": iid_conditions,
            "iid_fraction": iid_fraction,
        },
        strata={
            stratum: np.flatnonzero(has_pert(dataset, set(names)) & (role_of != TRAIN))
            for stratum, names in sorted(by_stratum.items())
        },
        set_aside={"single perturbations of withheld constituents": alone} if alone else {},
        notes=tuple(_notes(dataset, role_of, by_stratum)),
    )


def _withhold(parts: list[str], unseen_fraction: float, seed: int) -> set[str]:
    if unseen_fraction == 0:
        return set()
    n = share(len(parts), unseen_fraction, of="constituents")
    return set(shuffled(parts, stream("combo", seed, "withhold"))[:n])


def _hide(
    doubles: list[str], made_of: dict[str, tuple[str, ...]], withheld: set[str], fraction: float, seed: int
) -> list[str]:
    forced = [name for name in doubles if withheld.intersection(made_of[name])]
    free = [name for name in doubles if not withheld.intersection(made_of[name])]
    n = share(len(free), fraction, of="combinations") if free else 0
    return [*forced, *shuffled(free, stream("combo", seed, "hide"))[:n]]


def _notes(dataset: PerturbDataset, role_of: NDArray[np.int8], by_stratum: dict[str, list[str]]) -> list[str]:
    trained = len(perts_in(dataset, role_of == TRAIN).intersection(combinations(dataset)))
    classes = ", ".join(f"{stratum}: {len(names)}" for stratum, names in sorted(by_stratum.items()))
    return [f"held-out combinations by stratum: {classes}; {trained} train", *calib_notes(dataset, role_of)]
