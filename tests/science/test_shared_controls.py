"""Why there are three control pools: the two tables of the control study, and both effects gone on a built artifact.

Table 1 (shared controls): no perturbation does anything, the prediction is the mean of 1,000 other controls, truth and
prediction subtract the same control mean. Table 2 (control echo): rows are cells, each row's delta subtracts the mean of k
controls, and the prediction hands those controls back.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.builder import build_dataset
from harness.datasets.dataset import open_dataset
from harness.datasets.echo import control_echo
from harness.datasets.obs import Pool
from harness.datasets.synth.artifact import preprocessing
from harness.datasets.synth.design import design, design_rows
from harness.datasets.synth.spec import SynthSpec

WITHIN = 0.03
GENES = 3000


def correlation(left, right):
    """Pearson over the last axis."""
    left, right = (a - a.mean(axis=-1, keepdims=True) for a in (left, right))
    return (left * right).sum(-1) / np.sqrt((left**2).sum(-1) * (right**2).sum(-1))


def mean_of(n, rng, repeats):
    """The mean of n cells of unit noise, drawn at once. [repeats, genes]"""
    return rng.normal(0, 1 / np.sqrt(n), (repeats, GENES))


@pytest.mark.parametrize(
    ("n_controls", "shared"),
    [(25, 0.884), (50, 0.795), (100, 0.671), (300, 0.441), (1000, 0.208), (8000, 0.038)],
)
def test_shared_controls_make_unrelated_profiles_correlate_and_split_controls_do_not(n_controls, shared):
    rng = np.random.default_rng(n_controls)
    repeats, n_p, n_t = 40, 100, 1000
    perturbed, predicted = mean_of(n_p, rng, repeats), mean_of(n_t, rng, repeats)
    control, other = mean_of(n_controls, rng, repeats), mean_of(n_controls, rng, repeats)
    assert correlation(predicted - control, perturbed - control).mean() == pytest.approx(shared, abs=WITHIN)
    assert correlation(predicted - other, perturbed - control).mean() == pytest.approx(0, abs=WITHIN)
    one = 1 / n_controls
    formula = one / np.sqrt((one + 1 / n_t) * (one + 1 / n_p))
    assert formula == pytest.approx(shared, abs=WITHIN)


@pytest.mark.parametrize(
    ("k", "row", "explained", "pseudobulk"),
    [(1, 0.71, 0.50, 0.71), (5, 0.41, 0.17, 0.40), (20, 0.22, 0.05, 0.21), (100, 0.10, 0.01, 0.10)],
)
def test_an_echo_of_the_matched_controls_looks_like_a_prediction(k, row, explained, pseudobulk):
    rng = np.random.default_rng(k)
    rows_per_condition, n_rows = 10, 400
    cells, control = rng.normal(size=(n_rows, GENES)), mean_of(k, rng, n_rows)
    delta, echo = cells - control, -(control - control.mean(axis=0))
    assert correlation(echo, delta).mean() == pytest.approx(row, abs=WITHIN)
    assert 1 - ((delta - echo) ** 2).sum() / (delta**2).sum() == pytest.approx(explained, abs=WITHIN)

    def condition_means(values):
        return values.reshape(-1, rows_per_condition, GENES).mean(axis=1)

    found = correlation(condition_means(echo), condition_means(delta)).mean()
    assert found == pytest.approx(pseudobulk, abs=WITHIN)


@pytest.fixture(scope="module")
def null_screen(tmp_path_factory):
    """An artifact of pure noise: many small contexts, nothing that any perturbation does."""
    spec = SynthSpec(name="null", n_contexts=24, n_genes=400, n_singles=4, n_doubles=0, cells=30, controls=60)
    plan = design(spec)
    rows = design_rows(spec, plan)
    out = tmp_path_factory.mktemp("null") / "null"
    with build_dataset(
        out,
        name="null",
        genes=plan.genes,
        rows=rows,
        perturbations={
            pert: [plan.genes[g] for g in targets] for pert, targets in plan.perturbations.items()
        },
        preprocessing=preprocessing(spec),
    ) as arrays:
        arrays.X[:] = np.random.default_rng(0).normal(5, 1, arrays.X.shape)
    return open_dataset(out)


def by_context(dataset, predict, truth):
    """Mean correlation of prediction and truth over the conditions of each context. [contexts]"""
    scores = {context: [] for context in dataset.obs.context.levels}
    for i, condition in enumerate(dataset.conditions.table):
        rows = dataset.conditions.rows(i)
        scores[condition.context].append(
            correlation(predict(condition.context, rows), truth(condition.context, rows))
        )
    return np.array([np.mean(found) for found in scores.values()])


def interval(scores):
    """Mean over contexts and its 99.9 % half-width."""
    return scores.mean(), 3.77 * scores.std(ddof=1) / np.sqrt(len(scores))


def test_with_three_pools_shared_controls_are_gone(null_screen):
    X = np.asarray(null_screen.X, np.float64)

    def pool_mean(pool):
        return {c: X[null_screen.pool_rows(c, pool)].mean(axis=0) for c in null_screen.obs.context.levels}

    a, b, c = pool_mean(Pool.A), pool_mean(Pool.B), pool_mean(Pool.C)
    # The prediction is a profile of other cells (pool C) from which the pool that models see is subtracted.
    mean, half = interval(
        by_context(null_screen, lambda ctx, _: c[ctx] - a[ctx], lambda ctx, rows: X[rows].mean(0) - b[ctx])
    )
    assert abs(mean) < half < 0.06
    shared, half = interval(
        by_context(null_screen, lambda ctx, _: c[ctx] - b[ctx], lambda ctx, rows: X[rows].mean(0) - b[ctx])
    )
    assert shared - half > 0.3


def test_with_three_pools_the_control_echo_is_gone(null_screen):
    X = np.asarray(null_screen.X, np.float64)
    a, b = (
        {c: X[null_screen.pool_rows(c, pool)].mean(axis=0) for c in null_screen.obs.context.levels}
        for pool in (Pool.A, Pool.B)
    )

    def echo(context, rows):
        return -(null_screen.X_control(rows).mean(axis=0) - a[context])

    mean, half = interval(by_context(null_screen, echo, lambda ctx, rows: X[rows].mean(0) - b[ctx]))
    assert abs(mean) < half < 0.06
    own, half = interval(by_context(null_screen, echo, lambda ctx, rows: null_screen.delta(rows).mean(0)))
    assert own - half > 0.4
    assert not control_echo(null_screen).refused
