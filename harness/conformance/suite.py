"""The suite: run a submission on tiny tasks and look at everything that the contract says."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.conformance import rules
from harness.conformance.check import Check, Report, failed, passed, skipped
from harness.conformance.tiny import Regime, TinyTask, reordered, tiny_tasks
from harness.conformance.trial import Candidate, Trial, run_trial
from harness.contract.manifest import Submission, load_manifest
from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.registry import choose_runtime, runtimes

MISSING = re.compile(r"package '([^']+)' is not installed|ModuleNotFoundError: No module named '([^'.]+)")
SEED = 7
OnCheck = Callable[[Check], None]


def check_submission(
    folder: Path,
    *,
    variant: str | None = None,
    runtime: str | None = None,
    tasks: Sequence[TinyTask] | None = None,
    on_check: OnCheck | None = None,
) -> Report:
    """Every check on one submission, in its declared runtime or another, on tiny tasks made before or now.

    What is tried lies in a folder that is removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="harness-validate-") as work:
        checks = []
        for check in _checks(folder, variant, runtime, tasks, Path(work)):
            checks.append(check)
            if on_check is not None:
                on_check(check)
    return Report(folder.name, variant, tuple(checks))


def _checks(
    folder: Path, variant: str | None, runtime: str | None, tasks: Sequence[TinyTask] | None, work: Path
) -> Iterator[Check]:
    try:
        manifest = load_manifest(folder)
        params = manifest.resolve(variant, {})
    except HarnessError as error:
        yield failed("manifest", str(error), error.mend or "mend submission.toml; see schemas/")
        return
    yield passed("manifest", f"{manifest.name} {manifest.version}")
    missing = _cannot_run_here(runtime or manifest.run.runtime)
    if missing is not None:
        yield missing
        return
    candidate = Candidate(manifest, folder, params, choose_runtime(runtime or manifest.run.runtime, "auto"))
    for task in tasks or tiny_tasks(work, manifest.run.input_format):
        yield from _on_task(candidate, task, work / task.regime)


def _on_task(candidate: Candidate, task: TinyTask, work: Path) -> Iterator[Check]:
    where = {"context_ood": "unseen contexts", "combo": "combinations"}[task.regime]
    if not _claimed(candidate.manifest, task.regime):
        yield skipped(f"runs on {where}", "not claimed; such tasks are declined")
        return
    first = run_trial(candidate, task, work / "first", seed=SEED)
    reason = _not_its_fault(first)
    if reason is not None:
        yield skipped(f"runs on {where}", reason, "provide what is missing, then validate again")
        return
    yield rules.ran(first, where)
    if not first.ran:
        return
    yield rules.predictions_hold(first, where)
    yield rules.wrote_only_output(first, where)
    yield rules.progress_parses(first, where)
    if first.predictions is None:
        return
    yield rules.uncertainty_is_as_claimed(candidate.manifest, first.predictions, where)
    yield rules.support_is_plausible(first.predictions, where)
    again = run_trial(candidate, task, work / "again", seed=SEED)
    yield rules.deterministic(first, again, where)
    if candidate.manifest.run.input_format == "h5ad":
        yield skipped(f"row order ({where})", 'only looked at with input_format = "folder"')
        return
    other, order = reordered(task, work / "reordered")
    moved = run_trial(candidate, other, work / "moved", seed=SEED)
    yield rules.permutes_with_the_query(first, moved, order, where)


def _claimed(manifest: Submission, regime: Regime) -> bool:
    return manifest.claims.unseen_contexts if regime == "context_ood" else manifest.claims.combinations


def _cannot_run_here(name: str) -> Check | None:
    if name not in runtimes():
        return skipped(
            "runtime", f"runtime {name!r} is not available here", "harness doctor tells what is missing"
        )
    try:
        choose_runtime(name, "auto")
    except HarnessError as error:
        return skipped("runtime", error.what, error.mend)
    return None


def _not_its_fault(trial: Trial) -> str | None:
    """Why a run could not be judged here: a package or a program that is not installed."""
    if trial.ran:
        return None
    packages = [told or raised for told, raised in MISSING.findall(trial.log)]
    own = (trial.manifest.run.module or "").partition(":")[0].partition(".")[0]
    if packages and packages[-1] != own:
        return f"{packages[-1]} not installed"
    return trial.outcome.detail if trial.outcome.status is RunStatus.ENVIRONMENT else None
