"""Which cells a step sees: a pure function of the seed and the step, so that a run taken up again needs no memory of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MOST_BLOCK = 1024
"""Cells that lie together on disk."""
WINDOW = 64
"""Blocks whose cells are mixed with each other: what is read in a while is near enough to be kept by the system."""
HELD_OUT = 0.02
MOST_HELD_OUT = 4096


class Order:
    """The places of all cells, epoch after epoch, each time in another order; whole blocks are held out of it."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed = n, seed
        self.block = int(np.clip(n // 50, 1, MOST_BLOCK))
        starts = np.arange(0, n, self.block)
        drawn = np.random.default_rng([seed, 0]).permutation(len(starts))
        n_held = min(max(1, round(HELD_OUT * len(starts))), max(1, MOST_HELD_OUT // self.block))
        n_held = n_held if len(starts) > 1 else 0
        self._held, self._blocks = np.sort(starts[drawn[:n_held]]), np.sort(starts[drawn[n_held:]])
        self.length = int(self._sizes(self._blocks).sum())
        """Cells of an epoch."""
        self._epoch: Epoch | None = None

    @cached_property
    def held_out(self) -> NDArray[np.int64]:
        """Places that are never learned from. [held-out cells]"""
        return self._places(self._held)

    def take(self, first: int, count: int) -> NDArray[np.int64]:
        """Places `first` … `first + count` of the endless sequence. [count]"""
        found: list[NDArray[np.int64]] = []
        while count:
            epoch, offset = divmod(first, self.length)
            part = self._of(epoch).take(offset, min(count, self.length - offset))
            found.append(part)
            first, count = first + len(part), count - len(part)
        return np.concatenate(found)

    def _of(self, epoch: int) -> Epoch:
        if self._epoch is None or self._epoch.number != epoch:
            blocks = np.random.default_rng([self.seed, 1, epoch]).permutation(self._blocks)
            self._epoch = Epoch(self, epoch, blocks)
        return self._epoch

    def _places(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        parts = [np.arange(start, min(start + self.block, self.n)) for start in blocks]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _sizes(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(blocks + self.block, self.n) - blocks


@dataclass
class Epoch:
    """One pass over the cells: blocks in random order, the cells of a window of blocks mixed."""

    order: Order
    number: int
    blocks: NDArray[np.int64]
    window: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where each window begins, and the end. [windows + 1]"""
        ends = np.cumsum(self.order._sizes(self.blocks))
        return np.concatenate(
            [[0], ends[WINDOW - 1 :: WINDOW], ends[-1:] if len(ends) % WINDOW else []]
        ).astype(np.int64)

    def take(self, first: int, count: int) -> NDArray[np.int64]:
        """Places of this pass. [count]"""
        found: list[NDArray[np.int64]] = []
        while count:
            number = int(np.searchsorted(self.bounds, first, side="right")) - 1
            offset = first - int(self.bounds[number])
            part = self._mixed(number)[offset : offset + count]
            found.append(part)
            first, count = first + len(part), count - len(part)
        return np.concatenate(found)

    def _mixed(self, number: int) -> NDArray[np.int64]:
        if self.window[0] != number:
            places = self.order._places(self.blocks[number * WINDOW : (number + 1) * WINDOW])
            rng = np.random.default_rng([self.order.seed, 2, self.number, number])
            self.window = (number, rng.permutation(places))
        return self.window[1]
