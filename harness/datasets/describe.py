"""What a dataset is, in facts: its size, its contexts and control pools, and how many perturbed genes it measures."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.datasets.cards import count
from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool


def describe(dataset: PerturbDataset) -> dict[str, Any]:
    """The facts of a dataset as one JSON object."""
    meta = dataset.meta
    return {
        "name": dataset.name,
        "title": meta.title,
        "path": str(dataset.path),
        "unit": meta.unit,
        "x_kind": meta.x_kind,
        "counts": count(dataset).model_dump(),
        "conditions": len(dataset.conditions.table),
        "combinations": sum(len(genes) > 1 for genes in meta.perturbations.values()),
        "batches": len(dataset.obs.batch.levels),
        "covariates": {name: card.model_dump() for name, card in meta.covariates.items()},
        "arrays": sorted(meta.arrays),
        "contexts": contexts(dataset),
        "perturbed_genes": perturbed_genes(dataset),
        "preprocessing": meta.preprocessing.model_dump(),
        "source": meta.source.model_dump(),
        "matching": meta.matching.model_dump(),
        "notes": meta.notes,
        "data_hash": dataset.data_hash,
    }


def contexts(dataset: PerturbDataset) -> dict[str, dict[str, Any]]:
    """Of each context: rows, conditions, controls by pool, and how the pools were dealt."""
    obs = dataset.obs
    conditions = np.array([condition.context for condition in dataset.conditions.table], dtype=object)
    facts = {}
    for code, name in enumerate(obs.context.levels):
        here = obs.context.codes == code
        facts[name] = {
            "perturbed": int((here & ~obs.is_control).sum()),
            "conditions": int((conditions == name).sum()),
            "controls": int((here & obs.is_control).sum()),
            "pools": {
                str(pool.name): int((here & obs.in_pool(pool)).sum()) for pool in (Pool.A, Pool.B, Pool.C)
            },
            "mode": dataset.meta.pools.modes.get(name, "none"),
        }
    return facts


def perturbed_genes(dataset: PerturbDataset) -> dict[str, Any]:
    """How many of the perturbed genes are among the measured ones; a mask in gene space is empty for the others."""
    targets = sorted({gene for genes in dataset.meta.perturbations.values() for gene in genes})
    measured = set(dataset.genes)
    missing = [gene for gene in targets if gene not in measured]
    return {
        "n": len(targets),
        "measured": len(targets) - len(missing),
        "share": 1 - len(missing) / len(targets) if targets else None,
        "missing": missing,
    }
