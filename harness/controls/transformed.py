"""What a submission's own predictions say when their labels, their genes or their size are not its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.controls.made_file import create_matrices, open_made, row_blocks
from harness.digest import seed_from
from harness.scoring.answers import answers_of
from harness.scoring.direct_table import scored_table
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.score_table import ScoreTable
from harness.tasks.truth import Truth, load_truth

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Transform:
    """Which row each row gets, which gene each gene, times what."""

    rows: Rows | None = None
    genes: Rows | None = None
    factor: float = 1.0


def shuffled_labels(inputs: ScoreInputs, truth: Truth) -> Transform:
    """Every reported condition gets the rows of another one of its context, in one cycle drawn from names alone.

    A context with one condition has no other: it keeps its own.
    """
    answers = answers_of(inputs.file, truth, inputs.dataset, inputs.rows)
    rows = np.arange(len(inputs.file.mean), dtype=np.int64)
    groups: dict[str, list[int]] = {}
    for index in truth.of_kind("reported").tolist():
        if len(answers.rows[index]):
            groups.setdefault(truth.conditions[index].condition.context, []).append(index)
    for context, members in sorted(groups.items()):
        order = np.random.default_rng(seed_from("shuffled labels", truth.split.hash, context)).permutation(
            members
        )
        for index, stranger in zip(order.tolist(), np.roll(order, 1).tolist(), strict=True):
            rows[answers.rows[index]] = np.resize(answers.rows[stranger], len(answers.rows[index]))
    return Transform(rows=rows)


def shuffled_genes(inputs: ScoreInputs, truth: Truth) -> Transform:
    """One permutation of all genes."""
    rng = np.random.default_rng(seed_from("shuffled genes", truth.split.hash))
    return Transform(genes=rng.permutation(inputs.file.mean.shape[1]))


def score_transformed(inputs: ScoreInputs, transform: Transform, scratch: Path) -> ScoreTable:
    """The reported conditions of transformed predictions, by the path that scored them as they were."""
    file = inputs.file
    names: Sequence[str] = [name for name in ("mean", "var", "epistemic") if getattr(file, name) is not None]
    n_rows, n_genes = file.mean.shape
    matrices = create_matrices(scratch, names, n_rows, n_genes)
    with np.errstate(over="ignore"):
        for block in row_blocks(n_rows, n_genes):
            source = block if transform.rows is None else transform.rows[block]
            for name in names:
                values = np.asarray(getattr(file, name)[source])
                values = values if transform.genes is None else values[:, transform.genes]
                power = transform.factor if name == "mean" else transform.factor**2
                limit = np.finfo(np.float32).max
                matrices[name][block] = (
                    values if power == 1 else np.clip(values * np.float32(power), -limit, limit)
                )
    made = open_made(scratch, matrices, file.idx, inputs.dataset.genes)
    given = {**vars(inputs), "file": made, "kinds": ("reported",)}
    return scored_table(Engine(ScoreInputs(**given)))


def transforms(inputs: ScoreInputs, scales: Sequence[float]) -> dict[str, Transform]:
    """Every transform of a submission, by name; that of its own size is not among them."""
    truth = load_truth(inputs.task)
    found = {
        "shuffled_labels": shuffled_labels(inputs, truth),
        "shuffled_genes": shuffled_genes(inputs, truth),
    }
    return found | {f"scale_{scale:g}": Transform(factor=scale) for scale in scales if scale != 1}
