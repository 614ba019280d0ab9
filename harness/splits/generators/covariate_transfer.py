"""Each context misses some perturbations that others have (PerturBench's covariate transfer)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import (
    CODE,
    TRAIN,
    Assignment,
    calib_notes,
    deal,
    hide_iid,
    perturbed_contexts,
    share,
    stream,
)
from harness.splits.leaks import conditions_apart, pairs_apart, perturbations_seen
from harness.splits.split import Role

RULES = (conditions_apart, pairs_apart, perturbations_seen)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    fraction: float = 0.3,
    max_contexts: int = 1,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out at most `fraction` of each context's perturbations, each in at most `max_contexts` contexts.

    Each held-out perturbation trains in at least one other context. Half of the held-out pairs are test, a quarter each
    val and calib.
    """
    contexts = perturbed_contexts(dataset)
    if len(contexts) < 2:
        raise HarnessError(
            "transferring perturbations between contexts needs at least two contexts",
            where=f"dataset {dataset.name}",
            got=", ".join(contexts) or "no context with perturbed cells",
            mend="choose perturbation_ood or iid for this dataset",
        )
    measured = _measured(dataset)
    held_out = _hold_out(measured, fraction, max_contexts, seed)
    obs = dataset.obs
    role_of_pair = np.full(measured.shape, TRAIN, np.int8)
    for context in np.flatnonzero(held_out.any(axis=1)):
        names = [obs.pert.levels[code] for code in np.flatnonzero(held_out[context])]
        parts: dict[Role, int] = {"val": len(names) // 4, "calib": len(names) // 4}
        rng = stream("covariate_transfer", seed, "deal", obs.context.levels[context])
        for name, role in deal(names, parts, rng, rest="test").items():
            role_of_pair[context, obs.pert.code(name)] = CODE[role]
    role_of = role_of_pair[obs.context.codes, obs.pert.codes]
    hide_iid(
        dataset,
        role_of,
        stream("covariate_transfer", seed, "iid"),
        conditions=iid_conditions,
        fraction=iid_fraction,
    )
    return Assignment(
        role_of,
        ("context",),
        {
            "fraction": fraction,
            "max_contexts": max_contexts,
            "iid_conditions": iid_conditions,
            "iid_fraction": iid_fraction,
        },
        notes=(
            "each held-out pair is new; its context and its perturbation are both seen apart",
            *calib_notes(dataset, role_of),
        ),
    )


def _measured(dataset: PerturbDataset) -> NDArray[np.bool_]:
    """Which pairs have perturbed cells. [contexts, perturbations]"""
    obs = dataset.obs
    measured = np.zeros((len(obs.context.levels), len(obs.pert.levels)), np.bool_)
    measured[obs.context.codes[~obs.is_control], obs.pert.codes[~obs.is_control]] = True
    return measured


def _hold_out(
    measured: NDArray[np.bool_], fraction: float, max_contexts: int, seed: int
) -> NDArray[np.bool_]:
    """Which pairs are held out: perturbations in seeded order, each where its contexts have room. [contexts, perts]"""
    share(2, fraction, of="pairs")
    room = (measured.sum(axis=1) * fraction).astype(np.int64)
    held_out = np.zeros_like(measured)
    rng = stream("covariate_transfer", seed, "hold out")
    for pert in rng.permutation(measured.shape[1]):
        contexts = rng.permutation(np.flatnonzero(measured[:, pert]))
        most = min(max_contexts, len(contexts) - 1)
        for context in contexts[np.argsort(-room[contexts], kind="stable")][: max(0, most)]:
            if room[context] > 0:
                held_out[context, pert] = True
                room[context] -= 1
    return held_out
