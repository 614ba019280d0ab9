"""The gate before test truth: open to a configuration that was looked at on validation, or for a reason that is kept."""

from __future__ import annotations

from pathlib import Path

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.records.ledger import enter_look, read_entries
from harness.records.ledger_entry import LookReference, Purpose, place
from harness.records.record import RunConfig
from harness.records.run_folder import RunFolder, list_runs, open_run
from harness.tasks.folder import Task

LOOKED = frozenset((RunStatus.OK, RunStatus.INCOMPLETE))
"""Endings of validation runs that count as a look; a held one does not open test."""
MOST_REASON = 500


def check_may_open_test(config: RunConfig, runs: Path, first_look: str | None, ledger: Path) -> str:
    """Why a run may open what it asks for; on test without a validation run of its configuration, or a reason, it may not.

    The configuration is the submission's content, its variant, its parameters, the dataset and the split; any seed will do.
    """
    if config.task.eval_split != "test":
        if first_look is not None:
            raise HarnessError(
                "a first look is at the test split",
                where="--first-look",
                got=f"--eval-split {config.task.eval_split}",
                mend="leave it out: validation may be looked at as often as you like",
            )
        return ""
    if first_look is not None:
        _check_reason(first_look)
        _check_first(config, ledger)
        return f"first look: {first_look}"
    looked = validation_run(config, runs)
    if looked is None:
        raise HarnessError(
            "the test split opens for configurations that were looked at on validation",
            where=runs,
            got=f"no validation run of {config.submission.name} with this content, variant, parameters, data and split "
            "that was scored and is not held",
            expected="choosing on validation, then one look at test",
            mend="run it without --eval-split test first, or say why not: --first-look REASON (it is kept in the ledger)",
        )
    return f"validation run {looked.path.name}"


def validation_run(config: RunConfig, runs: Path) -> RunFolder | None:
    """A scored validation run of the same configuration, whatever its seed; its files are as its record says."""
    for run in reversed(list_runs(runs)):
        record = run.record
        if (
            record.task.eval_split == "val"
            and record.status in LOOKED
            and (record.dataset.hash, record.split.hash) == (config.data_hash, config.split_hash)
            and run.config().setting_hash == config.setting_hash
        ):
            return open_run(run.path, verify=True)
    return None


def enter_run(
    ledger: Path,
    task: Task,
    config: RunConfig,
    predictions: str | None,
    reason: str,
    purpose: Purpose = "submit",
) -> LookReference | None:
    """Enter that the truth of a run's task is about to be opened; None on validation, which is free."""
    return enter_look(
        ledger,
        task,
        purpose,
        reason=reason,
        submission=config.submission,
        setting_hash=config.setting_hash,
        config_hash=config.config_hash,
        predictions_sha256=predictions,
    )


def _check_first(config: RunConfig, ledger: Path) -> None:
    """Who saw test with one setting and asks with another has something to choose by: that is no first look."""
    mine = config.submission
    for entry in read_entries(ledger):
        family = entry.submission == mine.name or entry.content_hash == mine.content_hash
        same_truth = (entry.data_hash, entry.split_hash) == (config.data_hash, config.split_hash)
        if entry.purpose == "submit" and family and same_truth and entry.setting_hash != config.setting_hash:
            raise HarnessError(
                "this is no first look: another setting of this submission has seen this test split",
                where=place(ledger, entry.number),
                got=f"{entry.submission}, {entry.time}, {entry.reason}",
                expected="a submission whose content, variant and parameters are those of its first look",
                mend="choose on validation: run it without --eval-split test, then open test without --first-look",
            )


def _check_reason(reason: str) -> None:
    if not reason.strip() or not reason.isprintable() or len(reason) > MOST_REASON:
        raise HarnessError(
            "a first look needs a reason that can be read later",
            where="--first-look",
            got=repr(reason[:60]),
            expected=f"one line of up to {MOST_REASON} characters",
        )
