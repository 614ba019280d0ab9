"""Does a submission know which perturbation it speaks of? The label-permutation test on its own predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.digest import seed_from
from harness.errors import HarnessError
from harness.metrics.pair_scores import all_pairs
from harness.scoring.engine import Engine
from harness.scoring.score_table import Floats
from harness.statistics.permutation import LABEL_RESAMPLES, Specificity, label_permutation

ROUNDING = 1e-6
"""Norm of a centred effect, relative to what it is a difference of, that float32 rounding of equal effects leaves."""


def specificity(engines: Sequence[Engine], *, resamples: int = LABEL_RESAMPLES) -> Specificity | None:
    """The test over all contexts of a task; None where no context has two perturbations to tell apart.

    `engines` are those of one submission, one per training seed. Scores are cosines of predicted and observed effects,
    both minus the mean training effect, without the genes that any perturbation of the context targets; over several seeds
    their mean. Labels are permuted within contexts, so that a model that is like the mean has no p to show, whatever the
    reference of a metric lets it score.
    """
    if not engines:
        raise HarnessError("there are no predictions to test", expected="one scorer per training seed")
    truth = engines[0].truth
    groups: dict[str, list[int]] = {}
    for index in truth.of_kind("reported").tolist():
        if all(len(engine.answers.rows[index]) for engine in engines):
            groups.setdefault(truth.conditions[index].condition.context, []).append(index)
    matrices = [_pairwise(engines, groups[one]) for one in sorted(groups) if len(groups[one]) > 1]
    if not matrices:
        return None
    seed = seed_from("specificity", truth.split.hash) % 2**32
    return label_permutation(matrices, resamples=resamples, seed=seed)


def pairwise_cosines(predicted: Floats, observed: Floats, centre: Floats) -> Floats:
    """Cosine of every centred prediction (row) with every centred truth (column); 0 where one has no direction."""
    scores = all_pairs("cosine", _centred(predicted, centre), _centred(observed, centre))
    return np.nan_to_num(np.asarray(scores, np.float64), nan=0.0)


def _pairwise(engines: Sequence[Engine], indices: list[int]) -> Floats:
    first = engines[0]
    targets = {gene for index in indices for gene in first.task.targets(index)}
    kept = np.setdiff1d(np.arange(first.inputs.dataset.meta.n_vars), sorted(targets))
    observed = np.stack([first.truth.delta(first.inputs.dataset, index) for index in indices])[:, kept]
    centre = first.training.mean[kept]
    scores = [
        pairwise_cosines(engine.answers.mean(indices)[:, kept], np.asarray(observed, np.float64), centre)
        for engine in engines
    ]
    return np.asarray(np.mean(scores, axis=0), np.float64)


def _centred(effects: Floats, centre: Floats) -> Floats:
    """Effects minus their centre; what rounding leaves of a difference is 0."""
    out = np.asarray(effects - centre, np.float64)
    scale = np.linalg.norm(effects, axis=1) + np.linalg.norm(centre)
    out[np.linalg.norm(out, axis=1) <= ROUNDING * scale] = 0.0
    return out
