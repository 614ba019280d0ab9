"""Held-out contexts: perturbations are known from elsewhere, the context's perturbed cells are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import (
    CALIB,
    VAL,
    Assignment,
    calib_notes,
    has_pert,
    hide_iid,
    known_contexts,
    perts_in,
    perturbed_contexts,
    roles_by_level,
    set_unseen_aside,
    share,
    shuffled,
    stream,
)
from harness.splits.leaks import conditions_apart, contexts_apart, perturbations_seen
from harness.splits.split import Role

RULES = (conditions_apart, contexts_apart, perturbations_seen)
WHOLE_CALIB_FROM = 5
"""With this many contexts calibration gets a context of its own."""


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    holdout_context: tuple[str, ...] = (),
    fraction: float | None = None,
    val_context: tuple[str, ...] = (),
    calib_context: tuple[str, ...] = (),
    calib_fraction: float = 0.3,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out whole contexts, by name, as a fraction, or one; val (and calib, from five contexts) are others.

    Held-out contexts keep only perturbations that training has seen. With fewer than five contexts calib is carved
    out of val: `calib_fraction` of its perturbations.
    """
    role_of_context = choose_contexts(
        dataset, seed, holdout=holdout_context, fraction=fraction, val=val_context, calib=calib_context
    )
    role_of = roles_by_level(dataset.obs.context, role_of_context)
    set_aside = set_unseen_aside(dataset, role_of)
    notes = ["controls of held-out contexts are inputs: pool A is given to models"]
    params: dict[str, object] = {
        f"{'holdout' if role == 'test' else role}_context": sorted(
            name for name, given in role_of_context.items() if given == role
        )
        for role in ("test", "val", "calib")
    }
    if "calib" not in role_of_context.values():
        carve_calib(dataset, role_of, calib_fraction, seed)
        notes.append("calib is carved out of the val context: it needs five contexts to have its own")
        params["calib_fraction"] = calib_fraction
    hide_iid(
        dataset,
        role_of,
        stream("context_ood", seed, "iid"),
        conditions=iid_conditions,
        fraction=iid_fraction,
    )
    return Assignment(
        role_of,
        ("context",),
        params | {"iid_conditions": iid_conditions, "iid_fraction": iid_fraction},
        set_aside=set_aside,
        notes=(*notes, *calib_notes(dataset, role_of)),
    )


def choose_contexts(
    dataset: PerturbDataset,
    seed: int,
    *,
    holdout: Sequence[str],
    fraction: float | None,
    val: Sequence[str],
    calib: Sequence[str],
) -> dict[str, Role]:
    """The role of each context: named ones as told, the others seeded."""
    there = perturbed_contexts(dataset)
    if len(there) < 3:
        raise HarnessError(
            "holding out contexts needs at least three: one to train on, one for val, one for test",
            where=f"dataset {dataset.name}",
            got=", ".join(there) or "no context with perturbed cells",
            mend="regime covariate_transfer works with two contexts, perturbation_ood and iid with one",
        )
    if holdout and fraction is not None:
        raise HarnessError("held-out contexts are named and given as a fraction", mend="give one of the two")
    roles: dict[str, Role] = dict.fromkeys(dataset.obs.context.levels, "train")
    _name(roles, known_contexts(dataset, holdout), "test")
    _name(roles, known_contexts(dataset, val), "val")
    _name(roles, known_contexts(dataset, calib), "calib")
    free = [name for name in there if roles[name] == "train"]
    if not holdout:
        n = 1 if fraction is None else share(len(there), fraction, of="contexts")
        free = _draw(roles, free, n, "test", seed)
    if not val:
        free = _draw(roles, free, 1, "val", seed)
    if not calib and len(there) >= WHOLE_CALIB_FROM and len(free) > 1:
        free = _draw(roles, free, 1, "calib", seed)
    if not free:
        raise HarnessError(
            "no context is left to train on",
            where=f"dataset {dataset.name}",
            got=", ".join(f"{name}: {role}" for name, role in sorted(roles.items())),
            mend="hold out fewer contexts",
        )
    return roles


def carve_calib(dataset: PerturbDataset, role_of: NDArray[np.int8], fraction: float, seed: int) -> None:
    """Give a seeded part of val's perturbations to calib, in place."""
    names = sorted(perts_in(dataset, role_of == VAL))
    n = share(len(names), fraction, of="val perturbations")
    chosen = set(shuffled(names, stream("context_ood", seed, "carve"))[:n])
    role_of[(role_of == VAL) & ~dataset.obs.is_control & has_pert(dataset, chosen)] = CALIB


def _name(roles: dict[str, Role], names: Sequence[str], role: Role) -> None:
    for name in names:
        if roles[name] != "train":
            raise HarnessError(f"context {name!r} is named for two roles", got=f"{roles[name]} and {role}")
        roles[name] = role


def _draw(roles: dict[str, Role], free: list[str], n: int, role: Role, seed: int) -> list[str]:
    deck = shuffled(free, stream("context_ood", seed, role))
    roles.update(dict.fromkeys(deck[:n], role))
    return sorted(deck[n:])
