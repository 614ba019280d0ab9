"""Gates of skill: does a submission say more than rules that know nothing of the perturbation, and in the right size?"""

from __future__ import annotations

import numpy as np

from harness.metrics.card import cards
from harness.metrics.registry import HEADLINE
from harness.scoring.score_table import ScoreTable
from harness.statistics.intervals import Interval
from harness.verdicts.direction import goodness, level_mean
from harness.verdicts.gates_case import NO_CONTROLS, Case, Gate, paired, passed, skipped

STABLE = (0.5, 2.0)
"""Factors between which the best scale of a submission must lie."""
COLLAPSED, SCATTERED = 0.1, 3.0
"""Variance ratios between which predictions differ about as much as the truth does."""
MOST_TIED = 0.5


def beats_controls(case: Case) -> Gate:
    """The primary metric is better than that of every negative control, each by an interval above 0.

    To beat all is a harder thing than to beat the strongest, which is chosen after the fact; so the level holds.
    """
    name, metric = "beats controls", case.primary
    negatives = [one for one in case.controls.of_kind("negative") if one.card.name != case.own]
    if not negatives:
        return skipped(name, NO_CONTROLS)
    earned = case.passports.get(metric)
    if earned is not None and not earned.granted:
        return passed(name, False, None, f"{metric} is uninformative here: {earned.reason}")
    found = {one.card.name: case.against(metric, one.tables[0], resamples=2000) for one in negatives}
    found = {control: interval for control, interval in found.items() if interval.n}
    if not found:
        return passed(name, False, None, f"{metric} is undefined in every condition")
    hardest = min(found, key=lambda control: np.nan_to_num(found[control].low, nan=-np.inf))
    worst = found[hardest]
    reason = f"{metric}: {_beside(worst, hardest)}, {worst.method}, {worst.n} conditions"
    details = {"controls": {k: v.document() for k, v in found.items()}, "headline": _headline(case)}
    return passed(name, worst.above, worst.estimate, reason, details=details)


def uses_perturbation(case: Case) -> Gate:
    """The submission is better than itself with the perturbations of each context deranged."""
    name, shuffled = "uses the perturbation", case.controls.get("shuffled_labels")
    if shuffled is None or not shuffled.tables:
        return skipped(name, (shuffled.reason if shuffled else None) or NO_CONTROLS)
    found = case.against(case.primary, shuffled.tables[0])
    if not found.n:
        return skipped(name, f"{case.primary} is undefined in every condition")
    reason = f"{case.primary}: {_beside(found, 'its shuffled self')}"
    return passed(name, found.above, found.estimate, reason, details={"interval": found.document()})


def right_scale(case: Case) -> Gate:
    """No factor outside ½ … 2 makes the submission better than it is by an interval above 0."""
    name, sweep = "right scale", case.controls.get("scale_sweep")
    if sweep is None or not sweep.tables:
        return skipped(name, (sweep.reason if sweep else None) or NO_CONTROLS)
    metric, card = case.primary, cards()[case.primary]
    contexts = case.table.of_kind().contexts
    means = {
        float(label): level_mean(goodness(card, paired(case.table, table, metric)[1]), contexts)
        for label, table in sweep.replicates.items()
    }
    means = {factor: mean for factor, mean in means.items() if not np.isnan(mean)}
    if not means:
        return skipped(name, f"{metric} is undefined in every condition")
    best = max(means, key=lambda factor: means[factor])
    gain = case.against(metric, _scaled(case, best))
    ok = STABLE[0] <= best <= STABLE[1] or not gain.below
    return passed(
        name, ok, best, f"{metric} is best with predictions times {best:g}", details={"means": _named(means)}
    )


def no_collapse(case: Case) -> Gate:
    """Predictions differ between perturbations about as much as the truth does, and are not all the same."""
    name = "no collapse"
    ratio, tied = (case.value("collapse", metric) for metric in ("variance_ratio", "tied_pairs"))
    details = {"variance_ratio": ratio, "tied_pairs": tied}
    if tied is not None and tied > MOST_TIED:
        return passed(
            name, False, ratio, f"{tied:.0%} of the pairs of predictions are equal", details=details
        )
    if ratio is None:
        return skipped(name, case.why_not("collapse", "variance_ratio"), details=details)
    ok = COLLAPSED <= ratio <= SCATTERED
    word = "as much as" if ok else "less than" if ratio < COLLAPSED else "more than"
    reason = f"predictions differ {word} the truth: variance ratio {ratio:.3g}, {COLLAPSED} … {SCATTERED} is needed"
    return passed(name, ok, ratio, reason, details=details)


def _beside(found: Interval, other: str) -> str:
    """How a submission stands beside another, with the interval of the difference; above 0 it is the better one."""
    word = "better" if found.above else "worse" if found.high < 0 else "not shown to be better"
    return f"{word} than {other}, by {found.estimate:+.3g} ({found.low:+.3g} … {found.high:+.3g})"


def _headline(case: Case) -> dict[str, dict[str, object]]:
    """The strongest negative control in each headline metric, described and not judged."""
    found: dict[str, dict[str, object]] = {}
    for metric in HEADLINE:
        strongest = case.controls.strongest(metric)
        value = case.table.overall.get(metric, np.nan)
        if strongest is not None and not np.isnan(value):
            theirs = strongest.overall(metric)
            found[metric] = {
                "control": strongest.card.name,
                "of_control": theirs,
                "value": value,
                "better": cards()[metric].better(value, theirs),
            }
    return found


def _scaled(case: Case, factor: float) -> ScoreTable:
    return next(t for label, t in case.controls["scale_sweep"].replicates.items() if float(label) == factor)


def _named(means: dict[float, float]) -> dict[str, float]:
    return {f"{factor:g}": mean for factor, mean in sorted(means.items())}
