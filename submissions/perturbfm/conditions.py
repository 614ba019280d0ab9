"""What the training rows of a task say, condition by condition: mean deltas, control states, sampling noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Condition, Table, Task

if TYPE_CHECKING:
    from perturbfm.reach import Reached

Floats = NDArray[np.float64]
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Training:
    """The training conditions of a task."""

    genes: list[str]
    table: list[Condition]
    """In the order of their first training row."""
    delta: Floats
    """Mean delta of each condition. [conditions, genes]"""
    n_rows: Floats
    """Rows behind each mean delta. [conditions]"""
    n_controls: Floats
    """Control rows whose mean, and its error, the conditions of a context share; ∞ for own controls. [conditions]"""
    spread: Floats
    """Variance of a row within its condition, 0 where rows have no replicates. [genes]"""
    axis: str
    """What the asked-for conditions are mostly new in: `context`, `perturbation`, `combination` or `condition`."""
    states: dict[str, Floats]
    """Mean control expression of every context, also of those without labelled rows. [genes] each"""
    reached: Reached | None = None
    """What perturbed genes reach over graphs, for starts that read it."""

    def subset(self, keep: NDArray[np.bool_]) -> Training:
        """The same task with fewer labelled conditions."""
        table = [condition for condition, kept in zip(self.table, keep, strict=True) if kept]
        return replace(
            self,
            table=table,
            delta=self.delta[keep],
            n_rows=self.n_rows[keep],
            n_controls=self.n_controls[keep],
        )

    def state(self, context: str) -> Floats:
        """Mean control expression of a context; of all contexts where this one has no controls. [genes]"""
        return self.states[context] if context in self.states else np.mean(list(self.states.values()), axis=0)

    def mean(self) -> Floats:
        """The mean delta over all conditions; zero where there are none. [genes]"""
        return self.delta.mean(axis=0) if len(self.table) else np.zeros(len(self.genes))


def read_training(task: Task) -> Training:
    """Group the training rows of a task by condition, reading each row once."""
    found = task.conditions("train")
    rows = task.perturbed_rows
    group = found.of_row[rows]
    in_order = np.unique(group, return_index=True)[1].argsort()  # by first row, so that names do not matter
    rank = np.empty(len(found), np.int64)
    rank[in_order] = np.arange(len(found))
    group = rank[group]
    delta, spread, n_rows = _mean_delta(task, rows, group, len(found))
    n_controls = _controls_used(task, rows, group, len(found))
    table = [found.table[i] for i in in_order]
    axis = main_axis(table, task.conditions().table)
    return Training(task.genes, table, delta, n_rows, n_controls, spread, axis, control_states(task))


def novelty(known: Sequence[Condition], asked: Sequence[Condition]) -> list[str]:
    """What is new in each asked-for condition: `context`, `perturbation`, `combination`, or just the `condition` itself."""
    contexts, perturbations = {c.context for c in known}, {c.pert for c in known}

    def kind(condition: Condition) -> str:
        if condition.pert not in perturbations:
            return "combination" if len(condition.genes) > 1 else "perturbation"
        return "condition" if condition.context in contexts else "context"

    return [kind(condition) for condition in asked]


def folds_of(training: Training, axis: str, n: int) -> NDArray[np.int64]:
    """The fold in which a condition is left out, −1 for never; whole units of the axis share a fold. [conditions]

    An axis with fewer than two units cannot be left out: then conditions are.
    """
    units = [_unit(condition, axis) for condition in training.table]
    position = {u: i for i, u in enumerate(dict.fromkeys(u for u in units if u is not None))}
    if len(position) < 2 and axis != "condition":
        return folds_of(training, "condition", n)
    return np.array([position[u] % n if u is not None else -1 for u in units], np.int64)


def _unit(condition: Condition, axis: str) -> Hashable:
    if axis == "combination":
        return condition.pert if len(condition.genes) > 1 else None
    return {"context": condition.context, "perturbation": condition.pert, "condition": condition}[axis]


def main_axis(known: Sequence[Condition], asked: Sequence[Condition]) -> str:
    """The commonest novelty of the asked-for conditions; `condition` where others are fewer than a tenth."""
    kinds = Counter(novelty(known, asked))
    real = {kind: n for kind, n in kinds.items() if kind != "condition" and n >= 0.1 * len(asked)}
    return max(sorted(real), key=real.__getitem__, default="condition")


def control_states(task: Task) -> dict[str, Floats]:
    """Mean control expression of each context: its training controls, or the query rows where it has none. [genes] each"""
    states = _means_by_context(task.train, np.flatnonzero(task.train.obs["is_control"]))
    bare = np.flatnonzero(~np.isin(task.query.obs["context_id"].astype(str), list(states)))
    return {**states, **_means_by_context(task.query, bare)}


def _means_by_context(table: Table, rows: NDArray[np.int64]) -> dict[str, Floats]:
    contexts, codes = np.unique(table.obs["context_id"][rows].astype(str), return_inverse=True)
    total = np.zeros((len(contexts), len(table.genes)))
    for block in _blocks(len(rows)):
        for code in np.unique(codes[block]):
            total[code] += table.X[rows[block][codes[block] == code]].sum(axis=0, dtype=np.float64)
    count = np.bincount(codes, minlength=len(contexts))
    return {str(context): total[i] / count[i] for i, context in enumerate(contexts)}


def _mean_delta(
    task: Task, rows: NDArray[np.int64], group: NDArray[np.int64], n: int
) -> tuple[Floats, Floats, Floats]:
    """Mean delta per condition, pooled variance of a row within its condition per gene, rows per condition."""
    reference, of_row = _references(task, rows)
    order = np.argsort(group, kind="stable")
    total = np.zeros((n, len(task.genes)))
    squares = np.zeros(len(task.genes))
    for block in _blocks(len(order)):
        chosen = order[block]
        if reference is None:
            values = task.train_delta(rows[chosen]).astype(np.float64)
        else:
            values = task.train.X[rows[chosen]] - reference[of_row[chosen]]
        starts = np.flatnonzero(np.diff(group[chosen], prepend=-1))
        total[group[chosen][starts]] += np.add.reduceat(values, starts, axis=0)
        squares += (values**2).sum(axis=0)
    n_rows = np.bincount(group, minlength=n)
    mean = total / np.maximum(n_rows, 1)[:, None]
    freedom = int(n_rows.sum() - (n_rows > 0).sum())
    spread = squares - (n_rows[:, None] * mean**2).sum(axis=0)
    within = np.maximum(spread, 0) / freedom if freedom > 0 else np.zeros_like(squares)
    return mean, within, n_rows.astype(np.float64)


def _references(task: Task, rows: NDArray[np.int64]) -> tuple[Floats | None, NDArray[np.int64]]:
    """What to subtract from each row: the mean of its context's and batch's controls, which is less noisy than one cell.

    None where the frozen matching rules.
    """
    obs = task.train.obs
    matched = obs["control_row"][rows]
    if _own_controls(matched):
        return None, matched
    groups, of_control = np.unique(_stratum(task, matched), return_inverse=True)
    controls = np.flatnonzero(obs["is_control"])
    stratum = _stratum(task, controls)
    means = [task.train.X[controls[stratum == name]].mean(axis=0, dtype=np.float64) for name in groups]
    return np.stack(means), of_control


def _own_controls(matched: NDArray[np.int64]) -> bool:
    """Whether every row has a control of its own (paired data), or is a delta already."""
    return len(np.unique(matched)) == len(matched) or bool((matched < 0).any())


def _stratum(task: Task, rows: NDArray[np.int64]) -> NDArray[np.str_]:
    obs = task.train.obs
    pairs = zip(obs["context_id"][rows].tolist(), obs["batch_id"][rows].tolist(), strict=True)
    return np.array(["\t".join(pair) for pair in pairs], dtype=str)


def _controls_used(task: Task, rows: NDArray[np.int64], group: NDArray[np.int64], n: int) -> Floats:
    """How many control rows the conditions of a context share. [conditions]"""
    matched = task.train.obs["control_row"][rows]
    used = np.full(n, np.inf)
    if not _own_controls(matched):
        contexts = task.train.obs["context_id"]
        for context in set(contexts[rows]):
            used[group[contexts[rows] == context]] = len(np.unique(matched[contexts[rows] == context]))
    return used


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK_ROWS, n)) for start in range(0, n, _BLOCK_ROWS))
