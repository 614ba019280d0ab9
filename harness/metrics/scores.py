"""Values of many conditions at once, with the reason where one does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """One value per condition; NaN where it is undefined, with the reason by position."""

    values: NDArray[np.float64]  # [conditions]
    reasons: Mapping[int, str] = field(default_factory=dict)
