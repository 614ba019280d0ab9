"""What training has shown of a condition: its perturbation, the parts of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.datasets.dataset import PerturbDataset
from harness.splits.split import Split

SEEN, ALL_PARTS, SOME_PARTS, UNSEEN = "seen", "all parts seen", "some parts seen", "unseen"
CLASSES = (SEEN, ALL_PARTS, SOME_PARTS, UNSEEN)
"""From the best known to the least."""


def seen_classes(dataset: PerturbDataset, split: Split, asked: Sequence[str]) -> list[str]:
    """The class of each perturbation: trained on in some context; all, some or none of its targets perturbed in training."""
    perts, targets = trained_on(dataset, split)
    return [seen_class(pert, set(dataset.meta.perturbations.get(pert, [])), perts, targets) for pert in asked]


def seen_class(pert: str, parts: set[str], perts: set[str], targets: set[str]) -> str:
    """The class of one perturbation with these targets."""
    if pert in perts:
        return SEEN
    if parts and parts <= targets:
        return ALL_PARTS
    return SOME_PARTS if parts & targets else UNSEEN


def trained_on(dataset: PerturbDataset, split: Split) -> tuple[set[str], set[str]]:
    """The perturbations of the training rows, and all their targets."""
    of_row = dataset.conditions.of_row[split.rows("train")]
    table = dataset.conditions.table
    perts = {table[index].pert for index in np.unique(of_row[of_row >= 0]).tolist()}
    return perts, {target for pert in perts for target in dataset.meta.perturbations.get(pert, [])}
