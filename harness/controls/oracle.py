"""The truth itself as a prediction: once as effects, once as the hidden cells; each metric must know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.controls.bench import Bench, rows_by_condition
from harness.controls.made_file import create_matrices, open_made, row_blocks
from harness.scoring.direct_table import scored_table
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.score_table import ScoreTable

FORMS = ("effects", "cells")
CERTAIN = 1e-9
"""A variance that no reader takes for a missing one, and that a score cannot tell from none."""


def score_oracle(form: str, bench: Bench, scratch: Path) -> ScoreTable:
    """The truth in one of its forms."""
    inputs = _as_effects(bench, scratch) if form == "effects" else _as_cells(bench, scratch)
    return scored_table(Engine(inputs))


def _as_effects(bench: Bench, folder: Path) -> ScoreInputs:
    """Every row the effect of its condition, told with certainty."""
    truth, dataset = bench.truth, bench.dataset
    n = len(truth.query_condition)
    matrices = create_matrices(folder / "effects", ("mean", "var"), n, bench.n_genes)
    matrices["var"][...] = CERTAIN
    for index, rows in enumerate(rows_by_condition(truth)):
        matrices["mean"][rows] = truth.delta(dataset, index)
    file = open_made(folder / "effects", matrices, np.arange(n, dtype=np.int64), dataset.genes)
    return ScoreInputs(dataset, bench.split, bench.task, file, "observed", kinds=("reported",))


def _as_cells(bench: Bench, folder: Path) -> ScoreInputs:
    """Every hidden cell as it is, beginning from its own control."""
    truth, dataset = bench.truth, bench.dataset
    rows = np.sort(np.concatenate([truth.conditions[i].rows for i in truth.of_kind("reported").tolist()]))
    matrices = create_matrices(folder / "cells", ("mean",), len(rows), bench.n_genes)
    for block in row_blocks(len(rows), bench.n_genes):
        matrices["mean"][block] = dataset.delta(rows[block])
    file = open_made(folder / "cells", matrices, rows, dataset.genes)
    return ScoreInputs(dataset, bench.split, bench.task, file, "effect", rows="dataset", kinds=("reported",))
