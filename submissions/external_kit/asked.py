"""What a task asks for, condition by condition, and what training showed of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Condition, Task


class Asked(NamedTuple):
    """One condition of the query."""

    condition: Condition
    rows: NDArray[np.int64]
    """Its places in the query table."""
    pert_seen: bool
    """Training has cells of this perturbation, in whichever context and at whichever dose."""
    covariates_seen: bool
    """Training has cells of this perturbation at this very dose, time, …"""
    context_seen: bool
    """Training has perturbed cells of this context."""
    parts: tuple[str, ...]
    """For a combination: the labels of the single perturbations that make it up; empty where training lacks one."""


def asked(task: Task) -> list[Asked]:
    """The conditions of the query in name order."""
    known = task.conditions("train").table
    perts = {condition.pert for condition in known}
    exact = {(condition.pert, condition.covariates) for condition in known}
    contexts = {condition.context for condition in known}
    single = {condition.genes[0]: condition.pert for condition in known if len(condition.genes) == 1}
    conditions = task.conditions()
    return [
        Asked(
            condition,
            conditions.rows(i),
            condition.pert in perts,
            (condition.pert, condition.covariates) in exact,
            condition.context in contexts,
            _parts(condition, single),
        )
        for i, condition in enumerate(conditions.table)
    ]


def _parts(condition: Condition, single: dict[str, str]) -> tuple[str, ...]:
    if len(condition.genes) < 2 or not all(gene in single for gene in condition.genes):
        return ()
    return tuple(single[gene] for gene in condition.genes)
