"""The scorer: conditions in shards, anywhere and in any order; then contexts; then the task. The same bits each way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contract.predictions import PredictionsFile
from harness.datasets.dataset import PerturbDataset
from harness.digest import Digest
from harness.metrics.uncertainty import TaskSummary
from harness.scoring.answers import RowsKind, answers_of
from harness.scoring.condition_stage import CELL_KINDS, ConditionStage
from harness.scoring.context_stage import ContextStage, ScoredContext
from harness.scoring.parts import Parts, read_parts, write_shard
from harness.scoring.task_cells import TaskCells
from harness.scoring.task_stage import effect_sizes, summarise_task
from harness.scoring.threads import one_blas_thread
from harness.scoring.train_distance import Distance, train_distance
from harness.scoring.training import Training, train_effects, training_statistics
from harness.scoring.truth_cache import TruthCache, cache_of_task, kernels_version
from harness.scoring.variance import Variance, VarKind, resolve_variance
from harness.splits.split import Split
from harness.tasks.asked import Kind
from harness.tasks.folder import Task
from harness.tasks.truth import Truth, load_truth

SCORED: tuple[Kind, ...] = ("reported", "calib", "iid")
"""Canaries are looked at elsewhere."""
Progress = Callable[[int, int], None]
"""Called with (conditions done, conditions in all)."""


@dataclass(frozen=True)
class ScoreInputs:
    """Everything that a score is made from."""

    dataset: PerturbDataset
    split: Split
    task: Task
    file: PredictionsFile
    var_kind: VarKind
    rows: RowsKind = "query"
    keep: bool = True
    """Whether what depends on the truth alone is kept beside the task."""
    kinds: tuple[Kind, ...] | None = None
    """Conditions of these kinds alone; None: of every kind but canaries."""
    other: OtherTruth | None = None
    """Another truth than the task's own, as that of a half of its cells."""


@dataclass(frozen=True)
class OtherTruth:
    """Answers that stand in for the task's own."""

    name: str
    """Distinguishes it from every other truth of the task."""
    truth: Truth
    kept: TruthCache
    """Where what depends on it alone is kept."""


@dataclass(frozen=True)
class Scored:
    """What the stages found."""

    contexts: list[ScoredContext]
    summary: TaskSummary
    variance: Variance
    indices: list[int]
    """Positions among the truth's conditions of the summary's forecasts."""
    distance: NDArray[np.float64] | None
    """Of each of them to the training conditions."""
    sizes: NDArray[np.float64]
    """Of each, root mean square over genes of the observed and of the predicted effect. [conditions, 2]"""


class Engine:
    """The stages of one score."""

    def __init__(self, inputs: ScoreInputs, identity: str | None = None) -> None:
        self.inputs = inputs
        self.identity = _identity(inputs) if identity is None else identity
        """Hash of everything that the score is made from."""
        self.truth: Truth = load_truth(inputs.task) if inputs.other is None else inputs.other.truth
        self.answers = answers_of(inputs.file, self.truth, inputs.dataset, inputs.rows)
        placed = inputs.split.role_codes() >= 0
        noisy = inputs.var_kind == "cell" and inputs.file.var is not None
        self.task = TaskCells(inputs.dataset, self.truth, self.answers, placed, noisy)
        # older files by dataset row start from other control cells than the task's, which truth sides know of
        keep = inputs.keep and inputs.rows == "query"
        self.kept = cache_of_task(inputs.task.sealed.parent) if keep else TruthCache(None)
        if inputs.other is not None:
            self.kept = inputs.other.kept
        self.cells = ConditionStage(self.task, self.kept)

    @cached_property
    def chosen(self) -> list[int]:
        """The conditions that the predictions speak of; canaries stay out of all panels."""
        kinds = self.inputs.kinds or SCORED
        return [
            i
            for i, asked in enumerate(self.truth.conditions)
            if asked.kind in kinds and len(self.answers.rows[i])
        ]

    @property
    def portable(self) -> bool:
        """Whether another process can be told what is scored here: a task, a file, no other truth."""
        return self.inputs.kinds is None and self.inputs.other is None

    @property
    def size(self) -> int:
        """Numbers to be read: cells of all conditions × genes."""
        cells = sum(len(self.truth.conditions[i].rows) + len(self.answers.rows[i]) for i in self.chosen)
        return cells * self.inputs.dataset.meta.n_vars

    def shard(self, number: int, of: int) -> list[int]:
        """The conditions of one shard: neighbours, so that few contexts are read, of about the same number of cells."""
        cost = [len(self.truth.conditions[i].rows) + len(self.answers.rows[i]) for i in self.chosen]
        middle = np.cumsum(cost) - np.array(cost) / 2
        place = np.minimum((middle * of // max(sum(cost), 1)).astype(int), of - 1)
        return [index for index, at in zip(self.chosen, place.tolist(), strict=True) if at == number - 1]

    def score_shard(self, number: int, of: int, folder: Path, progress: Progress | None = None) -> None:
        """The first stage for one shard (from 1), left in a folder."""
        chosen = self.shard(number, of)
        with one_blas_thread():
            widths = self.cells.widths
            with write_shard(folder, self.identity, (number, of), len(chosen), widths) as writer:
                for done, index in enumerate(chosen, 1):
                    writer.add(self.cells.score(index))
                    if progress is not None:
                        progress(done, len(chosen))

    def finish(self, folders: Sequence[Path], scratch: Path) -> Scored:
        """The other stages, from the folders of all shards."""
        parts = read_parts(folders, self.identity, self.chosen)
        training = self.training
        variance = resolve_variance(self.inputs.file, self.inputs.var_kind, training.variance)
        contexts = self._contexts(parts, training)
        name = "distance" if self.inputs.kinds is None else f"distance-{'-'.join(self.inputs.kinds)}"
        distance = self.kept.get(name, Distance, self._distance).values
        summary = summarise_task(self.task, parts, self.cells, training, variance, scratch, distance)
        return Scored(contexts, summary, variance, parts.indices(), distance, effect_sizes(parts))

    @cached_property
    def training(self) -> Training:
        """What the effects of the training conditions are like."""
        return self.kept.get("training", Training, self._training)

    def _training(self) -> Training:
        effects = train_effects(self.inputs.dataset, self.inputs.split)
        return training_statistics(effects, self.inputs.dataset.meta.n_vars)

    def _distance(self) -> Distance:
        asked = [self.truth.conditions[index].condition for index in self.chosen]
        pairs = [(one.context, one.pert) for one in asked]
        return train_distance(self.inputs.dataset, self.inputs.split, pairs)

    def _contexts(self, parts: Parts, training: Training) -> list[ScoredContext]:
        stage = ContextStage(self.task, parts, self.cells, training)
        groups: dict[tuple[str, str], list[int]] = {}
        for index in self.chosen:
            asked = self.truth.conditions[index]
            if asked.kind in CELL_KINDS:
                groups.setdefault((asked.condition.context, asked.kind), []).append(index)
        return [stage.score(context, kind, groups[context, kind]) for context, kind in sorted(groups)]


def _identity(inputs: ScoreInputs) -> str:
    digest = Digest("score").field("task", inputs.task.hash).field("kernels", kernels_version())
    digest.field("predictions", inputs.file.sha256).field("rows", inputs.rows)
    if inputs.kinds is not None:
        digest.strings("kinds", inputs.kinds)
    if inputs.other is not None:
        digest.field("other truth", inputs.other.name)
    return digest.field("var_kind", inputs.var_kind).hexdigest()
