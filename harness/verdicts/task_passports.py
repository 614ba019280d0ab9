"""The passports of a task, from its controls; kept beside the splits under everything that they depend on."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from harness.contract.task import EvalSplit
from harness.controls.bench import Bench
from harness.controls.catalogue import CENTRED, CENTRED_ANCHOR, HALF_ANCHOR, NEGATIVE_ANCHOR, SCALES
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.halving import halve
from harness.controls.pieces import controls_version
from harness.controls.transformed import Transform, score_transformed
from harness.datasets.dataset import PerturbDataset
from harness.digest import Digest, file_hash
from harness.metrics.card import Direction, cards
from harness.scoring.engine import Progress
from harness.scoring.score_table import Floats, ScoreTable
from harness.splits.split import Split
from harness.storage import make_folder, read_json, write_json
from harness.tasks.folder import Task
from harness.verdicts.passports import Condition, Evidence, Passport, passport

FOLDER = "passports"
HEADROOM = ("calibrated.retrieval",)
"""Metrics that say nothing where a baseline solves the task."""
POOLED = ("calibrated.error_ratio", "calibrated.energy_skill", "calibrated.sinkhorn_skill")
"""Metrics whose value of the task is a ratio of sums, no mean of conditions."""
DUPLICATE, INTERPOLATED, NOTHING = "technical_duplicate", "interpolated_duplicate", "control_only"


@dataclass(frozen=True)
class TaskPassports:
    """The verdict on every metric of one task."""

    task: str
    split_hash: str
    eval_split: EvalSplit
    genes_hash: str
    version: str
    """Hash of all code of metrics, controls and passports."""
    passports: Mapping[str, Passport]

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        known = cards()
        return {
            "schema": 1,
            "task": self.task,
            "split_hash": self.split_hash,
            "eval_split": self.eval_split,
            "genes_hash": self.genes_hash,
            "version": self.version,
            "metrics": {
                name: {"version": known[name].version, "shown": one.shown, "reason": one.reason}
                | {key: value for key, value in asdict(one).items() if key != "metric"}
                for name, one in sorted(self.passports.items())
            },
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> TaskPassports:
        """From its document."""
        found = {
            name: Passport(name, one["granted"], tuple(Condition(**c) for c in one["conditions"]), one["n"])
            for name, one in document["metrics"].items()
        }
        rest = {key: document[key] for key in ("task", "split_hash", "eval_split", "genes_hash", "version")}
        return cls(passports=found, **rest)


def passports_of(
    controls: ControlSet, sweep: Mapping[float, ScoreTable] | None = None
) -> dict[str, Passport]:
    """Judge every metric that has a direction and a value per condition. `sweep` is a duplicate times a factor."""
    known = cards()
    base = controls[NOTHING].tables[0].of_kind()
    return {
        name: passport(name, known[name], _evidence(name, base, controls, sweep or {}))
        for name in base.values
        if name in known and known[name].direction is not Direction.NONE
    }


def kept_passports(
    folder: Path, dataset: PerturbDataset, split: Split, eval_split: EvalSplit
) -> TaskPassports | None:
    """Passports that were made before by the same code; None where there are none."""
    path = passports_path(folder, dataset, split, eval_split)
    return TaskPassports.of(read_json(path, "metric passports")) if path.is_file() else None


def make_passports(
    folder: Path,
    dataset: PerturbDataset,
    split: Split,
    task: Task,
    controls: ControlSet,
    progress: Progress | None = None,
) -> TaskPassports:
    """Judge every metric by the controls of a task, and keep what was found."""
    sweep = scaled_duplicates(dataset, split, task, progress)
    made = TaskPassports(
        f"{dataset.name}:{split.name}",
        split.frozen_hash,
        task.card.eval_split,
        dataset.meta.genes_hash,
        passports_version(),
        passports_of(controls, sweep),
    )
    make_folder(folder)
    write_json(passports_path(folder, dataset, split, task.card.eval_split), made.document())
    return made


def passports_path(folder: Path, dataset: PerturbDataset, split: Split, eval_split: EvalSplit) -> Path:
    """Where the passports of a split are kept: its hash, the evaluated role, and a hash of gene set and code."""
    digest = Digest("passports").field("genes", dataset.meta.genes_hash).field("version", passports_version())
    return folder / f"{split.frozen_hash[:16]}-{eval_split}-{digest.hexdigest()[:12]}.json"


@cache
def passports_version() -> str:
    """Hash of everything that decides a passport but the data."""
    digest = Digest("passport code").field("controls", controls_version())
    for name in ("passports.py", "task_passports.py", "direction.py"):
        digest.field(name, file_hash(Path(__file__).parent / name))
    return digest.hexdigest()


def scaled_duplicates(
    dataset: PerturbDataset, split: Split, task: Task, progress: Progress | None = None
) -> dict[float, ScoreTable]:
    """The first halving's duplicate times each factor of the scale sweep."""
    halving = halve(Bench(dataset, split, task), 1)
    if halving is None:
        return {}
    found = {}
    with tempfile.TemporaryDirectory(prefix="harness-passport-") as scratch:
        inputs = halving.inputs(Path(scratch))[DUPLICATE]
        for number, factor in enumerate(SCALES, 1):
            own = Path(scratch) / f"x{factor:g}"
            found[factor] = score_transformed(inputs, Transform(factor=factor), own)
            if progress is not None:
                progress(number, len(SCALES))
    return found


def _evidence(
    metric: str, base: ScoreTable, controls: ControlSet, sweep: Mapping[float, ScoreTable]
) -> Evidence:
    anchor = CENTRED_ANCHOR if metric in CENTRED else NEGATIVE_ANCHOR
    optimum = cards()[metric].optimum
    strongest = controls.strongest(metric) if metric in HEADROOM else None
    # duplicates are scored against halves, which are noisier than the whole: so are those that they are compared with
    sides = {"negative": HALF_ANCHOR[anchor], "duplicate": DUPLICATE, "interpolated": INTERPOLATED}
    overall = (
        {side: controls[name].overall(metric) for side, name in sides.items()} if metric in POOLED else {}
    )
    return Evidence(
        nothing=_mean(base, controls[HALF_ANCHOR[CENTRED_ANCHOR]], metric),
        perfect=controls["oracle"].overall(metric) if optimum is None else optimum,
        contexts=base.contexts,
        perturbations=base.perturbations,
        overall=overall,
        sweep={factor: _aligned(base, table, metric) for factor, table in sweep.items()},
        strongest=None if strongest is None else _mean(base, strongest, metric),
        **{side: _mean(base, controls[name], metric) for side, name in sides.items()},
    )


def _mean(base: ScoreTable, score: ControlScore, metric: str) -> Floats:
    """A control's value of each condition of another table, mean over its replicates; NaN where one has none."""
    if not score.tables:
        return np.full(len(base.conditions), np.nan)
    return np.asarray(np.mean([_aligned(base, table, metric) for table in score.tables], axis=0), np.float64)


def _aligned(base: ScoreTable, other: ScoreTable, metric: str) -> Floats:
    reported = other.of_kind()
    values = reported.values.get(metric)
    if values is None:
        return np.full(len(base.conditions), np.nan)
    found = dict(zip((one[:3] for one in reported.conditions), values.tolist(), strict=True))
    return np.array([found.get(one[:3], np.nan) for one in base.conditions], np.float64)
