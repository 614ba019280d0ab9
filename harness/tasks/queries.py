"""Query rows: for each condition that is asked for the same number of pool-A controls, chosen without its test cells.

How many cells a condition has, their totals, batches and order tell how strong its effect is; so a query row depends on
the condition's name, the controls and the seed, and on nothing that was measured of the condition. Paired data are the
one exception: their query rows are the own controls of test cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.digest import seed_from
from harness.errors import HarnessError
from harness.tasks.asked import Asked
from harness.tasks.tables import arrays_of

QUERY_BYTES = 4 << 30
"""Budget for the arrays of a query table, unless another is told; rows per condition come down to hold it."""
Limit = Literal["max_rows", "pool_a", "byte_budget", "profile", "paired"]


@dataclass(frozen=True)
class Queries:
    """The query table before it is written."""

    condition: NDArray[np.int32]  # [Q], position in the list of conditions
    row: NDArray[np.int64]  # [Q], dataset row of the control cell; −1: none


def pool_a_rows(
    dataset: PerturbDataset, role: NDArray[np.int8], contexts: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """The pool-A controls with a role, by context; a context without any is refused unless the data have no controls."""
    pools = {}
    for context in contexts:
        rows = dataset.pool_rows(context, Pool.A)
        pools[context] = rows[role[rows] >= 0]
    empty = [context for context, rows in pools.items() if not len(rows)]
    if empty and dataset.meta.matching.rule != "none":
        raise HarnessError(
            f"{len(empty)} context{'s have' if len(empty) > 1 else ' has'} no control cell to start from",
            got=", ".join(empty[:5]),
            expected="at least one pool-A control with a role in each context of the task",
            mend="give the controls of these contexts a role in the split, or set the contexts aside",
        )
    return pools


def starting_rows(
    dataset: PerturbDataset, asked: Sequence[Asked], pools: Mapping[str, NDArray[np.int64]]
) -> list[NDArray[np.int64]]:
    """The control rows that each condition may start from: its context's pool A, or the own controls of paired cells."""
    if dataset.meta.matching.rule == "paired":
        return [np.unique(dataset.control[a.rows]) for a in asked]
    return [pools[a.condition.context] for a in asked]


def rows_per_condition(
    dataset: PerturbDataset,
    starts: Sequence[NDArray[np.int64]],
    *,
    max_rows: int,
    max_bytes: int,
) -> tuple[int, Limit]:
    """R, the same for every condition, and what it was limited by."""
    if dataset.meta.unit == "profile" or not any(len(rows) for rows in starts):
        return 1, "profile"
    paired = dataset.meta.matching.rule == "paired"
    limits: list[tuple[int, Limit]] = [
        (max_rows, "max_rows"),
        (min(len(rows) for rows in starts), "paired" if paired else "pool_a"),
    ]
    row_bytes = sum(array.shape[1] * array.dtype.itemsize for array in arrays_of(dataset).values())
    limits.append((max(1, max_bytes // (row_bytes * len(starts))), "byte_budget"))
    return min(limits, key=lambda limit: limit[0])


def choose_queries(
    dataset: PerturbDataset,
    asked: Sequence[Asked],
    starts: Sequence[NDArray[np.int64]],
    n_rows: int,
    seed: int,
) -> Queries:
    """R distinct control cells per condition, then all rows in an order that is drawn from the seed alone.

    `asked` must be sorted by condition: who knows the seed can undo the order, which must then say nothing.
    """
    chosen = np.full((len(asked), n_rows), -1, np.int64)
    for index, (question, start) in enumerate(zip(asked, starts, strict=True)):
        if len(start):
            rng = np.random.default_rng(seed_from("query rows", seed, *question.condition))
            chosen[index] = _draw(start, dataset.obs.batch.codes[start], n_rows, rng)
    order = np.random.default_rng(seed_from("query order", seed)).permutation(chosen.size)
    condition = np.repeat(np.arange(len(asked), dtype=np.int32), n_rows)
    return Queries(condition=condition[order], row=chosen.reshape(-1)[order])


def _draw(
    pool: NDArray[np.int64], batch: NDArray[np.int32], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Distinct rows of a pool, batches in the pool's proportion (largest remainders, ties by lot)."""
    _, inverse, sizes = np.unique(batch, return_inverse=True, return_counts=True)
    exact = n * sizes / len(pool)
    quota = np.floor(exact).astype(np.int64)
    by_remainder = np.lexsort((rng.random(len(sizes)), -(exact - quota)))
    quota[by_remainder[: n - int(quota.sum())]] += 1
    return np.concatenate(
        [rng.permutation(pool[inverse == code])[: quota[code]] for code in range(len(sizes))]
    )
