"""The rules of the contract, one function each: a trial in, a check out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.conformance.check import Check, failed, passed, skipped
from harness.conformance.trial import Trial, progress_fault
from harness.contract.manifest import Submission
from harness.contract.predictions import PredictionsFile
from harness.contract.status import RunStatus

CLOSE = 0.05
"""Largest relative difference of two predictions that are taken to be the same but for rounding or sampling."""


def ran(trial: Trial, where: str) -> Check:
    """It ends by itself with exit code 0, within its time and memory."""
    name = f"runs on {where}"
    outcome = trial.outcome
    if trial.ran:
        return passed(name, f"{outcome.wall_s:.1f} s, isolation {outcome.isolation}")
    mends = {
        RunStatus.TIMEOUT: "it took longer than [resources] time allows, on a tiny task",
        RunStatus.OUT_OF_MEMORY: "raise [resources] memory, or hold less at once",
    }
    return failed(
        name,
        f"{outcome.status.value}: {outcome.detail}",
        mends.get(outcome.status, "run it by hand with --task and --output, mend what its traceback names"),
    )


def predictions_hold(trial: Trial, where: str) -> Check:
    """`predictions.npz` is in the output folder and keeps every rule of the contract."""
    name = f"predictions ({where})"
    if trial.refused is not None:
        faults = "; ".join(f"{fault.field}: {fault}" for fault in trial.refused.faults)
        mend = next((fault.mend for fault in trial.refused.faults if fault.mend), None)
        return failed(name, faults, mend or "write predictions.npz to the folder --output names")
    assert trial.predictions is not None
    notes = "; ".join(trial.predictions.notes)
    return passed(name, f"accepted{', with notes: ' + notes if notes else ''}")


def wrote_only_output(trial: Trial, where: str) -> Check:
    """Nothing but the output folder is written to."""
    name = f"writes only its output ({where})"
    if trial.written:
        shown = ", ".join(trial.written[:3]) + (", …" if len(trial.written) > 3 else "")
        return failed(name, shown, "write to the folder that --output names, or to the temporary folder")
    return passed(name, "task, submission and work folder are as they were")


def progress_parses(trial: Trial, where: str) -> Check:
    """`progress.jsonl`, where there is one, holds lines that can be shown."""
    name = f"progress ({where})"
    if trial.progress is None:
        return skipped(name, "it writes no progress.jsonl; it need not")
    fault = progress_fault(trial.progress)
    if fault is not None:
        return failed(name, fault, 'a line is {"step": n, "of": m, "message": "…", "metrics": {…}}')
    return passed(name, f"{len(trial.progress)} lines")


def uncertainty_is_as_claimed(manifest: Submission, predictions: PredictionsFile, where: str) -> Check:
    """Native uncertainty is a variance that is there and is not all zero; `none` writes none."""
    name = f"uncertainty ({where})"
    claimed = manifest.claims.uncertainty
    if claimed == "none":
        if predictions.var is not None:
            return failed(name, 'claims "none" but writes var', 'say uncertainty = "native" under [claims]')
        return passed(name, "none, as claimed; the harness fills the variance")
    assert predictions.var is not None
    if not predictions.var.any():
        return failed(
            name, 'claims "native" but var is zero throughout', 'claim "none", or predict a variance'
        )
    return passed(name, f"native, var_kind {manifest.claims.var_kind}")


def support_is_plausible(predictions: PredictionsFile, where: str) -> Check:
    """A submission that says what it supports supports something of what it claims."""
    name = f"supported ({where})"
    if predictions.supported is None:
        return skipped(name, "not written: every row counts as its own prediction")
    counts = np.bincount(predictions.supported, minlength=3)
    if not counts[1:].any():
        return failed(
            name,
            "every row is a fallback",
            "withdraw the claim, or mark what it predicts itself: 2 native, 1 by extension",
        )
    return passed(name, f"{counts[2]} native, {counts[1]} extended, {counts[0]} fallback")


def deterministic(first: Trial, again: Trial, where: str) -> Check:
    """The same seed gives the same bits."""
    name = f"determinism ({where})"
    if again.predictions is None or first.predictions is None:
        return failed(
            name, f"the second run differs: {again.outcome.detail}", "seed everything from HARNESS_SEED"
        )
    for member in ("mean", "var", "epistemic", "supported"):
        one, two = (_in_order(trial.predictions, member) for trial in (first, again) if trial.predictions)
        if not _equal(one, two):
            return failed(
                name,
                f"{member} differs between two runs with the same seed",
                "seed everything from HARNESS_SEED",
            )
    return passed(name, "same seed, same bits")


def permutes_with_the_query(first: Trial, moved: Trial, order: NDArray[np.int64], where: str) -> Check:
    """Another order of the query rows gives the same predictions in that order."""
    name = f"row order ({where})"
    mend = "predict from what a row says, not from its place; idx holds the row of each prediction"
    if moved.predictions is None or first.predictions is None:
        return failed(name, f"fails when the query rows stand in another order: {moved.outcome.detail}", mend)
    one = _in_order(first.predictions, "mean")
    two = _in_order(moved.predictions, "mean")
    assert one is not None
    assert two is not None
    difference = float(np.linalg.norm(one[order] - two))
    scale = float(np.linalg.norm(one))
    if difference > CLOSE * scale:
        return failed(name, f"predictions change by {difference / max(scale, 1e-12):.0%} of their size", mend)
    return passed(name, "predictions move with their rows")


def _in_order(predictions: PredictionsFile, member: str) -> NDArray[np.float32] | None:
    array = getattr(predictions, member)
    return None if array is None else np.asarray(array[predictions.order])


def _equal(one: NDArray[np.float32] | None, two: NDArray[np.float32] | None) -> bool:
    if one is None or two is None:
        return one is two
    return bool(np.array_equal(one, two))
