"""A request for a run as plain JSON and back, so that a process on another machine can plan the very same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.errors import ChangedError
from harness.schedulers.batch import Batch, Part
from harness.schedulers.submit import Plan, SubmitRequest, plan_run

PATH, ROW, TABLE = "path", "row", "table"
"""What is no JSON of its own is told as {kind: content}."""


def request_document(request: SubmitRequest) -> dict[str, Any]:
    """Every field of a request; the dataset by its folder, the split by its hash."""
    document = {
        field.name: _plain(getattr(request, field.name))
        for field in fields(request)
        if field.name not in ("dataset", "split")
    }
    return document | {
        "dataset": str(request.dataset.path.absolute()),
        "split": request.split.frozen_hash,
    }


def read_request(batch: Batch, part: Part) -> SubmitRequest:
    """The request of a part, with its dataset verified anew."""
    told = dict(part.request)
    dataset, split = _open(told.pop("dataset")), batch.split(told.pop("split"))
    return SubmitRequest(
        dataset=dataset, split=split, **{name: _value(plain) for name, plain in told.items()}
    )


def plan_part(batch: Batch, part: Part) -> Plan:
    """The plan of a part; refused where it is no longer the one that the batch was made with."""
    plan = plan_run(read_request(batch, part))
    if plan.config.config_hash != part.config_hash:
        raise ChangedError(
            "this run is not the one that was planned",
            where=f"{batch.name}, part {part.number}, {part.label}",
            got=f"configuration {plan.config.config_hash[:12]}",
            expected=(part.config_hash or "")[:12],
            mend="the submission, the dataset or the harness has changed since; submit it anew",
        )
    return plan


@lru_cache(maxsize=2)
def _open(path: str) -> PerturbDataset:
    return open_dataset(Path(path))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return {PATH: str(value.absolute())}
    if isinstance(value, tuple):
        return {ROW: [_plain(one) for one in value]}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {TABLE: {key: _plain(one) for key, one in value.items()}}
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == PATH:
        return Path(content)
    if kind == ROW:
        return tuple(_value(one) for one in content)
    return {key: _value(one) for key, one in content.items()}
