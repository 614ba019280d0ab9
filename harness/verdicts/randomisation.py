"""Whether predictions know a secret of random signs: the canaries' truth, or a marker planted in a private copy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.digest import seed_from
from harness.scoring.score_table import Floats

DRAWS = 9999
BLOCKS = 1024
"""Products are added up in so many random blocks before signs are changed."""


class Symmetry(NamedTuple):
    """Outcome of a test of symmetry about 0."""

    p: float
    """Two-sided, from DRAWS random sign changes."""
    statistic: float
    """Sum of products over the root of the sum of their squares; about standard normal where nothing was read."""
    n: int


def sign_symmetry(predicted: Floats, secret: Floats, *, name: str) -> Symmetry:
    """Whether predictions go along with (or against) a secret of random signs. [conditions, genes] each

    The secret was drawn symmetric about 0, so that each product is as likely to be positive as negative unless the
    predictions know it; the size of the predictions does not matter. `name` seeds the draws.
    """
    products = np.asarray(predicted * secret, np.float64).ravel()
    products = products[products != 0]
    if not len(products):
        return Symmetry(1.0, 0.0, 0)
    statistic = float(products.sum() / np.sqrt(np.square(products).sum()))
    rng = np.random.default_rng(seed_from("sign symmetry", name))
    blocks = _blocks(products, rng)
    observed, reached = abs(blocks.sum()), 0
    for start in range(0, DRAWS, BLOCKS):
        signs = rng.integers(0, 2, (min(BLOCKS, DRAWS - start), len(blocks))) * 2.0 - 1.0
        reached += int((np.abs(signs @ blocks) >= observed * (1 - 1e-12)).sum())
    return Symmetry((1 + reached) / (DRAWS + 1), statistic, len(products))


def _blocks(products: Floats, rng: np.random.Generator) -> NDArray[np.float64]:
    if len(products) <= BLOCKS:
        return products
    return np.bincount(rng.integers(0, BLOCKS, len(products)), products, BLOCKS).astype(np.float64)
