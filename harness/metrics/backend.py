"""Where the heavy kernels run: numpy, which is the tested truth, or torch on the device that `HARNESS_DEVICE` names.

Both work in float64, so that their results agree far beyond what a metric shows.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

VARIABLE = "HARNESS_DEVICE"
NUMPY, TORCH = "cpu", "torch"
"""`cpu` (or nothing) is numpy, `torch` is torch without a GPU, all else (`cuda`, `cuda:1`) is a device of torch."""
BLOCK_PAIRS = 1 << 14
Matrix = NDArray[np.float64]


class Scalings(NamedTuple):
    """Scalings of a Gibbs kernel, and how they were found."""

    u: Matrix  # [rows]
    v: Matrix  # [columns]
    mass: float
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Accelerator:
    """Torch with a device."""

    torch: Any
    device: str

    def squared_distances(self, x: Matrix, y: Matrix, *, same: bool, cancelled: float) -> Matrix:
        """As `pairwise.squared_distances`."""
        return self._numpy(self._squared(self._tensor(x), self._tensor(y), same, cancelled))

    def sum_of_distances(self, x: Matrix, y: Matrix, *, same: bool, cancelled: float, rows: int) -> float:
        """Σ |x_i − y_j| over all pairs, a block of rows at a time; `same` says that y is x."""
        left, right = self._tensor(x), self._tensor(y)
        total = 0.0
        for start in range(0, len(x), rows):
            block = left[start : start + rows]
            if same:
                total += float(self._squared(block, block, True, cancelled).sqrt().sum())
            rest = right[start + rows :] if same else right
            if len(rest):
                total += (1 + same) * float(self._squared(block, rest, False, cancelled).sqrt().sum())
        return total

    def product(self, x: Matrix, y: Matrix) -> Matrix:
        return self._numpy(self._tensor(x) @ self._tensor(y).T)

    def scale(self, kernel: Matrix, *, every: int, most: int, threshold: float) -> Scalings:
        """Sinkhorn's iterations on a kernel between uniform samples, as `sinkhorn` does them."""
        k = self._tensor(kernel)
        n, m = k.shape
        u, v = self.torch.ones_like(k[:, 0]), self.torch.ones_like(k[0])
        iteration, converged = 0, False
        while iteration < most and not converged:
            for _ in range(every):
                v = (1 / m) / (u @ k)
                u = (1 / n) / (k @ v)
            iteration += every
            converged = float((v * (u @ k) - 1 / m).abs().sum()) < threshold
        mass = float(u @ k @ v)
        return Scalings(self._numpy(u), self._numpy(v), mass, iteration, converged)

    def _squared(self, x: Any, y: Any, same: bool, cancelled: float) -> Any:
        norms = (x * x).sum(1)[:, None] + (y * y).sum(1)
        squared = norms - 2 * (x @ y.T)
        lost = squared < cancelled * norms
        if same:
            lost.fill_diagonal_(False)
        rows, columns = self.torch.nonzero(lost, as_tuple=True)
        for start in range(0, len(rows), BLOCK_PAIRS):
            i, j = rows[start : start + BLOCK_PAIRS], columns[start : start + BLOCK_PAIRS]
            squared[i, j] = ((x[i] - y[j]) ** 2).sum(1)
        if same:
            squared.fill_diagonal_(0.0)
        return squared.clamp_(min=0.0)

    def _tensor(self, values: Matrix) -> Any:
        whole = np.ascontiguousarray(values, np.float64)
        return self.torch.as_tensor(whole if whole.flags.writeable else whole.copy(), device=self.device)

    def _numpy(self, tensor: Any) -> Matrix:
        return np.asarray(tensor.cpu().numpy(), np.float64)


def device() -> str:
    """What the environment asks for; part of the name under which kept results are found."""
    return os.environ.get(VARIABLE) or NUMPY


def accelerator() -> Accelerator | None:
    """Torch on the device that was asked for; None where numpy does the work."""
    return None if device() == NUMPY else _open(device())


def product(x: Matrix, y: Matrix) -> Matrix:
    """The matrix product of x and the transpose of y."""
    gpu = accelerator()
    return np.asarray(x @ y.T) if gpu is None else gpu.product(x, y)


@lru_cache
def _open(asked: str) -> Accelerator:
    try:
        # the harness works without torch: it is looked for only here, and only when a device was asked for
        torch = importlib.import_module("torch")
        name = NUMPY if asked == TORCH else asked
        torch.zeros(1, device=name)
    except (ImportError, RuntimeError, AssertionError) as error:
        raise HarnessError(
            "the device that was asked for cannot be used",
            where=VARIABLE,
            got=f"{asked!r}: {str(error).splitlines()[0]}",
            expected=f"{NUMPY}, {TORCH}, cuda, cuda:0, …",
            mend=f"unset {VARIABLE}, or install the extra `models` on a machine with that device",
        ) from None
    return Accelerator(torch, name)
