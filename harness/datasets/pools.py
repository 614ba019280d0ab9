"""Three disjoint control pools per context, so that truth and prediction never subtract the same cells.

If a prediction and the truth subtract one shared control mean, two unrelated profiles correlate (0.80 with 50 controls);
if a model is handed the very control that its row's delta subtracts, echoing it back scores 0.71. Pool A is what models
see, pool B is the reference of every truth delta, pool C serves replicates and calibration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.meta import ControlMode
from harness.datasets.obs import Labels, Pool
from harness.digest import seed_from

SHARES = ((Pool.A, 0.4), (Pool.B, 0.3), (Pool.C, 0.3))
FULL_POOLS = 30
SHARED_BELOW = 6


def deal_controls(
    context: Labels, batch: Labels, is_control: NDArray[np.bool_], seed: int, *, shared: bool = False
) -> tuple[NDArray[np.uint8], dict[str, ControlMode]]:
    """Deal the controls of each context into pools, seeded and stratified by batch.

    With `shared` every control is in all pools: the source paired rows with controls, so no control can be held back.
    Returns the pool bits per row and the mode of each context.
    """
    pool = np.zeros(len(is_control), np.uint8)
    modes: dict[str, ControlMode] = {}
    for code, name in enumerate(context.levels):
        rows = np.flatnonzero(is_control & (context.codes == code))
        if shared or len(rows) < SHARED_BELOW:
            modes[name] = "shared-controls" if len(rows) else "none"
            pool[rows] = Pool.A | Pool.B | Pool.C
            continue
        modes[name] = "three-pool" if len(rows) >= FULL_POOLS else "cross-fit"
        rng = np.random.default_rng(seed_from("pools", seed, name))
        pool[_stratified(rows, batch.codes[rows], rng)] = _deck(len(rows))
    return pool, modes


def _stratified(
    rows: NDArray[np.int64], batch: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows batch by batch, batches and rows within them in random order.

    Each prefix of the deck holds the shares to within one card, so each run of it, a batch, does to within two. (Taking
    batches in turn would not do: turns and deck may fall into step and give a batch to one pool.)
    """
    batches, of_row = np.unique(batch, return_inverse=True)
    turn = rng.permutation(len(batches))
    shuffled = rng.permutation(len(rows))
    return rows[shuffled[np.argsort(turn[of_row[shuffled]], kind="stable")]]


def _deck(n: int) -> NDArray[np.uint8]:
    """The pools of n cards in dealing order: each prefix holds the shares as evenly as whole cards allow."""
    shares = np.array([share for _, share in SHARES])
    bits = np.array([pool.value for pool, _ in SHARES], np.uint8)
    dealt = np.zeros(len(shares))
    deck = np.empty(n, np.uint8)
    for card in range(n):
        due = int(np.argmax(shares * (card + 1) - dealt))
        dealt[due] += 1
        deck[card] = bits[due]
    return deck
