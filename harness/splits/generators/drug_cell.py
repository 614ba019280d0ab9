"""Held-out drugs in held-out contexts: neither was seen, not even apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import (
    ASIDE,
    CODE,
    Assignment,
    calib_notes,
    calib_size,
    deal,
    hide_iid,
    perturbed_contexts,
    share,
    stream,
)
from harness.splits.constituents import constituents
from harness.splits.leaks import conditions_apart, contexts_apart, perturbations_apart
from harness.splits.split import Role

RULES = (conditions_apart, contexts_apart, perturbations_apart)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    drug_fraction: float = 0.2,
    context_fraction: float = 0.2,
    val_fraction: float = 0.1,
    calib_fraction: float = 0.1,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out drugs × contexts (20 % × 20 %); cells with only one of the two held out are set aside.

    Val and calib have other drugs in other held-out contexts, which they share.
    """
    role_of_context = _deal_contexts(dataset, context_fraction, val_fraction, seed)
    role_of_drug = _deal_drugs(dataset, drug_fraction, val_fraction, calib_fraction, seed)
    role_of = _role_of_rows(dataset, role_of_context, role_of_drug)
    hide_iid(
        dataset, role_of, stream("drug_cell", seed, "iid"), conditions=iid_conditions, fraction=iid_fraction
    )
    held_out = {
        role: {
            "drugs": sorted(name for name, given in role_of_drug.items() if given == role),
            "contexts": sorted(name for name, given in role_of_context.items() if given == role),
        }
        for role in ("test", "val", "calib")
    }
    mixed = int(((role_of == ASIDE) & ~dataset.obs.is_control).sum())
    return Assignment(
        role_of,
        ("context", "perturbation"),
        {
            "drug_fraction": drug_fraction,
            "context_fraction": context_fraction,
            "val_fraction": val_fraction,
            "calib_fraction": calib_fraction,
            "iid_conditions": iid_conditions,
            "iid_fraction": iid_fraction,
            "held_out": held_out,
        },
        notes=(
            f"{mixed} cells of a held-out drug in another context, or of another drug in a held-out context, are set aside",
            "calib shares the contexts of val",
            *calib_notes(dataset, role_of),
        ),
    )


def _deal_drugs(
    dataset: PerturbDataset, fraction: float, val_fraction: float, calib_fraction: float, seed: int
) -> dict[str, Role]:
    drugs = sorted({part for parts in constituents(dataset).values() for part in parts})
    parts: dict[Role, int] = {
        "test": share(len(drugs), fraction, of="drugs"),
        "val": share(len(drugs), val_fraction, of="val drugs"),
        "calib": calib_size(len(drugs), calib_fraction),
    }
    if sum(parts.values()) >= len(drugs):
        raise HarnessError(
            "no drug is left to train on", where=f"dataset {dataset.name}", got=f"{len(drugs)} drugs"
        )
    return deal(drugs, parts, stream("drug_cell", seed, "drugs"))


def _role_of_rows(
    dataset: PerturbDataset, role_of_context: dict[str, Role], role_of_drug: dict[str, Role]
) -> NDArray[np.int8]:
    """The role that drug and context share; cells whose drug and context differ are set aside. [rows]"""
    obs = dataset.obs
    made_of = constituents(dataset)
    role_of_pair = np.full((len(obs.context.levels), len(obs.pert.levels)), ASIDE, np.int8)
    for i, context in enumerate(obs.context.levels):
        here = role_of_context.get(context, "train")
        allowed = {"val", "calib"} if here == "val" else {here}
        for j, pert in enumerate(obs.pert.levels):
            found = {role_of_drug[part] for part in made_of.get(pert, ())}
            if len(found) == 1 and found <= allowed:
                role_of_pair[i, j] = CODE[found.pop()]
            elif pert == dataset.meta.control_label:
                role_of_pair[i, j] = CODE[here]
    return np.asarray(role_of_pair[obs.context.codes, obs.pert.codes])


def _deal_contexts(
    dataset: PerturbDataset, fraction: float, val_fraction: float, seed: int
) -> dict[str, Role]:
    there = perturbed_contexts(dataset)
    parts: dict[Role, int] = {
        "test": share(len(there), fraction, of="contexts"),
        "val": share(len(there), val_fraction, of="val contexts"),
    }
    if sum(parts.values()) >= len(there):
        raise HarnessError(
            "holding out drugs and contexts needs at least three contexts",
            where=f"dataset {dataset.name}",
            got=", ".join(there) or "no context with perturbed cells",
            mend="choose drug_holdout for this dataset",
        )
    return deal(there, parts, stream("drug_cell", seed, "contexts"))
