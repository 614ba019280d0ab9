"""What a comparison could have found: the minimum detectable difference, and when that is too much."""

from __future__ import annotations

import math

from scipy.special import stdtrit

from harness.statistics.intervals import Interval

POWER = 0.8
SMALL_SHARE = 0.1
"""Of the span from baseline to replicate: a difference that a comparison has to be able to see."""
MARGIN_SHARE = 0.05
"""Of the same span: what may be lost by something that is called as good."""


def minimum_detectable_difference(
    se: float, freedom: float = math.inf, *, level: float = 0.95, power: float = POWER
) -> float:
    r"""$(t_{(1+level)/2} + t_{power}) \cdot se$: found in so many of 100 repetitions. About $2.8 \cdot sd/\sqrt{P}$.

    `se` and `freedom` are those of an `Interval`; NaN where that has none.
    """
    return float((stdtrit(freedom, (1 + level) / 2) + stdtrit(freedom, power)) * se)


def underpowered(interval: Interval, span: float) -> bool:
    """Whether a comparison could not have seen a tenth of the span from baseline to replicate.

    Without a finite span above 0, or without an interval, nothing can be seen: true.
    """
    detectable = minimum_detectable_difference(interval.se, interval.freedom, level=interval.level)
    return not (math.isfinite(detectable) and span > 0 and detectable <= SMALL_SHARE * span)


def non_inferior(interval: Interval, span: float) -> bool:
    """Whether the interval excludes a loss of a twentieth of the span from baseline to replicate."""
    return span > 0 and interval.low > -MARGIN_SHARE * span
