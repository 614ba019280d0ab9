"""Gates that put a run on hold: it knows what only the sealed truth could have told it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import bdtrc

from harness.controls.canary import HELD_BELOW
from harness.scoring.score_table import Floats
from harness.statistics.intervals import Interval, paired_intervals
from harness.verdicts.gates_case import NO_CONTROLS, Case, Gate, paired, passed, skipped

ERROR, RATIO, CORRELATION = "calibrated.mse", "calibrated.error_ratio", "calibrated.pcc_delta"
COPIED = 0.1
"""Of the noise of a condition's truth: an error below this share of it is that of a copy."""
BY_CHANCE = 0.01
"""Conditions that may come so near without knowing the noise: at most one in a hundred, where five genes or more vary."""
COPIES_P = 1e-3


def canaries_silent(case: Case) -> Gate:
    """Predicted effects of conditions that were never measured do not follow their random sealed truth."""
    name, canary = "canaries silent", case.controls.get("canary")
    if canary is None or "p" not in canary.numbers:
        return skipped(name, (canary.reason if canary else None) or NO_CONTROLS, holds=True)
    p = canary.numbers["p"]
    numbers = dict(canary.numbers)
    if p < HELD_BELOW:
        reason = (
            f"it knows the random truth of conditions that nobody measured: p = {p:.2g}; it read test labels"
        )
    else:
        reason = f"canary effects are not known better than by chance: p = {p:.2g}"
    return passed(name, p >= HELD_BELOW, p, reason, holds=True, details=numbers)


def not_too_good(case: Case) -> Gate:
    """No interval lies beyond what a perfect model could reach on a truth that is itself measured with noise.

    The error of a perfect model is the noise of the truth, never less; its correlation with the truth is the root of the
    truth's reliability, by Spearman and Brown from halves. Who copies some conditions hides in both means: so conditions
    whose error is next to nothing beside their noise are counted as well.
    """
    name = "not too good"
    found = {"error": _error_beyond_noise(case), "correlation": _correlation_beyond_ceiling(case)}
    known = {kind: interval for kind, interval in found.items() if interval is not None and interval.n > 1}
    if not known:
        return skipped(name, "neither the noise of the truth nor its reliability is known here", holds=True)
    copies = _copies(case)
    beyond = [kind for kind, interval in known.items() if interval.above]
    if copies.p < COPIES_P:
        beyond.append(f"{copies.found} of {copies.n} conditions that are copies, noise included")
    details = {kind: interval.document() for kind, interval in known.items()} | {"copies": copies._asdict()}
    number = max(interval.low for interval in known.values())
    if beyond:
        reason = f"better than a perfect model could be, by {' and '.join(beyond)}: a leak is suspected"
    else:
        reason = "within what a perfect model could reach: " + ", ".join(
            f"{kind} {interval.estimate:+.3g} ({interval.low:+.3g} … {interval.high:+.3g}) beyond it"
            for kind, interval in known.items()
        )
    return passed(name, not beyond, number, reason, holds=True, details=details)


def noise_of_truth(case: Case) -> Floats | None:
    """Squared noise per gene of each condition's observed effect, from what a perfect copy and no effect score. [conditions]

    The corrected ratio of a copy is −C/(S−C), of no effect the plain error is S/G; so C/G is known without the cells.
    """
    oracle, nothing = case.controls.get("oracle"), case.controls.get("control_only")
    if oracle is None or nothing is None or "effects" not in oracle.replicates or not nothing.tables:
        return None
    copy = oracle.replicates["effects"]
    signal = paired(case.table, nothing.tables[0], ERROR)[1]
    own = paired(case.table, copy, ERROR)[1]
    ratio = paired(case.table, copy, RATIO)[1]
    return np.asarray((own - ratio * signal) / (1 - ratio), np.float64)


class Copies(NamedTuple):
    """Conditions that were answered with their own noise."""

    found: int
    n: int
    """Conditions whose noise is known."""
    p: float
    """Of so many by chance."""


def _copies(case: Case) -> Copies:
    noise, ours = noise_of_truth(case), case.table.of_kind().values.get(ERROR)
    if noise is None or ours is None:
        return Copies(0, 0, 1.0)
    with np.errstate(invalid="ignore"):
        known = (noise > 0) & np.isfinite(ours)
        found, n = int((ours[known] < COPIED * noise[known]).sum()), int(known.sum())
    return Copies(found, n, float(bdtrc(found - 1, n, BY_CHANCE)) if found else 1.0)


def _error_beyond_noise(case: Case) -> Interval | None:
    """How far the squared error lies below the noise of the truth, in units of the mean squared effect."""
    noise = noise_of_truth(case)
    if noise is None:
        return None
    ours, signal = paired(case.table, case.controls["control_only"].tables[0], ERROR)
    known = np.isfinite(noise) & np.isfinite(ours)
    size = float((signal - noise)[known].mean()) if known.any() else math.nan
    return _mean(case, (noise - ours) / size) if size > 0 else None


def _correlation_beyond_ceiling(case: Case) -> Interval | None:
    duplicate = case.controls.get("technical_duplicate")
    if duplicate is None or not duplicate.tables:
        return None
    columns = [paired(case.table, one, CORRELATION)[1] for one in duplicate.tables]
    ours = case.table.of_kind().values.get(CORRELATION)
    if ours is None:
        return None
    half = np.mean(columns, axis=0)
    ceiling = np.full(len(half), np.nan)
    contexts = case.table.of_kind().contexts
    for context in np.unique(contexts):
        inside = (contexts == context) & np.isfinite(half)
        mean = float(half[inside].mean()) if inside.any() else math.nan
        if mean > 0:
            ceiling[contexts == context] = perfect_model_correlation(mean)
    return _mean(case, ours - ceiling)


def perfect_model_correlation(half: float) -> float:
    r"""Expected correlation of the true effect with its measurement: $\sqrt{2r/(1+r)}$, r that of two halves."""
    return math.sqrt(2 * half / (1 + half))


def _mean(case: Case, values: Floats) -> Interval:
    reported = case.table.of_kind()
    return paired_intervals(values[:, None], None, reported.contexts, reported.perturbations, resamples=0)[0]
