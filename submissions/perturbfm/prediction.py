"""What a learned submission says of conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbfm.conditions import Floats


@dataclass(frozen=True)
class Prediction:
    """Mean and variance of each condition's effect."""

    mean: Floats
    """[conditions, genes]"""
    var: Floats
    """Of the effect, all of it. [conditions, genes]"""
    supported: NDArray[np.uint8]
    epistemic: Floats | None = None
    """The part of `var` in which members of an ensemble differ. [conditions, genes]"""
