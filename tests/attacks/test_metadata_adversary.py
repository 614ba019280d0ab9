"""An adversary that sees no expression: nearest neighbours on what the task folder tells beside the perturbation's name.

For each condition it knows the number of rows, their library size, mean, zeros, batches, place in the file and
intervention covariates, all taken relative to the context's own mean (which context it is, is no secret). It predicts the
mean training effect plus that of the conditions that look alike. Statistic: mean over reported and calib conditions of
(squared error of the train mean − squared error of the adversary) / squared error of the train mean; one-sided sign-flip
permutation p over conditions, divided among the groups of features. A gain above 0.02 with p < 0.01 is a leak.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from harness.datasets.dataset import open_dataset
from harness.datasets.synthetic import make_preset
from harness.sdk import Table, load_task
from harness.sdk import Task as Seen
from harness.splits.create import create_split
from harness.tasks.build import build_task
from harness.tasks.truth import load_truth

NEIGHBOURS = 7
GAIN, P = 0.02, 0.01
SCALES = {"tiny": 1.0, "demo": 0.2, "no-signal": 0.2, "stress-scale": 0.001, "stress-imbalance": 0.2}


class Verdict(NamedTuple):
    gain: float
    p: float

    @property
    def leaks(self) -> bool:
        return self.gain > GAIN and self.p < P


def features(
    table: Table, of_row: np.ndarray, n: int, card: dict, batches: list[str]
) -> dict[str, np.ndarray]:
    """What is told of each condition, by group. Each [conditions, features]"""
    size = np.expm1(np.asarray(table.X, np.float64)).sum(axis=1)
    amount = np.asarray(table.X if table.counts is None else table.counts, np.float64)
    columns = {
        "number": [np.ones(len(size))],
        "size": [size, amount.sum(axis=1), np.asarray(table.X).mean(axis=1), (amount == 0).mean(axis=1)],
        "batch": [np.asarray(table.obs["batch_id"] == b, float) for b in batches],
        "order": [np.arange(len(size)) / len(size)],
        "covariates": [np.asarray(table.obs[name], float) for name in card.get("covariates", [])],
    }
    counts = np.bincount(of_row[of_row >= 0], minlength=n)
    result = {}
    for group, values in columns.items():
        sums = [np.bincount(of_row[of_row >= 0], v[of_row >= 0], minlength=n) for v in values]
        result[group] = np.array(sums if group == "number" else [s / counts for s in sums]).reshape(-1, n).T
    return result


def centred(values: np.ndarray, context: list[str]) -> np.ndarray:
    out = values.copy()
    for name in set(context):
        mine = np.array([c == name for c in context])
        out[mine] -= out[mine].mean(axis=0)
    return out


def attack(seen: Seen, truth, dataset, rng: np.random.Generator) -> dict[str, Verdict]:
    """How much each group of features, and all together, gains over the train mean."""
    train, query = seen.conditions("train"), seen.conditions()
    delta = seen.train_delta()
    index = train.of_row[seen.perturbed_rows]
    effect = np.array([delta[index == i].mean(axis=0) for i in range(len(train.table))], np.float64)
    residual = centred(effect, [c.context for c in train.table])
    batches = sorted(set(seen.train.obs["batch_id"].tolist()))
    known = features(seen.train, train.of_row, len(train.table), seen.card, batches)
    asked = features(seen.query, query.of_row, len(query.table), seen.card, batches)
    kinds = {
        (c.condition.context, c.condition.pert, c.condition.covariates): i
        for i, c in enumerate(truth.conditions)
    }
    place = [kinds[c.context, c.pert, tuple(map(str, c.covariates))] for c in query.table]
    judged = [k for k, i in enumerate(place) if truth.conditions[i].kind in ("reported", "calib")]
    real = np.array([truth.delta(dataset, place[k]) for k in judged])
    baseline = effect.mean(axis=0)
    lost = ((real - baseline) ** 2).mean(axis=1)
    groups = {
        **{name: [name] for name in known if known[name].size},
        "all": [n for n in known if known[n].size],
    }
    verdicts = {}
    for group, names in groups.items():
        near = _neighbours([known[n] for n in names], [asked[n] for n in names], train.table, query.table)[
            judged
        ]
        guess = baseline + residual[near].mean(axis=1)
        won = (lost - ((real - guess) ** 2).mean(axis=1)) / lost.mean()
        flips = rng.choice([-1.0, 1.0], (4999, len(won))) @ won / len(won)
        p = (1 + (flips >= won.mean()).sum()) / 5000
        verdicts[group] = Verdict(float(won.mean()), min(1.0, p * len(groups)))
    return verdicts


def _neighbours(known, asked, train_table, query_table) -> np.ndarray:
    """Positions of the training conditions that look most like each question. [questions, NEIGHBOURS]"""
    left = centred(np.hstack(known), [c.context for c in train_table])
    right = centred(np.hstack(asked), [c.context for c in query_table])
    scale = np.where(left.std(axis=0) > 0, left.std(axis=0), 1)
    distance = ((right[:, None] / scale - left[None] / scale) ** 2).sum(axis=2)
    return np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]


def verdicts_on(name: str, scale: float, regime: str, folder) -> dict[str, Verdict]:
    dataset = open_dataset(make_preset(name, folder / name, scale=scale), verify=False)
    task = build_task(dataset, create_split(dataset, regime), "val", cache=folder / "cache")
    return attack(load_task(task.public), load_truth(task), dataset, np.random.default_rng(0))


@pytest.mark.parametrize("regime", ["context_ood", "perturbation_ood"])
@pytest.mark.parametrize("preset", SCALES)
def test_what_crosses_the_wall_beside_names_predicts_nothing(preset, regime, tmp_path):
    verdicts = verdicts_on(preset, SCALES[preset], regime, tmp_path)
    assert {"number", "size", "batch", "order", "all"} <= set(verdicts)
    assert not [f"{group}: {v}" for group, v in verdicts.items() if v.leaks]


@pytest.mark.parametrize("regime", ["context_ood", "perturbation_ood"])
def test_the_adversary_finds_the_leak_that_is_planted(regime, tmp_path):
    verdicts = verdicts_on("leaky", 0.3, regime, tmp_path)
    assert verdicts["covariates"].leaks
    assert verdicts["covariates"].gain > 0.2
    assert not [f"{g}: {v}" for g, v in verdicts.items() if g not in ("covariates", "all") and v.leaks]
