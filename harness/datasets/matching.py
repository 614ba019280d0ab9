"""The frozen control of each row: a pool-A cell of its context and batch, their mean, or the source's own pair."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.datasets.obs import Obs, Pool
from harness.digest import seed_from
from harness.errors import HarnessError

BLOCK_ROWS = 4096


class MeanGroups(NamedTuple):
    """Groups of pool-A controls whose mean stands as control."""

    of_row: NDArray[np.int64]  # [rows]; the group of each row
    members: list[NDArray[np.int64]]  # the control rows of each group


def match_cells(obs: Obs, seed: int) -> NDArray[np.int64]:
    """Row of the matched control for every row. [rows]

    A pool-A control is its own match; any other row gets a seeded pool-A cell of its context and batch, or of its
    context where that batch has none. A context without controls is refused.
    """
    pool_a = obs.in_pool(Pool.A)
    control = np.where(pool_a, np.arange(len(obs)), -1).astype(np.int64)
    n_batches = max(1, len(obs.batch.levels))
    stratum = obs.context.codes.astype(np.int64) * n_batches + obs.batch.codes
    rng = np.random.default_rng(seed_from("matching", seed))
    for group in (stratum, obs.context.codes.astype(np.int64)):
        open_rows = np.flatnonzero(control < 0)
        control[open_rows] = draw_controls(group[open_rows], group, np.flatnonzero(pool_a), rng)
    _refuse_unmatched(obs, control)
    return control


def match_means(obs: Obs) -> MeanGroups:
    """The group of each row: the pool-A controls of its context and batch, or of its context where the batch has none."""
    pool_a = np.flatnonzero(obs.in_pool(Pool.A))
    n_batches = max(1, len(obs.batch.levels))
    context = obs.context.codes.astype(np.int64)
    stratum = context * n_batches + obs.batch.codes
    of_row = np.full(len(obs), -1, np.int64)
    members: list[NDArray[np.int64]] = []
    for group in (stratum, context):
        for value in np.unique(group[of_row < 0]):
            donors = pool_a[group[pool_a] == value]
            if len(donors):
                of_row[(group == value) & (of_row < 0)] = len(members)
                members.append(donors)
    _refuse_unmatched(obs, of_row)
    return MeanGroups(of_row, members)


def group_mean(X: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of some rows, summed in double precision and in blocks. [genes]"""
    total = np.zeros(X.shape[1], np.float64)
    for start in range(0, len(rows), BLOCK_ROWS):
        total += X[rows[start : start + BLOCK_ROWS]].sum(axis=0, dtype=np.float64)
    return (total / len(rows)).astype(np.float32)


def match_pairs(obs: Obs, paired: NDArray[np.int64]) -> NDArray[np.int64]:
    """The control that the source names for each row, checked: a control of the same context; a control is its own."""
    control = np.where(obs.is_control, np.arange(len(obs)), paired).astype(np.int64)
    inside = (control >= 0) & (control < len(obs))
    _refuse_unmatched(obs, np.where(inside, control, -1))
    wrong = np.flatnonzero(~obs.is_control[control] | (obs.context.codes[control] != obs.context.codes))
    if len(wrong):
        row = int(wrong[0])
        raise HarnessError(
            f"{len(wrong)} rows are paired with a row that is no control of their context",
            got=f"row {row} ({obs.context.levels[obs.context.codes[row]]}) with row {int(control[row])}",
            expected="a control row of the same context",
            mend="mend the pairing in the source",
        )
    return control


def draw_controls(
    wanted: NDArray[np.int64], group: NDArray[np.int64], donors: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each wanted group a random donor row of that group, or −1."""
    donors = donors[np.argsort(group[donors], kind="stable")]
    start = np.searchsorted(group[donors], wanted, side="left")
    count = np.searchsorted(group[donors], wanted, side="right") - start
    pick = start + np.floor(rng.random(len(wanted)) * count).astype(np.int64)
    found = count > 0
    return np.where(found, donors[np.where(found, pick, 0)] if len(donors) else -1, -1)


def _refuse_unmatched(obs: Obs, control: NDArray[np.int64]) -> None:
    lost = np.flatnonzero(control < 0)
    if not len(lost):
        return
    names, counts = np.unique(obs.context.names(lost).astype(str), return_counts=True)
    listing = ", ".join(f"{name} ({n} rows)" for name, n in zip(names[:5], counts[:5], strict=True))
    raise HarnessError(
        f"{len(names)} context{'s have' if len(names) > 1 else ' has'} no control cells",
        got=listing,
        expected="at least one control cell in each context",
        mend="check the control label and the context column, or leave these contexts out",
    )
