"""The shipped baselines as controls: run through the runtime like any submission, refused like any other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import harness
from harness.contract.content import submission_hash
from harness.contract.manifest import Param, load_manifest
from harness.contract.predictions import open_predictions
from harness.contract.status import RunStatus
from harness.controls.bench import Bench
from harness.controls.catalogue import BASELINES
from harness.errors import HarnessError
from harness.runtimes.protocol import Job, Limits
from harness.runtimes.registry import choose_runtime
from harness.scoring.answers import expected_rows
from harness.scoring.direct_table import scored_table
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.evaluate import predictions_in
from harness.scoring.score_table import ScoreTable

SEED = 0


def baselines_folder() -> Path:
    """Where the shipped baselines lie: in a checkout beside the package, in an installed harness inside of it."""
    package = Path(harness.__file__).parent
    for folder in (package / "baselines", package.parent / "submissions" / "baselines"):
        if folder.is_dir():
            return folder
    raise HarnessError(
        "the shipped baselines are not here",
        where=package,
        expected="a folder baselines inside the package, or submissions/baselines beside it",
        mend="install the harness again; its wheel has them",
    )


def baseline_hash(name: str) -> str:
    """Content hash of a shipped baseline."""
    folder = baselines_folder() / name
    return submission_hash(folder, load_manifest(folder))


def same_rule(content_hash: str, params: Mapping[str, Param]) -> str | None:
    """The control that a submission *is*: a shipped baseline, unchanged, with its own parameters. A name is no rule."""
    name, declared = _shipped().get(content_hash, (None, {}))
    return name if name is not None and dict(params) == declared else None


@cache
def _shipped() -> dict[str, tuple[str, dict[str, Param]]]:
    """Name and parameters of every shipped baseline, by content."""
    return {
        baseline_hash(name): (name, dict(load_manifest(baselines_folder() / name).params))
        for name in BASELINES
    }


def score_baseline(name: str, bench: Bench, scratch: Path) -> ScoreTable:
    """Run a baseline on the task of the bench and score it; a run that does not end well is an error of the harness."""
    folder = baselines_folder() / name
    manifest = load_manifest(folder)
    job = Job(
        manifest=manifest,
        folder=folder.absolute(),
        task=bench.task.public,
        output=scratch / "output",
        log=scratch / "log.txt",
        params=manifest.resolve(None, {}),
        seed=SEED,
        limits=Limits.of(manifest.resources),
    )
    outcome = choose_runtime(manifest.run.runtime, "auto").run(job)
    path = predictions_in(job.output)
    if outcome.status is not RunStatus.OK or path is None:
        raise HarnessError(
            f"the baseline {name} did not run, so there is nothing to compare with",
            where=folder,
            got=outcome.detail,
            expected="predictions",
            mend=f"harness submit {folder.name} shows its log",
        )
    expected = expected_rows(bench.task, bench.truth, "query", var_required=True)
    file = open_predictions(path, expected)
    inputs = ScoreInputs(bench.dataset, bench.split, bench.task, file, manifest.claims.var_kind)
    return scored_table(Engine(inputs))
