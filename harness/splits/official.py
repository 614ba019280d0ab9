"""What imported splits share: the rules that they must keep, and what is out of distribution in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import UnknownNameError
from harness.splits.assignment import TEST, TRAIN, VAL
from harness.splits.constituents import constituents
from harness.splits.leaks import Rule, conditions_apart

PERTURBENCH = "perturbench-csv"
STATE = "state-toml"


def rules(regime: str, params: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The promises of an imported split: conditions apart, unless it was said to divide cells within conditions."""
    if regime not in (PERTURBENCH, STATE):
        raise UnknownNameError("regime", regime, (PERTURBENCH, STATE))
    return () if params.get("within_conditions") else (conditions_apart,)


def infer_axes(dataset: PerturbDataset, role_of: NDArray[np.int8]) -> tuple[str, ...]:
    """What the reported cells have that training cells do not: contexts, constituents, combinations, doses, times."""
    obs, table = dataset.obs, dataset.conditions.table
    hidden_role = TEST if np.any((role_of == TEST) & ~obs.is_control) else VAL
    trained = [table[i] for i in _conditions(dataset, role_of == TRAIN)]
    asked = [table[i] for i in _conditions(dataset, role_of == hidden_role)]
    made_of = constituents(dataset)
    seen = {
        "context": {c.context for c in trained},
        "perturbation": {part for c in trained for part in made_of[c.pert]},
        "combination": {c.pert for c in trained},
    }
    axes = []
    if any(c.context not in seen["context"] for c in asked):
        axes.append("context")
    if any(part not in seen["perturbation"] for c in asked for part in made_of[c.pert]):
        axes.append("perturbation")
    if any(len(made_of[c.pert]) > 1 and c.pert not in seen["combination"] for c in asked):
        axes.append("combination")
    pairs = {(c.context, c.pert) for c in trained}
    for place, name in enumerate(obs.intervention):
        values = {(c.pert, c.covariates[place]) for c in trained}
        if name in ("dose", "time") and any(
            c.pert in seen["combination"] and (c.pert, c.covariates[place]) not in values for c in asked
        ):
            axes.append(name)
    if not axes and any((c.context, c.pert) not in pairs for c in asked):
        axes.append("context")
    return tuple(axes)


def _conditions(dataset: PerturbDataset, rows: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.unique(dataset.conditions.of_row[rows & ~dataset.obs.is_control])
