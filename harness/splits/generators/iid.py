"""Cells of each condition divided at random: a calibration reference, never a headline."""

from __future__ import annotations

import numpy as np

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import CALIB, TEST, TRAIN, VAL, Assignment, calib_notes, stream
from harness.splits.leaks import Rule

RULES: tuple[Rule, ...] = ()


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    fraction: float = 0.2,
    val_fraction: float = 0.1,
    calib_fraction: float = 0.1,
    min_cells: int = 10,
) -> Assignment:
    """Divide the cells of each condition with at least `min_cells`; smaller conditions train whole."""
    hidden = fraction + val_fraction + calib_fraction
    if min(fraction, val_fraction, calib_fraction) < 0 or not 0 < hidden < 1:
        raise HarnessError(
            "fractions are out of range",
            got=f"test {fraction}, val {val_fraction}, calib {calib_fraction}",
            expected="none negative, together above 0 and below 1",
        )
    conditions = dataset.conditions
    rows = np.flatnonzero(conditions.of_row >= 0)
    rows = rows[stream("iid", seed, "cells").permutation(len(rows))]
    rows = rows[np.argsort(conditions.of_row[rows], kind="stable")]
    n = conditions.n_rows[conditions.of_row[rows]]
    starts = np.concatenate([[0], np.cumsum(conditions.n_rows)[:-1]])
    place = (np.arange(len(rows)) - starts[conditions.of_row[rows]] + 0.5) / n
    bounds = np.cumsum([fraction, val_fraction, calib_fraction])
    role = np.array([TEST, VAL, CALIB, TRAIN], np.int8)[np.searchsorted(bounds, place, side="right")]
    role_of = np.full(dataset.n_obs, TRAIN, np.int8)
    role_of[rows] = np.where(n >= min_cells, role, TRAIN)
    return Assignment(
        role_of,
        (),
        {
            "fraction": fraction,
            "val_fraction": val_fraction,
            "calib_fraction": calib_fraction,
            "min_cells": min_cells,
        },
        notes=(
            "in distribution: test conditions are training conditions, only the cells differ; role iid is empty",
            *calib_notes(dataset, role_of),
        ),
    )
