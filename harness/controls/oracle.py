"""The truth itself as a prediction: as effects, as the hidden cells, and as a forecast that knows how wrong it is.

Each metric must know one of them. What keeps the truth from an optimum is noise of the experiment alone: where the two sides
of a comparison share neither cells nor controls, even the truth differs from itself by that noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.controls.bench import Bench, rows_by_condition
from harness.controls.made_file import create_matrices, open_made, row_blocks
from harness.digest import seed_from
from harness.scoring.direct_table import scored_table
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.score_table import ScoreTable

FORMS = ("effects", "cells", "forecasts")
CERTAIN = 1e-9
"""A variance that no reader takes for a missing one, and that a score cannot tell from none."""
LEAST, MOST = 2.0**-20, 1.0
"""Variances of the forecasts' errors, evenly spread on a logarithmic scale. Half of the least is aleatoric everywhere."""


def score_oracle(form: str, bench: Bench, scratch: Path) -> ScoreTable:
    """The truth in one of its forms."""
    return scored_table(Engine(_MAKE[form](bench, scratch)))


def _as_effects(bench: Bench, folder: Path) -> ScoreInputs:
    """Every row the effect of its condition, told with certainty."""
    truth, dataset = bench.truth, bench.dataset
    n = len(truth.query_condition)
    matrices = create_matrices(folder / "effects", ("mean", "var"), n, bench.n_genes)
    matrices["var"][...] = CERTAIN
    for index, rows in enumerate(rows_by_condition(truth)):
        matrices["mean"][rows] = truth.delta(dataset, index)
    file = open_made(folder / "effects", matrices, np.arange(n, dtype=np.int64), dataset.genes)
    return ScoreInputs(dataset, bench.split, bench.task, file, "observed")


def _as_forecasts(bench: Bench, folder: Path) -> ScoreInputs:
    """Effects off by Gaussian errors whose variance is told: small where training has seen the condition, else larger."""
    truth, dataset = bench.truth, bench.dataset
    rows = rows_by_condition(truth)
    rng = np.random.default_rng(seed_from("oracle forecasts", truth.split.hash, truth.eval_split))
    seen_first = sorted(rng.permutation(len(rows)).tolist(), key=lambda i: truth.conditions[i].kind != "iid")
    names, n = ("mean", "var", "epistemic"), len(truth.query_condition)
    matrices = create_matrices(folder / "forecasts", names, n, bench.n_genes)
    for index, variance in zip(seen_first, np.geomspace(LEAST, MOST, len(rows)), strict=True):
        error = np.sqrt(variance) * rng.standard_normal(bench.n_genes)
        matrices["mean"][rows[index]] = truth.delta(dataset, index) + error
        matrices["var"][rows[index]] = variance
        matrices["epistemic"][rows[index]] = variance - LEAST / 2
    file = open_made(folder / "forecasts", matrices, np.arange(n, dtype=np.int64), dataset.genes)
    return ScoreInputs(dataset, bench.split, bench.task, file, "observed")


def _as_cells(bench: Bench, folder: Path) -> ScoreInputs:
    """Every hidden cell as it is, beginning from its own control."""
    truth, dataset = bench.truth, bench.dataset
    rows = np.sort(np.concatenate([truth.conditions[i].rows for i in truth.of_kind("reported").tolist()]))
    matrices = create_matrices(folder / "cells", ("mean",), len(rows), bench.n_genes)
    for block in row_blocks(len(rows), bench.n_genes):
        matrices["mean"][block] = dataset.delta(rows[block])
    file = open_made(folder / "cells", matrices, rows, dataset.genes)
    return ScoreInputs(dataset, bench.split, bench.task, file, "effect", rows="dataset", kinds=("reported",))


_MAKE = {"effects": _as_effects, "cells": _as_cells, "forecasts": _as_forecasts}
