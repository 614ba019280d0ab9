"""Controls whose score is known without computing it: where one is off, the metric is broken and nothing may be believed."""

from __future__ import annotations

import math

import numpy as np

from harness.controls.control_set import ControlScore, ControlSet
from harness.errors import HarnessError

TOLERANCE = 1e-6
NO_EFFECT = {"calibrated.error_ratio": 1.0, "calibrated.retrieval": 0.5, "collapse.norm_ratio": 0.0}
"""What no effect scores. The noise of the truth is taken off above and below, so the ratio is 1 whatever it is; equal
predictions share all ranks. A ratio whose conditions have no effect beyond noise does not exist, and is passed over."""
ORACLE_EFFECTS = {"calibrated.mse": 0.0, "calibrated.pcc_delta": 1.0, "calibrated.pcc_delta_centred": 1.0}
"""What the truth as effects scores, to the precision of the float32 that predictions are."""


def check_controls(controls: ControlSet) -> None:
    """Refuse to go on where a control that is known analytically is off."""
    none, oracle = controls.get("control_only"), controls.get("oracle")
    if none is not None and none.tables:
        for metric, expected in NO_EFFECT.items():
            if metric != "calibrated.retrieval" or _all_defined(none, metric):
                _check("no effect", metric, none.overall(metric), expected)
    if oracle is not None and "effects" in oracle.replicates:
        table = oracle.replicates["effects"]
        for metric, expected in ORACLE_EFFECTS.items():
            _check("the truth itself", metric, table.overall.get(metric, math.nan), expected)


def _all_defined(score: ControlScore, metric: str) -> bool:
    """Ranks average to a half only where nothing is left out."""
    return all(
        metric in table.values and not np.isnan(table.of_kind().values[metric]).any()
        for table in score.tables
    )


def _check(what: str, metric: str, found: float, expected: float) -> None:
    if math.isnan(found) or abs(found - expected) <= TOLERANCE:
        return
    raise HarnessError(
        f"a metric is broken: {what} does not score what it must",
        where=metric,
        got=repr(found),
        expected=f"{expected} to within {TOLERANCE:g}",
        mend="nothing that this version of the metric scored may be believed; compare harness metrics show "
        + metric,
    )
