"""Whether a task is within what a submission claims to do, decided before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.contract.manifest import Claims
from harness.contract.task import EvalSplit
from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Condition
from harness.splits.constituents import constituents
from harness.splits.split import ROLES, Split
from harness.tasks.asked import LABELLED, asked_conditions


def declined_because(
    claims: Claims,
    dataset: PerturbDataset,
    split: Split,
    eval_split: EvalSplit,
    graphs: Sequence[Path],
) -> list[str]:
    """What the task needs and the submission does not claim, a sentence each; empty: it may run."""
    asked = [one.condition for one in asked_conditions(dataset, split, split.role_codes(), eval_split)[0]]
    labelled = _labelled_conditions(dataset, split, eval_split)
    parts = constituents(dataset)
    seen_contexts = {condition.context for condition in labelled}
    seen_parts = {part for condition in labelled for part in parts[condition.pert]}
    seen_perts = {condition.pert for condition in labelled}
    reasons = []
    contexts = {condition.context for condition in asked} - seen_contexts
    if contexts and not claims.unseen_contexts:
        reasons.append(f"the task asks for contexts without labelled cells ({_some(contexts)})")
    unseen = {c.pert for c in asked if any(part not in seen_parts for part in parts[c.pert])}
    if unseen and not claims.unseen_perturbations:
        reasons.append(f"the task asks for perturbations that training never showed ({_some(unseen)})")
    combined = {c.pert for c in asked if len(parts[c.pert]) > 1 and c.pert not in seen_perts}
    if combined and not claims.combinations:
        reasons.append(f"the task asks for combinations that training never showed ({_some(combined)})")
    return reasons + _missing_inputs(claims, dataset, graphs)


def _missing_inputs(claims: Claims, dataset: PerturbDataset, graphs: Sequence[Path]) -> list[str]:
    there = {"expression": True, "graph": bool(graphs), "counts": dataset.counts is not None}
    there |= dict.fromkeys(dataset.obsm, True)
    return [
        f"the submission reads {name!r}, which this task does not have"
        for name in claims.inputs
        if not there.get(name, False)
    ]


def _labelled_conditions(dataset: PerturbDataset, split: Split, eval_split: EvalSplit) -> list[Condition]:
    codes = [ROLES.index(role) for role in LABELLED[eval_split]]
    of_row = dataset.conditions.of_row[np.isin(split.role_codes(), codes)]
    return [dataset.conditions.table[i] for i in np.unique(of_row[of_row >= 0])]


def _some(names: set[str], shown: int = 3) -> str:
    listed = sorted(names)
    return ", ".join(listed[:shown]) + (f", … {len(listed)} in all" if len(listed) > shown else "")
