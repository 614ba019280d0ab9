"""The control echo: silent on disjoint pools, loud as soon as pools share cells."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.builder import build_dataset
from harness.datasets.dataset import open_dataset
from harness.datasets.echo import control_echo, refuse_echo
from harness.datasets.obs import Pool
from harness.datasets.pools import deal_controls
from harness.datasets.synth.artifact import preprocessing
from harness.datasets.synth.cells import count_blocks, log_normalise
from harness.datasets.synth.design import design, design_rows
from harness.datasets.synth.presets import TINY
from harness.datasets.synth.world import make_world
from harness.errors import HarnessError

SPEC = TINY.model_copy(update={"n_genes": 200, "depth": 300.0, "controls": 90})


def build(out, disturb=lambda X, rows, pool: None, *, spec=SPEC):
    """A small screen whose cells are disturbed before it is frozen; the pools are those that it will get."""
    plan = design(spec)
    rows, world = design_rows(spec, plan), make_world(spec, plan)
    pool, _ = deal_controls(rows.context, rows.batch, rows.is_control, spec.seed)
    blocks = [block for group in plan.groups for block in count_blocks(world, group)]
    X = log_normalise(np.concatenate(blocks), spec.depth)
    disturb(X, rows, pool)
    perturbations = {pert: [plan.genes[g] for g in targets] for pert, targets in plan.perturbations.items()}
    with build_dataset(
        out,
        name=spec.name,
        genes=plan.genes,
        rows=rows,
        perturbations=perturbations,
        preprocessing=preprocessing(spec),
        seed=spec.seed,
        echo_check=False,
    ) as arrays:
        arrays.X[:] = X
    return open_dataset(out)


def copied(source, target):
    """Make the cells of one pool those of another, batch by batch where there are enough."""

    def disturb(X, rows, pool):
        for context in range(len(rows.context.levels)):
            for batch in range(len(rows.batch.levels)):
                here = (rows.context.codes == context) & (rows.batch.codes == batch)
                givers, takers = (np.flatnonzero(here & (pool == p.value)) for p in (source, target))
                X[takers] = X[np.resize(givers, len(takers))]

    return disturb


@pytest.mark.parametrize("name", ["tiny", "demo", "no-signal", "leaky", "stress-imbalance", "stress-scale"])
def test_no_preset_echoes(preset_dataset, name):
    report = refuse_echo(preset_dataset(name), where=name)
    assert report.n >= 20
    assert report.twins == 0


def test_the_echo_is_zero_on_average_over_disjoint_pools(tmp_path):
    found = [
        control_echo(build(tmp_path / str(seed), spec=SPEC.model_copy(update={"seed": seed})))
        for seed in range(200, 210)
    ]
    r = np.array([report.r for report in found])
    p = np.array([report.p for report in found])
    assert abs(r.mean()) < 3 * r.std(ddof=1) / np.sqrt(len(r))
    assert not any(report.refused for report in found)
    assert 0.2 < p.mean() < 0.8


def test_truth_that_subtracts_the_cells_a_model_sees_is_refused(tmp_path):
    dataset = build(tmp_path / "x", copied(Pool.A, Pool.B))
    report = control_echo(dataset)
    assert report.r > 0.1
    assert report.p < 1e-3
    with pytest.raises(HarnessError, match="echo of pool A"):
        refuse_echo(dataset, where=dataset.path)


def test_noise_that_pools_share_is_found_without_any_repeated_cell(tmp_path):
    def smoothed(X, rows, pool):
        """A and B take in the same noise, as after smoothing over neighbours."""
        rng = np.random.default_rng(0)
        noise = rng.normal(0, 0.1, (len(rows.context.levels), X.shape[1])).astype(np.float32)
        shared = np.isin(pool, (Pool.A.value, Pool.B.value))
        X[shared] += noise[rows.context.codes[shared]]

    report = control_echo(build(tmp_path / "x", smoothed))
    assert report.twins == 0
    assert report.refused
    assert report.r > 0.1


def test_replicates_that_share_cells_with_the_truth_echo_backwards(tmp_path):
    report = control_echo(build(tmp_path / "x", copied(Pool.B, Pool.C)))
    assert report.r < -0.1
    assert report.refused


def test_cells_repeated_over_all_pools_are_found_as_twins(tmp_path):
    def tiled(X, rows, pool):
        for context in range(len(rows.context.levels)):
            controls = np.flatnonzero((rows.context.codes == context) & rows.is_control)
            X[controls] = X[np.resize(controls[:30], len(controls))]

    report = control_echo(build(tmp_path / "x", tiled))
    assert report.twins > 0.5
    assert report.refused


def test_batches_alone_make_no_echo(tmp_path):
    strong = SPEC.model_copy(update={"batch_spread": 0.8})
    report = control_echo(build(tmp_path / "x", spec=strong))
    assert not report.refused
    assert abs(report.r) < 0.1


def test_a_context_of_few_controls_says_why_the_check_does_not_apply(tmp_path):
    report = refuse_echo(
        build(tmp_path / "x", spec=SPEC.model_copy(update={"controls": 5})), where=tmp_path / "x"
    )
    assert np.isnan(report.r)
    assert "controls enough" in report.reason


def test_the_check_reads_a_bounded_sample_and_is_seeded(demo_dataset):
    few, again, other = (
        control_echo(demo_dataset, max_rows=4000, permutations=99, seed=s) for s in (0, 0, 1)
    )
    assert few == again != other
    assert few.n < 30
