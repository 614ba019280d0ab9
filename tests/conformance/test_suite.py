"""Each way to break the contract is caught by the check of that name; keeping it passes every check."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.conformance.check import Report
from harness.conformance.starter import write_starter
from harness.conformance.suite import check_submission
from harness.conformance.tiny import TinyTask, tiny_tasks

BASELINES = Path(__file__).parents[2] / "submissions" / "baselines"
MANIFEST = """
schema = 1
name = "trial"
version = "1"
title = "trial"
authors = ["a"]
license = "MIT"
[run]
{run}
[claims]
unseen_contexts = {contexts}
combinations = {combinations}
uncertainty = "{uncertainty}"
[resources]
time = "00:00:{seconds:02}"
memory = "2G"
"""
HEAD = """
import os
import numpy as np
from harness.sdk import Predictions
def arrays(task):
    Q, G = len(task.query), len(task.genes)
    codes = np.array([sum(map(ord, p + c)) for p, c in zip(task.query.obs["pert_id"], task.query.obs["context_id"])])
    return np.outer(np.sin(codes), np.ones(G)).astype(np.float32), np.full((Q, G), 0.5, np.float32)
def predict(task):
    mean, var = arrays(task)
"""
RAW = "    np.savez(os.environ['HARNESS_OUTPUT'] + '/predictions.npz', {members})"
GOOD = "    return Predictions(mean, var)"


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[TinyTask]:
    return tiny_tasks(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def check(tmp_path: Path, tasks: list[TinyTask]) -> Callable[..., Report]:
    """Write a submission whose `predict` ends as told, and run the suite on it."""

    def run(
        body: str,
        *,
        manifest: str | None = None,
        run: str = 'module = "main:predict"',
        contexts: bool = True,
        combinations: bool = False,
        uncertainty: str = "native",
        seconds: int = 50,
        own_task: bool = False,
    ) -> Report:
        folder = tmp_path / "trial"
        folder.mkdir()
        (folder / "main.py").write_text(HEAD + body)
        (folder / "submission.toml").write_text(
            manifest
            or MANIFEST.format(
                run=run,
                contexts=str(contexts).lower(),
                combinations=str(combinations).lower(),
                uncertainty=uncertainty,
                seconds=seconds,
            )
        )
        used = tasks
        if own_task:
            shutil.copytree(tasks[0].folder, tmp_path / "own", copy_function=shutil.copyfile)
            used = [TinyTask(tasks[0].regime, tmp_path / "own", tasks[0].card)]
        return check_submission(folder, tasks=used)

    return run


def faults(report: Report) -> dict[str, str]:
    """The failed checks by name, without the task in brackets."""
    return {check.name.partition(" (")[0]: check.reason for check in report.failed}


def test_a_submission_that_keeps_the_contract_passes_every_check(check):
    report = check(GOOD, combinations=True)
    assert report.conforms, report.failed
    names = [check.name for check in report.checks if check.verdict == "pass"]
    assert {"manifest", "runs on unseen contexts", "runs on combinations", "row order (combinations)"} <= set(
        names
    )


BAD = {
    "a row too few": (RAW.format(members="mean=mean[1:], var=var[1:], idx=np.arange(1, len(mean))"), "predictions"),
    "NaN": ("    mean[3, 4] = np.nan\n" + RAW.format(members="mean=mean, var=var, idx=np.arange(len(mean))"), "predictions"),
    "no variance": (RAW.format(members="mean=mean, idx=np.arange(len(mean))"), "predictions"),
    "a row twice": (RAW.format(members="mean=mean, var=var, idx=np.zeros(len(mean), int)"), "predictions"),
    "another place": ("    np.savez(os.environ['TMPDIR'] + '/predictions.npz', mean=mean)\n    os._exit(0)", "predictions"),
    "a crash": ("    raise ValueError('no convergence')", "runs on unseen contexts"),
    "an exit code": ("    os._exit(3)", "runs on unseen contexts"),
    "a variance of zero": ("    return Predictions(mean, 0 * var)", "uncertainty"),
    "another answer each time": ("    return Predictions(mean + np.random.normal(size=mean.shape), var)", "determinism"),
    "an answer by place": ("    mean[:] = np.arange(len(mean))[:, None]\n    return Predictions(mean, var)", "row order"),
    "nothing but fallbacks": ("    return Predictions(mean, var, supported=np.zeros(len(mean)))", "supported"),
    "broken progress": (
        "    open(os.environ['HARNESS_OUTPUT'] + '/progress.jsonl', 'w').write('half way\\n')\n" + GOOD,
        "progress",
    ),
    "a file beside its code": ("    open('cache.bin', 'w').write('x')\n" + GOOD, "writes only its output"),
    "a file beside the output": (
        "    open(os.environ['HARNESS_OUTPUT'] + '/../note.txt', 'w').write('x')\n" + GOOD,
        "writes only its output",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_broken_rule_is_caught_by_its_check(unconfined, check, case):
    body, name = BAD[case]
    report = check(body)
    assert name in faults(report), report.checks
    assert all(check.mend for check in report.failed)


def test_a_write_into_the_task_folder_is_caught(unconfined, check):
    find = "    path = os.environ['HARNESS_TASK'] + '/train/X.npy'\n    os.chmod(path, 0o644)\n"
    found = faults(check(find + "    open(path, 'ab').write(b'x')\n" + GOOD, own_task=True))
    assert "train/X.npy in the task folder" in found["writes only its output"]


def test_a_run_past_its_time_is_caught(check):
    found = faults(check("    import time\n    time.sleep(30)", seconds=2))
    assert found["runs on unseen contexts"].startswith("timeout")


def test_a_variance_that_is_not_claimed_is_caught(check):
    assert "writes var" in faults(check(GOOD, uncertainty="none"))["uncertainty"]


@pytest.mark.parametrize("run", ['module = "main:predict"', 'command = ["python3", "main.py"]'])
def test_a_missing_package_is_skipped_by_name_and_not_failed(check, run):
    body = "    pass\nimport a_package_of_nobody"
    report = check(body, run=run)
    assert report.conforms
    (skip,) = [check for check in report.checks if check.verdict == "skip" and "runs on unseen" in check.name]
    assert skip.reason == "a_package_of_nobody not installed"


def test_a_program_that_does_not_exist_is_skipped_with_the_reason(check):
    report = check(GOOD, run='command = ["a-language-of-nobody", "main.x"]')
    (skip,) = [check for check in report.checks if "runs on unseen" in check.name]
    assert skip.verdict == "skip"
    assert "cannot be started" in skip.reason


def test_a_module_that_the_folder_lacks_is_a_failure_and_no_missing_package(check):
    assert "runs on unseen contexts" in faults(check(GOOD, run='module = "elsewhere:predict"'))


def test_what_is_not_claimed_is_not_run(check):
    report = check(GOOD, contexts=False)
    assert [(check.name, check.verdict) for check in report.checks[1:]] == [
        ("runs on unseen contexts", "skip"),
        ("runs on combinations", "skip"),
    ]


def test_a_manifest_that_is_refused_is_the_only_check(check):
    report = check(GOOD, manifest='schema = 1\nname = "x"\nverison = "1"\n')
    assert [check.name for check in report.failed] == ["manifest"]
    assert "did you mean 'version'" in report.failed[0].reason
    assert len(report.checks) == 1


@pytest.mark.parametrize("kind", ["module", "command"])
def test_a_starter_passes_untouched(tmp_path, tasks, kind):
    report = check_submission(write_starter("fresh", kind, tmp_path), tasks=tasks)
    assert report.conforms, report.failed
    assert "row order (combinations)" in [check.name for check in report.checks if check.verdict == "pass"]


def test_a_container_starter_passes_or_names_what_is_missing(tmp_path, tasks):
    report = check_submission(write_starter("fresh", "container", tmp_path), tasks=tasks)
    assert report.conforms, report.failed
    assert all(check.reason for check in report.checks if check.verdict == "skip")


@pytest.mark.long
def test_h5ad_submissions_get_h5ad_tasks(tmp_path):
    folder = tmp_path / "trial"
    folder.mkdir()
    run = 'module = "main:predict"\ninput_format = "h5ad"'
    text = MANIFEST.format(run=run, contexts="true", combinations="false", uncertainty="native", seconds=50)
    (folder / "submission.toml").write_text(text)
    (folder / "main.py").write_text(
        HEAD
        + "    assert (task.folder / 'train.h5ad').exists()\n    task.train_delta()\n    task.inner_split('condition')\n"
        + GOOD
    )
    report = check_submission(folder)
    assert report.conforms, report.failed


@pytest.mark.long
@pytest.mark.parametrize(
    "folder", sorted(p.parent for p in BASELINES.glob("*/submission.toml")), ids=lambda p: p.name
)
def test_every_baseline_keeps_the_contract(folder, tasks):
    report = check_submission(folder, tasks=tasks)
    assert report.conforms, report.failed
