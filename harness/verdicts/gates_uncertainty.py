"""Gates of uncertainty: intervals hold what they promise without being inflated, and grow where the model is lost."""

from __future__ import annotations

import math

from harness.verdicts.gates_case import Case, Gate, passed, skipped

LEVELS = (50, 80, 90, 95)
TOLERANCE = 0.05
"""How far the interval of a mean coverage may stay from what was promised."""
Z = 1.96
FILLED = "the variance is filled, it is not the submission's own"


def calibrated(case: Case) -> Gate:
    """Coverage as promised, not by inflation (CRPS and interval score gain), and risk ordered better than by size."""
    name = "calibrated"
    if case.document["variance"]["source"] != "native":
        return skipped(name, FILLED)
    reported = case.table.of_kind()
    means = {
        metric: case.mean(f"uncertainty.{metric}")
        for metric in (*(f"coverage_{level}" for level in LEVELS), "crps_skill", "interval_skill_90")
        if f"uncertainty.{metric}" in reported.values
    }
    means = {metric: found for metric, found in means.items() if found.n}
    if "coverage_90" not in means:
        return skipped(name, case.why_not("uncertainty", "coverage_90"))
    faults = [
        f"coverage at {level} % is {means[f'coverage_{level}'].estimate:.1%}"
        for level in LEVELS
        if f"coverage_{level}" in means
        and not _covers(means[f"coverage_{level}"].low, means[f"coverage_{level}"].high, level)
    ]
    for metric, said in (("crps_skill", "CRPS"), ("interval_skill_90", "interval score")):
        if metric in means and not means[metric].above:
            faults.append(f"{said} is no better than that of the training residual")
    faults += _order_faults(case)
    strongest = case.value("uncertainty", "coverage_90_strongest")
    details = {metric: found.document() for metric, found in means.items()} | {
        "coverage_90_strongest": strongest
    }
    said = f"coverage at 90 % is {means['coverage_90'].estimate:.1%}"
    said += f", of the strongest tenth {strongest:.1%}" if strongest is not None else ""
    return passed(name, not faults, means["coverage_90"].estimate, "; ".join(faults) or said, details=details)


def ood_aware(case: Case) -> Gate:
    """Conditions out of distribution are told from those within by uncertainty, also at equal effect size and cell count."""
    name = "OOD-aware"
    if case.document["variance"]["source"] != "native":
        return skipped(name, FILLED)
    area, matched = (case.value("uncertainty", metric) for metric in ("ood_auroc", "ood_auroc_matched"))
    counts = case.document["conditions"]
    n_ood, n_iid = counts.get("reported", 0), counts.get("iid", 0)
    if area is None or not n_ood or not n_iid:
        return skipped(name, case.why_not("uncertainty", "ood_auroc"))
    low = area - Z * area_error(area, n_ood, n_iid)
    said = "not formed" if matched is None else f"{matched:.2f}"
    reason = f"AUROC {area:.2f} (from {low:.2f}) over {n_ood} and {n_iid} conditions, matched {said}"
    ok = low > 0.5 and (matched is None or matched > 0.5)
    return passed(name, ok, area, reason, details={"low": low, "matched": matched})


def area_error(area: float, n_positive: int, n_negative: int) -> float:
    """Standard error of an AUROC (Hanley & McNeil 1982)."""
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (n_positive - 1) * (q1 - area**2) + (n_negative - 1) * (q2 - area**2)
    return math.sqrt(max(spread, 0.0) / (n_positive * n_negative))


def _covers(low: float, high: float, level: int) -> bool:
    """Whether the interval of a mean coverage comes near enough to its promise."""
    promised = level / 100
    if math.isnan(low):
        return True
    return low - TOLERANCE <= promised <= high + TOLERANCE


def _order_faults(case: Case) -> list[str]:
    """Where conditions can be ordered by uncertainty, the order must tell of their risk, better than ‖μ‖ does."""
    gain, advantage = (case.value("uncertainty", metric) for metric in ("aurc_gain", "aurc_advantage"))
    faults = []
    if gain is not None and gain <= 0:
        faults.append(f"risk does not fall with confidence (gain {gain:.2f})")
    if advantage is not None and advantage <= 0:
        faults.append(f"the size of the prediction orders risk as well (advantage {advantage:.2f})")
    return faults
