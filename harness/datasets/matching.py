"""The frozen control of each row: a seeded pool-A cell of the same context and batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.obs import Obs, Pool
from harness.digest import seed_from
from harness.errors import HarnessError


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
        control[open_rows] = _draw(group[open_rows], group, np.flatnonzero(pool_a), rng)
    _refuse_unmatched(obs, control)
    return control


def _draw(
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
