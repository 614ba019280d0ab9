"""Many tests at once: Benjamini–Hochberg within a declared family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import HarnessError
from harness.statistics.design import Floats


@dataclass(frozen=True)
class Family:
    """Adjusted p-values of tests that were declared together."""

    p: tuple[float, ...]
    q: tuple[float, ...]
    """In the order of `p`: the smallest false discovery rate at which each test would be called a discovery."""

    @property
    def size(self) -> int:
        return len(self.p)


def benjamini_hochberg(p: Sequence[float] | Floats) -> Family:
    r"""Adjusted p-values, $q_{(i)} = \min_{j \ge i} \min(1, p_{(j)} m / j)$ (Benjamini & Hochberg 1995).

    A test that could not be done is no member: leave it out, do not hand over NaN.
    """
    values = np.asarray(p, np.float64)
    if values.ndim != 1 or not values.size:
        raise HarnessError("a family has no tests", got=f"shape {values.shape}", expected="one p per test")
    if not ((values >= 0) & (values <= 1)).all():
        raise HarnessError(
            "a p-value lies outside of 0 to 1",
            got=values[~((values >= 0) & (values <= 1))][0],
            mend="leave tests that could not be done out of the family",
        )
    order = np.argsort(values, kind="stable")
    raised = values[order] * values.size / np.arange(1, values.size + 1)
    q = np.empty_like(values)
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return Family(tuple(values.tolist()), tuple(q.tolist()))
