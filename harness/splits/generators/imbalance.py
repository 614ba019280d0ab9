"""Training sets that grow more lopsided over one fixed test: how much does imbalance between contexts hurt?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import (
    ASIDE,
    CALIB,
    TEST,
    TRAIN,
    VAL,
    Assignment,
    calib_notes,
    has_pert,
    hide_iid,
    perts_in,
    set_unseen_aside,
    shuffled,
    stream,
)
from harness.splits.generators import context_ood
from harness.splits.leaks import conditions_apart, contexts_apart, perturbations_seen

RULES = (conditions_apart, contexts_apart, perturbations_seen)
ENTROPIES = (1.0, 0.9, 0.8, 0.7)
TOLERANCE = 0.02


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    entropy: float | None = None,
    holdout_context: tuple[str, ...] = (),
    val_context: tuple[str, ...] = (),
    calib_context: tuple[str, ...] = (),
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    r"""Thin the training contexts of `context_ood` until perturbations per context have a normalised entropy.

    The entropy is $-\sum_c p_c \ln p_c / \ln C$ with $p_c$ the share of (context, perturbation) pairs in training context
    c; 1 is balanced. A lower entropy's training set is contained in a higher one's. One anchor context is never
    thinned; held-out contexts keep the anchor's perturbations, so the test is the same throughout.
    """
    if entropy is None or not 0 < entropy <= 1:
        raise HarnessError("entropy is out of range", got=entropy, expected="0 < entropy ≤ 1")
    base = context_ood.generate(
        dataset,
        seed=seed,
        holdout_context=holdout_context,
        val_context=val_context,
        calib_context=calib_context,
        iid_conditions=0,
    )
    role_of = base.role_of.copy()
    perts = _training_perts(dataset, role_of)
    if len(perts) < 2:
        raise HarnessError(
            "imbalance needs at least two training contexts",
            where=f"dataset {dataset.name}",
            got=", ".join(perts),
            mend="hold out fewer contexts",
        )
    order = shuffled(list(perts), stream("imbalance", seed, "contexts"))
    sizes = thin(len(order), min(map(len, perts.values())), entropy)
    hidden = perts_in(dataset, np.isin(role_of, (VAL, CALIB, TEST)))
    for context, size in zip(order, sizes, strict=True):
        deck = shuffled(sorted(perts[context]), stream("imbalance", seed, "deck", context))
        if context == order[0]:
            deck.sort(key=lambda name: name not in hidden)
        _keep(dataset, role_of, context, set(deck[:size]))
    anchor = dataset.obs.context.codes == dataset.obs.context.code(order[0])
    set_aside = dict(base.set_aside) | _keep_anchored(dataset, role_of, anchor)
    hide_iid(
        dataset,
        role_of,
        stream("imbalance", seed, "iid"),
        conditions=iid_conditions,
        fraction=iid_fraction,
        among=anchor,
    )
    return Assignment(
        role_of,
        base.ood_axes,
        {
            **base.params,
            "entropy": entropy,
            "perturbations": dict(zip(order, map(int, sizes), strict=True)),
            "iid_conditions": iid_conditions,
            "iid_fraction": iid_fraction,
        },
        set_aside=set_aside,
        notes=(
            *[note for note in base.notes if not note.startswith("calib holds")],
            f"normalised entropy of perturbations per training context: {normalised_entropy(sizes):.3f}",
            *calib_notes(dataset, role_of),
        ),
    )


def members(_: PerturbDataset) -> dict[str, dict[str, Any]]:
    """From balanced to lopsided: entropies 1, 0.9, 0.8 and 0.7."""
    return {f"{entropy:g}": {"entropy": entropy} for entropy in ENTROPIES}


def normalised_entropy(sizes: NDArray[np.int64]) -> float:
    """Entropy of shares over its largest possible value."""
    p = sizes / sizes.sum()
    return float(-(p * np.log(p)).sum() / np.log(len(sizes)))


def thin(n_contexts: int, n_perts: int, entropy: float) -> NDArray[np.int64]:
    """Perturbations per context, falling geometrically from n_perts, with the entropy asked for. [contexts]

    A steeper fall never gives any context more, so the sets are nested.
    """

    def sizes(steepness: float) -> NDArray[np.int64]:
        falling = n_perts * np.exp(-steepness * np.arange(n_contexts))
        return np.asarray(np.maximum(1, np.round(falling)), np.int64)

    low, high = 0.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if normalised_entropy(sizes(middle)) > entropy else (low, middle)
    best: NDArray[np.int64] = min(sizes(low), sizes(high), key=lambda s: abs(normalised_entropy(s) - entropy))
    if abs(normalised_entropy(best) - entropy) > TOLERANCE:
        raise HarnessError(
            "entropy cannot be reached with so few perturbations",
            got=f"{n_contexts} training contexts with {n_perts} perturbations: nearest {normalised_entropy(best):.3f}",
            expected=f"{entropy} ± {TOLERANCE}",
        )
    return best


def _training_perts(dataset: PerturbDataset, role_of: NDArray[np.int8]) -> dict[str, set[str]]:
    codes = dataset.obs.context.codes
    found = {
        name: perts_in(dataset, (role_of == TRAIN) & (codes == code))
        for code, name in enumerate(dataset.obs.context.levels)
    }
    return {name: perts for name, perts in found.items() if perts}


def _keep(dataset: PerturbDataset, role_of: NDArray[np.int8], context: str, names: set[str]) -> None:
    obs = dataset.obs
    here = (obs.context.codes == obs.context.code(context)) & (role_of == TRAIN) & ~obs.is_control
    role_of[here & ~has_pert(dataset, names)] = ASIDE


def _keep_anchored(
    dataset: PerturbDataset, role_of: NDArray[np.int8], anchor: NDArray[np.bool_]
) -> dict[str, list[str]]:
    """Held-out perturbations must be seen in the anchor, whatever the other contexts still have."""
    elsewhere = (role_of == TRAIN) & ~anchor & ~dataset.obs.is_control
    role_of[elsewhere] = ASIDE
    aside = set_unseen_aside(dataset, role_of)
    role_of[elsewhere] = TRAIN
    return {f"{reason} in the anchor context": names for reason, names in aside.items()}
