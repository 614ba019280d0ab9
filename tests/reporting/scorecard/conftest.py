"""One real run of a tiny task, and what is made of it: runs that win, lose, tie, leak, stay incomplete."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.controls.baselines import baselines_folder
from harness.controls.catalogue import CONTROLS
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.scaled import scaled_scores
from harness.datasets.dataset import PerturbDataset
from harness.metrics.registry import HEADLINE
from harness.records.run_folder import RunFolder
from harness.reporting.scorecard.parts import Parts, parts_of
from harness.schedulers.submit import SubmitRequest, plan_run, submit
from harness.scoring.score_table import Scored, ScoreTable
from harness.splits.create import create_split
from harness.statistics.permutation import Specificity
from harness.verdicts.judge import judge
from harness.verdicts.passports import Condition, Passport
from harness.verdicts.task_passports import TaskPassports

N = 60
PRIMARY = "calibrated.wmse"
GRANTED = Condition("bracketed", "pass", 0.6, "a replicate goes 0.60 of the way")
REFUSED = Condition(
    "bracketed", "fail", 0.01, "a replicate goes 0.01 of the way from the negative control to perfect"
)


@pytest.fixture(scope="session")
def tiny_run(tiny_dataset: PerturbDataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A real run of the shipped train mean, scored without controls. Read-only."""
    folder = tmp_path_factory.mktemp("scorecard")
    request = SubmitRequest(
        folder=baselines_folder() / "global_mean",
        dataset=tiny_dataset,
        split=create_split(tiny_dataset, "context_ood"),
        runs=folder / "runs",
        task_cache=folder / "tasks",
        controls=False,
    )
    return submit(plan_run(request))


@dataclass(frozen=True)
class World:
    """Makes runs that stand as they are told beside the best trivial control of their task."""

    real: Parts

    def run(
        self,
        *,
        ahead: float = 0.0,
        spread: float = 0.004,
        correlation: float = 0.4,
        passport: bool = True,
        house: bool = False,
        variance: str = "native",
    ) -> Parts:
        """A judged run; `ahead` is how far its error lies below that of the best control, `spread` how unevenly."""
        rng = np.random.default_rng(5)
        names = [name for name in self.real.table.values if name.startswith(("calibrated.", "uncertainty."))]
        levels = {"global_mean": 0.2, "nearest_train": 0.1, "technical_duplicate": 0.05}
        gaps = {name: rng.normal(0, 0.002, N) for name in levels}
        values = {name: level + gaps[name] for name, level in levels.items()}
        gap = rng.normal(0, spread, N)
        own = values["nearest_train"] - ahead + gap - gap.mean()
        controls = ControlSet(
            {name: ControlScore(CONTROLS[name], (table_of(names, values[name], 0.5),)) for name in levels}
        )
        table = table_of(names, own, correlation)
        metrics = copy.deepcopy(dict(self.real.metrics))
        for name in names:
            panel, _, metric = name.partition(".")
            metrics[panel]["global"][metric] = {"value": table.overall[name], "n": N}
        metrics["variance"] = {"source": variance, "kind": "effect"}
        metrics["conditions"] = {"reported": N}
        granted = {
            name: Passport(name, passport, (GRANTED if passport else REFUSED,), N) for name in HEADLINE
        }
        known = TaskPassports("tiny:context_ood", "0" * 64, "val", "0" * 64, "0" * 64, granted)
        tested = Specificity(statistic=0.5, null_mean=0.0, null_sd=0.1, p=0.001, n=N, resamples=999, seed=0)
        verdict = judge(metrics, table, controls, known, specificity=tested)
        authors = ["The PerturbFM harness developers"] if house else ["Somebody"]
        record = self.real.record.model_copy(update={"authors": authors, "controls": True})
        foreign = record.submission.model_copy(update={"name": "mine", "content_hash": "f" * 64})
        record = record.model_copy(update={"submission": foreign})
        scaled: dict[str, Any] = {name: vars(one) for name, one in scaled_scores(table, controls).items()}
        return replace(
            self.real,
            record=record,
            metrics=metrics,
            table=table,
            controls=controls,
            scaled=scaled,
            verdict=verdict,
        )

    def ended(self, parts: Parts, status: str, reason: str, *, scored: bool = True) -> Parts:
        """The same run with another end."""
        from harness.contract.status import RunStatus

        record = parts.record.model_copy(update={"status": RunStatus(status), "reason": reason})
        if scored:
            return replace(parts, record=record)
        return replace(parts, record=record, metrics=None, table=None, controls=None, verdict=None, scaled={})


def table_of(names: list[str], error: np.ndarray, correlation: float) -> ScoreTable:
    """Sixty conditions in two contexts: errors as given, a correlation, nothing remarkable in all else."""
    rng = np.random.default_rng(9)
    conditions = tuple(
        Scored(f"c{i // (N // 2)}", f"g{i % (N // 2):02}", "", "reported", "", 20) for i in range(N)
    )
    values = {
        name: error
        if name in (PRIMARY, "calibrated.mse")
        else rng.normal(correlation if "pcc" in name else 0.5, 0.01, N)
        for name in names
    }
    return ScoreTable(conditions, values, {name: float(column.mean()) for name, column in values.items()})


@pytest.fixture(scope="session")
def world(tiny_run: RunFolder) -> World:
    return World(parts_of(tiny_run))


MakeRun = Callable[..., Parts]


@pytest.fixture(scope="session")
def hostile() -> str:
    """A name as somebody who means harm would choose it."""
    return "<script>alert(1)</script>\"'&{{ 7*7 }}\u202eevil\u202c 🧬 " + "x" * 10_000


@pytest.fixture
def copied_run(tiny_run: RunFolder, tmp_path: Path) -> RunFolder:
    """The real run in a folder of its own, which may be written to."""
    import shutil

    from harness.records.run_folder import open_run

    shutil.copytree(tiny_run.path, tmp_path / tiny_run.path.name)
    return open_run(tmp_path / tiny_run.path.name)
