"""What goes on which side of the wall, decided before a byte is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import EvalSplit
from harness.datasets.dataset import PerturbDataset
from harness.datasets.matching import draw_controls
from harness.datasets.obs import Labels, Pool
from harness.digest import seed_from
from harness.errors import HarnessError
from harness.splits.create import check_dataset
from harness.splits.split import ROLES, Split, compress
from harness.tasks.asked import LABELLED, Asked, asked_conditions
from harness.tasks.canaries import Surroundings, canary_truth, choose_canaries
from harness.tasks.invented import Inventor
from harness.tasks.queries import (
    QUERY_BYTES,
    Limit,
    Queries,
    choose_queries,
    pool_a_rows,
    rows_per_condition,
    starting_rows,
)
from harness.tasks.tables import Table
from harness.tasks.truth import SealedContext

NO_BATCH = "unknown"


@dataclass(frozen=True)
class Plan:
    """A task before it is written."""

    dataset: PerturbDataset
    split: Split
    eval_split: EvalSplit
    seed: int
    train_rows: NDArray[np.int64]  # [N], dataset rows, ascending
    contexts: list[str]
    """Every context that is labelled or asked for."""
    asked: list[Asked]
    """Everything asked for, canaries included, in the order of (context, perturbation, covariates)."""
    canary: NDArray[np.float32]  # [canaries, genes]
    queries: Queries
    rows_per_condition: int
    limited_by: Limit
    targets: dict[str, list[str]]
    """Target genes of every perturbation that is asked for."""
    notes: list[str]

    def share_of_known_genes(self) -> float:
        """Share of the asked-for perturbations with a target gene among the task's genes."""
        genes = set(self.dataset.genes)
        return sum(bool(genes.intersection(t)) for t in self.targets.values()) / len(self.targets)

    def references(self) -> dict[str, SealedContext]:
        """The control rows that truth deltas subtract, per context that is asked for."""
        role = self.split.role_codes()
        contexts = sorted({asked.condition.context for asked in self.asked})
        return {context: _reference(self.dataset, role, context) for context in contexts}


def plan_task(
    dataset: PerturbDataset,
    split: Split,
    eval_split: EvalSplit,
    *,
    seed: int,
    max_rows: int,
    max_bytes: int = QUERY_BYTES,
) -> Plan:
    """Decide what is labelled, what is asked, and from which rows it is to be predicted."""
    check_dataset(split, dataset)
    role = split.role_codes()
    asked, notes = asked_conditions(dataset, split, role, eval_split)
    labelled = _labelled_rows(dataset, role, eval_split, where=f"{dataset.name}:{split.name}")
    secret = seed_from(dataset.meta.arrays["X.npy"].sha256, split.frozen_hash, eval_split, seed)
    around = Surroundings(dataset, labelled, asked, secret)
    inventor = _inventor(dataset, around)
    paired = dataset.meta.matching.rule == "paired"
    canaries = [] if paired else choose_canaries(around, inventor)
    if paired:
        notes.append("no canaries: query rows of paired data are the own controls of test cells")
    elif not canaries:
        notes.append(
            "no canaries: every pair that could be asked for was measured, and none could be invented"
        )
    whole = [*asked, *(Asked(c, "canary", np.zeros(0, np.int64)) for c in canaries)]
    whole.sort(key=lambda a: a.condition)
    contexts = sorted({a.condition.context for a in whole})
    pools = pool_a_rows(dataset, role, contexts)
    starts = starting_rows(dataset, whole, pools)
    n_rows, limited_by = rows_per_condition(dataset, starts, max_rows=max_rows, max_bytes=max_bytes)
    labelled_contexts = {
        dataset.obs.context.levels[c] for c in np.unique(dataset.obs.context.codes[labelled])
    }
    given = pool_a_rows(dataset, role, sorted(labelled_contexts | set(contexts)))
    known = {**dataset.meta.perturbations, **inventor.genes_of}
    return Plan(
        dataset=dataset,
        split=split,
        eval_split=eval_split,
        seed=seed,
        train_rows=np.sort(np.concatenate([labelled, *given.values()])),
        contexts=list(given),
        asked=whole,
        canary=canary_truth(dataset, labelled, len(canaries), secret),
        queries=choose_queries(dataset, whole, starts, n_rows, seed),
        rows_per_condition=n_rows,
        limited_by=limited_by,
        targets={a.condition.pert: known.get(a.condition.pert, []) for a in whole},
        notes=notes,
    )


def train_table(plan: Plan) -> Table:
    """Labelled rows and pool-A controls, with the position of each row's control in this table."""
    dataset, rows = plan.dataset, plan.train_rows
    obs = dataset.obs
    # a control's role would tell whether its context is reported or kept for calibration, unless it is labelled
    is_val = np.isin(plan.split.role_codes()[rows], [ROLES.index(r) for r in LABELLED[plan.eval_split]])
    is_val &= plan.split.role_codes()[rows] == ROLES.index("val")
    columns: dict[str, Labels | NDArray[np.int64]] = {
        "row": np.arange(len(rows)),
        "pert_id": obs.pert.take(rows),
        "pert_genes": _genes_column(obs.pert.take(rows), dataset.meta.perturbations),
        "context_id": obs.context.take(rows),
        "batch_id": obs.batch.take(rows),
        "is_control": obs.is_control[rows].astype(np.int64),
        "role": Labels(is_val.astype(np.int32), ("train", "val")),
        "control_row": _control_rows(plan),
    }
    for name in obs.covariates:
        columns[name] = obs.covariate_text(name).take(rows)
    return Table(rows, columns)


def query_table(plan: Plan) -> Table:
    """The rows to predict from: what is asked of each, and the control cell it starts from."""
    obs, queries = plan.dataset.obs, plan.queries
    conditions = [asked.condition for asked in plan.asked]
    pert = _labels([c.pert for c in conditions], queries.condition)
    no_batch = len(obs.batch.levels)
    batch = np.where(queries.row >= 0, obs.batch.codes[queries.row], no_batch).astype(np.int32)
    columns: dict[str, Labels | NDArray[np.int64]] = {
        "row": np.arange(len(queries.row)),
        "pert_id": pert,
        "pert_genes": _genes_column(pert, plan.targets),
        "context_id": _labels([c.context for c in conditions], queries.condition),
        "batch_id": Labels(batch, (*obs.batch.levels, NO_BATCH)),
    }
    for place, name in enumerate(obs.intervention):
        columns[name] = _labels([c.covariates[place] for c in conditions], queries.condition)
    return Table(queries.row, columns)


def _labelled_rows(
    dataset: PerturbDataset, role: NDArray[np.int8], eval_split: EvalSplit, *, where: str
) -> NDArray[np.int64]:
    roles = [ROLES.index(name) for name in LABELLED[eval_split]]
    rows = np.flatnonzero(np.isin(role, roles) & ~dataset.obs.is_control)
    if not len(rows):
        raise HarnessError(
            "the split leaves nothing to learn from",
            where=where,
            got=f"no perturbed row has role {' or '.join(LABELLED[eval_split])}",
            mend="create a split with training rows",
        )
    return rows


def _inventor(dataset: PerturbDataset, around: Surroundings) -> Inventor:
    return Inventor(
        dataset.meta.perturbations,
        dataset.genes,
        seen={c.pert for c in around.seen},
        asked={c.pert for c in around.patterns},
    )


def _reference(dataset: PerturbDataset, role: NDArray[np.int8], context: str) -> SealedContext:
    mode = dataset.meta.pools.modes.get(context, "none")
    if mode == "none" or dataset.meta.matching.rule == "none":
        return SealedContext(mode="none", references=[])
    pools = [Pool.B, Pool.C] if mode == "cross-fit" else [Pool.B]
    rows = [dataset.pool_rows(context, pool) for pool in pools]
    rows = [r[role[r] >= 0] for r in rows]
    if not all(len(r) for r in rows):
        raise HarnessError(
            f"context {context!r} has no reference controls",
            where=dataset.path,
            expected="at least one pool-B control with a role",
            mend="give the controls of this context a role in the split, or set the context aside",
        )
    return SealedContext(mode=mode, references=[compress(r) for r in rows])


def _control_rows(plan: Plan) -> NDArray[np.int64]:
    """Position in the training table of each row's matched control; −1 where rows are deltas already."""
    dataset, rows = plan.dataset, plan.train_rows
    if dataset.meta.matching.rule == "none":
        return np.full(len(rows), -1, np.int64)
    place = np.full(dataset.n_obs, -1, np.int64)
    place[rows] = np.arange(len(rows))
    matched = np.where(dataset.obs.is_control, np.arange(dataset.n_obs), dataset.control)[rows]
    control = np.where(matched >= 0, place[np.maximum(matched, 0)], -1)
    lost = np.flatnonzero(control < 0)
    if len(lost):
        # the frozen match is a mean, or was set aside by the split: a control of the batch, or context, stands in
        given = np.flatnonzero(dataset.obs.is_control[rows])
        rng = np.random.default_rng(seed_from("rematch", plan.seed))
        context = dataset.obs.context.codes[rows].astype(np.int64)
        stratum = context * max(1, len(dataset.obs.batch.levels)) + dataset.obs.batch.codes[rows]
        for group in (stratum, context):
            lost = lost[control[lost] < 0]
            control[lost] = draw_controls(group[lost], group, given, rng)
    return control


def _genes_column(pert: Labels, targets: dict[str, list[str]]) -> Labels:
    return _labels(["+".join(targets.get(level, [])) for level in pert.levels], pert.codes)


def _labels(values: list[str], codes: NDArray[np.int32]) -> Labels:
    """A column from the value of each code; equal values become one level."""
    levels, place = np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)
    return Labels(place[codes].astype(np.int32), tuple(str(level) for level in levels))
