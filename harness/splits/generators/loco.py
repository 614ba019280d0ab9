"""Leave one context out: a family of splits, one per context."""

from __future__ import annotations

from typing import Any

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import Assignment, perturbed_contexts
from harness.splits.generators import context_ood
from harness.splits.leaks import conditions_apart, contexts_apart, perturbations_seen

RULES = (conditions_apart, contexts_apart, perturbations_seen)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    holdout_context: str | None = None,
    calib_fraction: float = 0.3,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out each context in turn, as `context_ood` does; with `holdout_context` that one alone."""
    if holdout_context is None:
        raise HarnessError(
            "loco is a family of splits", mend="name one with holdout_context, or create them all together"
        )
    return context_ood.generate(
        dataset,
        seed=seed,
        holdout_context=(holdout_context,),
        calib_fraction=calib_fraction,
        iid_conditions=iid_conditions,
        iid_fraction=iid_fraction,
    )


def members(dataset: PerturbDataset) -> dict[str, dict[str, Any]]:
    """One split per context with perturbed cells."""
    return {name: {"holdout_context": name} for name in perturbed_contexts(dataset)}
