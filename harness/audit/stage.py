"""Where checks happen: a screen with its split and task, and the few controls that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.contract.manifest import Submission
from harness.contract.predictions import PredictionsFile
from harness.controls.bench import Bench
from harness.controls.canary import canary_score
from harness.controls.catalogue import CONTROLS
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.pieces import make_piece
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.synthetic import make_preset
from harness.scoring.direct_table import table_of
from harness.scoring.evaluate import Evaluation, evaluate
from harness.scoring.score_table import ScoreTable
from harness.splits.create import create_split
from harness.splits.split import Split
from harness.tasks.build import build_task
from harness.tasks.folder import Task
from harness.verdicts.gates_case import Case

PIECES = ("control_only", "global_mean", "halving_1", "oracle_effects")
"""What the gates of an audit stand on: no effect, the mean, one replicate, the truth."""
SCALES = {"demo": 0.25, "no-signal": 0.2, "leaky": 0.2}
"""Sizes at which the presets take seconds."""


@dataclass(frozen=True)
class Stage:
    """A task whose every part the audit knows."""

    dataset: PerturbDataset
    split: Split
    task: Task

    @classmethod
    def of_preset(
        cls,
        name: str,
        room: Path,
        manifest: Submission,
        *,
        regime: str = "context_ood",
        graphs: Sequence[Path] = (),
    ) -> Stage:
        """A preset at audit size, made in a folder where it is not there yet."""
        path = room / name
        if not path.exists():
            make_preset(name, path, scale=SCALES[name])
        dataset = open_dataset(path)
        split = create_split(dataset, regime)
        return cls.of(dataset, split, room / "tasks", manifest, graphs)

    @classmethod
    def of(
        cls,
        dataset: PerturbDataset,
        split: Split,
        cache: Path,
        manifest: Submission,
        graphs: Sequence[Path] = (),
    ) -> Stage:
        """The validation task of a dataset and a split: an audit never opens test."""
        task = build_task(
            dataset, split, "val", cache=cache, input_format=manifest.run.input_format, graphs=graphs
        )
        return cls(dataset, split, task)

    @cached_property
    def controls(self) -> ControlSet:
        """No effect, the train mean, a replicate, the truth."""
        bench = Bench(self.dataset, self.split, self.task)
        tables: dict[str, ScoreTable] = {}
        for name in PIECES:
            tables |= make_piece(name, bench).tables
        labels = {"oracle": ("effects",)}
        return ControlSet(
            {name: ControlScore(CONTROLS[name], (one,), labels.get(name, ())) for name, one in tables.items()}
        )

    def score(self, file: PredictionsFile, manifest: Submission) -> Evaluation:
        """Score predictions of this stage's task."""
        return evaluate(self.dataset, self.split, self.task, file, var_kind=manifest.claims.var_kind)

    def case(self, evaluation: Evaluation) -> Case:
        """What gates look at, canaries included."""
        return case_of(evaluation, self.controls | canaries(evaluation))


def canaries(evaluation: Evaluation) -> ControlSet:
    """What predictions say of conditions that nobody measured, which needs no other control."""
    return ControlSet({"canary": canary_score(evaluation.engine)})


def case_of(evaluation: Evaluation, controls: ControlSet) -> Case:
    """Scored predictions and what they are held against."""
    return Case(evaluation.document, table_of(evaluation), controls, {})
