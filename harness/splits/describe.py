"""What a split holds, counted: conditions and perturbations by role, cells by context and role; what differs between two."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.datasets.dataset import PerturbDataset
from harness.splits.assignment import CODE
from harness.splits.split import ROLES, Split


def describe_split(split: Split, dataset: PerturbDataset | None = None) -> dict[str, Any]:
    """The facts of a split; with its dataset also conditions by role, and cells by context and role."""
    facts: dict[str, Any] = {
        "name": split.name,
        "dataset": split.dataset.model_dump(),
        "regime": split.regime,
        "params": split.params,
        "seed": split.seed,
        "ood_axes": split.ood_axes,
        "counts": split.counts,
        "set_aside_rows": split.n_obs - sum(split.counts.values()),
        "set_aside": split.set_aside,
        "strata": {name: sum(stop - start for start, stop in runs) for name, runs in split.strata.items()},
        "notes": split.notes,
        "hash": split.frozen_hash,
    }
    if dataset is not None:
        facts |= _counted(split, dataset)
    return facts


def diff_splits(first: Split, second: Split) -> dict[str, Any]:
    """Where two splits differ: fields, and rows by the role they move from and to."""
    fields = ("name", "dataset", "regime", "params", "seed", "ood_axes", "set_aside", "notes")
    one, other = first.model_dump(mode="json"), second.model_dump(mode="json")
    changed = {key: [one[key], other[key]] for key in fields if one[key] != other[key]}
    comparable = first.dataset.hash == second.dataset.hash and first.n_obs == second.n_obs
    facts: dict[str, Any] = {
        "hashes": [first.frozen_hash, second.frozen_hash],
        "same": first.frozen_hash == second.frozen_hash,
        "fields": changed,
        "same_dataset": comparable,
    }
    if comparable:
        facts["moves"] = _moves(first, second)
    return facts


def _moves(first: Split, second: Split) -> dict[str, int]:
    names = np.array([*ROLES, "set aside"], dtype=object)
    a, b = first.role_codes(), second.role_codes()
    pairs, counts = np.unique(np.stack([a, b])[:, a != b], axis=1, return_counts=True)
    return {f"{names[i]} → {names[j]}": int(n) for (i, j), n in zip(pairs.T, counts, strict=True)}


def _counted(split: Split, dataset: PerturbDataset) -> dict[str, Any]:
    codes, obs = split.role_codes(), dataset.obs
    perturbed = ~obs.is_control
    conditions, perturbations, cells = {}, {}, {}
    for role in ROLES:
        rows = perturbed & (codes == CODE[role])
        conditions[role] = len(np.unique(dataset.conditions.of_row[rows]))
        perturbations[role] = len(np.unique(obs.pert.codes[rows]))
    for code, context in enumerate(obs.context.levels):
        here = codes[perturbed & (obs.context.codes == code)]
        cells[context] = {role: int((here == CODE[role]).sum()) for role in ROLES} | {
            "set aside": int((here < 0).sum())
        }
    return {"conditions": conditions, "perturbations": perturbations, "contexts": cells}
