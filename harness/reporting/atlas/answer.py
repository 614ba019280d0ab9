"""For a perturbation that somebody has in mind: how new it is, and how wrong each method has been that far out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError, UnknownNameError
from harness.reporting.atlas.sheet import Answer, Atlas, Expected
from harness.scoring.seen import seen_class, trained_on
from harness.scoring.train_distance import train_distance
from harness.splits.split import Split

NEIGHBOURS = 12
"""Tested conditions that speak for the one that was asked about."""
SHOWN = 5
FEWEST = 3


def with_answer(
    atlas: Atlas, dataset: PerturbDataset, split: Split, perturbation: str, context: str | None
) -> Atlas:
    """The atlas, with what it says of one perturbation: a name of the dataset, or genes joined by `+`."""
    chosen = _context(dataset, atlas, context)
    targets = _targets(dataset, perturbation)
    found = train_distance(
        dataset, split, [(chosen, perturbation)], targets={perturbation: sorted(targets)}
    ).values
    if found is None:
        raise HarnessError("this split trains on nothing, so that nothing is near or far", where=split.name)
    distance = float(found[0])
    tested = [(one.distance, at) for at, one in enumerate(atlas.conditions) if one.distance is not None]
    if not tested:
        raise HarnessError("no tested condition has a distance to training", where=atlas.task)
    nearest = [at for _, at in sorted((abs(far - distance), at) for far, at in tested)][:NEIGHBOURS]
    perts, of_training = trained_on(dataset, split)
    table = dataset.conditions.table
    of_row = dataset.conditions.of_row[split.rows("train")]
    contexts = {table[i].context for i in np.unique(of_row[of_row >= 0]).tolist()}
    answer = Answer(
        perturbation,
        chosen,
        tuple(sorted(targets)),
        seen_class(perturbation, targets, perts, of_training),
        chosen in contexts,
        distance,
        float(np.mean([far < distance for far, _ in tested])),
        distance > max(far for far, _ in tested),
        tuple(atlas.conditions[at] for at in nearest[:SHOWN]),
        tuple(_expected(one.name, [one.values[at] for at in nearest]) for one in atlas.methods),
    )
    return replace(atlas, answer=answer)


def _context(dataset: PerturbDataset, atlas: Atlas, context: str | None) -> str:
    known = sorted({one.context for one in dataset.conditions.table})
    if context is None:
        return atlas.conditions[0].context
    if context not in known:
        raise UnknownNameError("context", context, known)
    return context


def _targets(dataset: PerturbDataset, perturbation: str) -> set[str]:
    if perturbation in dataset.meta.perturbations:
        return set(dataset.meta.perturbations[perturbation])
    genes = set(perturbation.split("+"))
    targeted = {gene for named in dataset.meta.perturbations.values() for gene in named}
    for gene in sorted(genes):
        if gene not in targeted and gene not in set(dataset.genes):
            raise UnknownNameError(
                "perturbation or gene", gene, {*dataset.meta.perturbations, *dataset.genes}
            )
    return genes


def _expected(name: str, values: Sequence[float | None]) -> Expected:
    known = [one for one in values if one is not None]
    if len(known) < FEWEST:
        return Expected(name, len(known), None, None, None)
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9]).tolist()
    return Expected(name, len(known), middle, low, high)
