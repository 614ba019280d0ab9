"""Whether a record still says something of what stands here today: the submission, the split, the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.records.record import RunRecord


@dataclass(frozen=True)
class Today:
    """What records are held against."""

    contents: Mapping[str, str]
    """Content hash of each submission, by name."""
    splits: Mapping[str, str]
    """Hash of each task's split, by `DATASET:SPLIT`."""
    metrics_version: str


def outdated(record: RunRecord, today: Today) -> str | None:
    """Why a record is not of today; None where it is."""
    content = today.contents.get(record.submission.name)
    if content is None:
        return f"there is no submission {record.submission.name} any more"
    if content != record.submission.content_hash:
        return f"{record.submission.name} has changed since"
    split = today.splits.get(record.task.name)
    if split is None:
        return f"there is no task {record.task.name} any more"
    if split != record.split.hash:
        return f"the split of {record.task.name} is another one since"
    if record.metrics_version is not None and record.metrics_version != today.metrics_version:
        return "metrics have changed since"
    return None
