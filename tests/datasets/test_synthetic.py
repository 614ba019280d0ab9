"""Synthetic screens: the same everywhere, bounded in memory, easy for simple baselines and not too easy."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from harness.datasets.dataset import open_dataset
from harness.datasets.graphs import graphs_folder, load_graph, rewire
from harness.datasets.obs import Pool
from harness.datasets.synth.cells import count_blocks, log_normalise
from harness.datasets.synth.demo import DEMO_FILE
from harness.datasets.synth.design import design, design_rows
from harness.datasets.synth.presets import DEMO, PRESETS, TINY
from harness.datasets.synth.world import make_world
from harness.datasets.synthetic import SynthSpec, make_preset, make_synthetic
from harness.errors import ExistsError, HarnessError, UnknownNameError

DEMO_HASH = "13675418652058be847f1d0b14f1b1a2470e87c0426b4b367bb2d8428416d35f"


def deltas(dataset, reference=Pool.B):
    """Condition means minus a pool's mean of their context, by (context, perturbation)."""
    X = np.asarray(dataset.X, np.float64)
    base = {c: X[dataset.pool_rows(c, reference)].mean(axis=0) for c in dataset.obs.context.levels}
    table = enumerate(dataset.conditions.table)
    return {c: X[dataset.conditions.rows(i)].mean(axis=0) - base[c.context] for i, c in table}


def error(predicted, observed):
    return float(np.mean([np.mean((predicted[key] - observed[key]) ** 2) for key in predicted]))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_an_artifact_with_three_pools_and_its_graph_beside_it(preset_dataset, name):
    dataset = preset_dataset(name)
    assert dataset.name == name
    assert set(dataset.meta.pools.modes.values()) == {"three-pool"}
    assert load_graph(graphs_folder(dataset.path) / "true.npz", dataset.genes).provenance == "external"


def test_the_same_spec_gives_the_same_hash_and_another_seed_another(tmp_path):
    hashes = [
        open_dataset(make_preset("tiny", tmp_path / str(i), seed=seed)).data_hash
        for i, seed in enumerate((0, 0, 1))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_graph_stands_beside_a_screen_before_the_screen_appears(tmp_path, monkeypatch):
    graph, stood = graphs_folder(tmp_path / "x") / "true.npz", []
    rename = os.rename

    def watched(source, target):
        stood.append(graph.is_file())
        rename(source, target)

    monkeypatch.setattr("harness.storage.os.rename", watched)
    make_preset("tiny", tmp_path / "x")
    assert stood == [True]


def test_an_unknown_preset_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UnknownNameError, match="no-signal"):
        make_preset("no_signal", tmp_path / "x")


def test_an_existing_screen_is_never_written_over(tmp_path):
    make_preset("tiny", tmp_path / "x")
    with pytest.raises(ExistsError):
        make_preset("tiny", tmp_path / "x")


def test_more_perturbations_than_genes_are_refused():
    with pytest.raises(ValidationError, match="need as many genes"):
        SynthSpec(name="x", n_genes=10, n_singles=11)


def test_a_scale_of_nothing_is_refused():
    with pytest.raises(HarnessError, match="above 0"):
        TINY.scaled(0)


@pytest.mark.parametrize("name", ["demo", "stress-scale"])
def test_scale_is_about_the_number_of_values(name):
    def values(spec):
        return design(spec).n_rows * spec.n_genes

    full, quarter = PRESETS[name], PRESETS[name].scaled(0.25)
    # Perturbations, cells and genes shrink by half each; controls and genes too.
    assert 0.08 < values(quarter) / values(full) < 0.3


def test_full_stress_scale_has_half_a_million_cells_and_two_thousand_genes():
    spec = PRESETS["stress-scale"]
    assert 450_000 < design(spec).n_rows < 600_000
    assert spec.n_genes == 2000


def test_memory_stays_bounded_by_a_block(tmp_path):
    spec = SynthSpec(
        name="wide", n_contexts=2, n_genes=1000, n_singles=4, n_doubles=0, cells=900, controls=900
    )
    tracemalloc.start()
    dataset = open_dataset(make_synthetic(spec, tmp_path / "wide"), verify=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert dataset.n_obs * spec.n_genes * 8 > 60e6
    assert peak < 50e6


def test_progress_counts_every_row_once(tmp_path):
    seen = []
    path = make_preset("tiny", tmp_path / "x", progress=lambda done, total: seen.append((done, total)))
    n = open_dataset(path).n_obs
    assert seen[-1] == (n, n)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_the_demo_has_its_published_hash(demo_dataset):
    assert demo_dataset.data_hash == DEMO_HASH


def test_the_demo_is_shipped_as_integers_in_a_small_file():
    assert DEMO_FILE.stat().st_size <= 1.5e6
    with np.load(DEMO_FILE) as file:
        assert all(np.issubdtype(file[name].dtype, np.integer) for name in file.files)


def test_no_value_of_the_demo_lies_so_near_a_rounding_edge_that_another_machine_could_round_it_otherwise(
    demo_dataset,
):
    counts = np.asarray(demo_dataset.counts, np.float64)
    exact = np.unique(np.log1p(counts * DEMO.depth / counts.sum(axis=1, keepdims=True)))
    stored = exact.astype(np.float32)
    other = np.nextafter(stored, np.where(exact > stored, np.inf, -np.inf).astype(np.float32))
    edge = (stored.astype(np.float64) + other) / 2
    away = np.abs(exact - edge)[exact > 0] / np.spacing(exact[exact > 0])
    assert away.min() > 16  # of the last place in float64; a mathematical library errs by one or two


def test_the_shipped_demo_is_what_its_spec_draws(demo_dataset):
    plan = design(DEMO)
    rows = design_rows(DEMO, plan)
    assert np.array_equal(rows.pert.names(), demo_dataset.obs.pert.names())
    assert np.array_equal(rows.batch.codes, demo_dataset.obs.batch.codes)
    world = make_world(DEMO, plan)
    drawn = np.concatenate([block for group in plan.groups[:60] for block in count_blocks(world, group)])
    assert np.allclose(
        drawn.mean(axis=0), demo_dataset.counts[: len(drawn)].mean(axis=0), rtol=0.02, atol=0.01
    )


def test_the_demo_has_conditions_enough_for_calibration_and_report_and_free_pairs_for_canaries(demo_dataset):
    table = demo_dataset.conditions.table
    per_context = [sum(c.context == name for c in table) for name in demo_dataset.obs.context.levels]
    assert len(per_context) == 6
    assert min(per_context) >= 40
    perturbations = {c.pert for c in table}
    assert 0.05 < 1 - len(table) / (6 * len(perturbations)) < 0.15


def test_a_cell_has_its_normalised_counts(demo_dataset):
    rows = np.arange(0, demo_dataset.n_obs, 97)
    assert np.array_equal(log_normalise(demo_dataset.counts[rows], DEMO.depth), demo_dataset.X[rows])
    assert np.allclose(np.expm1(demo_dataset.X[rows].astype(float)).sum(axis=1), DEMO.depth, rtol=1e-4)


@pytest.fixture(scope="module")
def context_ood(demo_dataset):
    """Truth in a context held out, and what training contexts say. (test, train) by (context, perturbation)"""
    truth, seen = deltas(demo_dataset, Pool.B), deltas(demo_dataset, Pool.A)
    test = {c: delta for c, delta in truth.items() if c.context == "C0"}
    train = {c: delta for c, delta in seen.items() if c.context not in ("C0", "C1", "C2")}
    return test, train


def test_simple_baselines_are_good_and_the_truth_behind_the_demo_is_far_better(context_ood):
    test, train = context_ood
    mean = np.mean(list(train.values()), axis=0)
    by_pert = {
        c: np.mean([delta for k, delta in train.items() if k.pert == c.pert] or [mean], axis=0) for c in test
    }
    zero = error(dict.fromkeys(test, 0.0), test)
    global_mean = error(dict.fromkeys(test, mean), test)
    per_perturbation = error(by_pert, test)
    oracle = error(expected_deltas(test), test)
    assert zero > 1.02 * global_mean
    assert global_mean > 1.2 * per_perturbation
    assert per_perturbation > 1.8 * oracle


def expected_deltas(conditions):
    """What the operator and the graph say of conditions, without the noise of their few cells."""
    plan = design(DEMO)
    world = make_world(DEMO, plan)
    groups = {(plan.contexts[group.context], group.pert): group for group in plan.groups}

    def expected(context, pert):
        cells = count_blocks(world, replace(groups[context, pert], n_cells=400))
        return np.concatenate([log_normalise(block, DEMO.depth) for block in cells]).mean(axis=0)

    control = {context: expected(context, "control") for context in {c.context for c in conditions}}
    return {c: expected(c.context, c.pert) - control[c.context] for c in conditions}


def test_the_graph_tells_of_unseen_perturbations_and_a_rewired_graph_does_not(demo_dataset):
    graph = load_graph(graphs_folder(demo_dataset.path) / "true.npz", demo_dataset.genes)
    truth, seen = deltas(demo_dataset, Pool.B), deltas(demo_dataset, Pool.A)
    singles = sorted({c.pert for c in truth if "+" not in c.pert})
    hidden = set(np.random.default_rng(0).choice(singles, 12, replace=False).tolist())
    test = {c: delta for c, delta in truth.items() if c.pert in hidden}
    train = {c: delta for c, delta in seen.items() if not hidden & set(c.pert.split("+"))}
    mean = np.mean(list(train.values()), axis=0)
    place = {gene: i for i, gene in enumerate(demo_dataset.genes)}

    def with_graph(adjacency):
        def reach(condition):
            start = np.zeros(len(place))
            start[[place[gene] for gene in condition.pert.split("+")]] = 1
            first = start @ adjacency
            return first + 0.6 * first @ adjacency

        features = np.array([reach(c) for c in train])
        slope = (features * (np.array(list(train.values())) - mean)).sum(axis=0)
        slope /= (features**2).sum(axis=0) + 0.05
        return error({c: mean + slope * reach(c) for c in test}, test)

    flat = error(dict.fromkeys(test, mean), test)
    assert with_graph(graph.matrix()) < 0.9 * flat
    assert with_graph(rewire(graph, 0).matrix()) > 0.97 * flat


def test_without_signal_perturbed_cells_are_control_cells(preset_dataset, demo_dataset):
    def excess(dataset):
        """Squared deltas over what the noise of both means alone would make."""
        X, ratios = np.asarray(dataset.X, np.float64), []
        for i, condition in enumerate(dataset.conditions.table):
            rows, controls = dataset.conditions.rows(i), dataset.pool_rows(condition.context, Pool.B)
            noise = X[rows].var(axis=0, ddof=1) / len(rows) + X[controls].var(axis=0, ddof=1) / len(controls)
            ratios.append(np.sum((X[rows].mean(axis=0) - X[controls].mean(axis=0)) ** 2) / np.sum(noise))
        return float(np.mean(ratios))

    assert excess(preset_dataset("no-signal", scale=1.0)) == pytest.approx(1, abs=0.1)
    assert excess(demo_dataset) > 3


def test_on_leaky_the_signature_reveals_the_response_and_cell_counts_do_not(preset_dataset):
    dataset = preset_dataset("leaky")
    assert dataset.obs.intervention == ("assay_signature",)
    truth, seen = deltas(dataset, Pool.B), deltas(dataset, Pool.A)
    test = [c for c in truth if c.context in ("C0", "C1")]
    train = [c for c in truth if c.context not in ("C0", "C1")]
    size = dict(zip(dataset.conditions.table, dataset.conditions.n_rows.tolist(), strict=True))

    def neighbours(feature):
        found = {}
        for c in test:
            near = sorted(train, key=lambda other: abs(feature(other) - feature(c)))[:7]
            found[c] = np.mean([seen[other] for other in near], axis=0)
        return error(found, truth)

    flat = error(dict.fromkeys(test, np.mean([seen[c] for c in train], axis=0)), truth)
    assert neighbours(lambda c: float(c.covariates[0])) < 0.8 * flat
    assert neighbours(lambda c: size[c]) > 0.95 * flat
    assert any("planted leak" in note for note in dataset.meta.notes)


def test_stress_imbalance_is_uneven_in_cells_and_in_perturbations(preset_dataset):
    dataset = preset_dataset("stress-imbalance")
    n_rows = dataset.conditions.n_rows
    assert n_rows.max() / n_rows.min() > 10
    contexts = [c.context for c in dataset.conditions.table]
    per_context = [contexts.count(name) for name in dataset.obs.context.levels]
    assert max(per_context) / min(per_context) > 5


def test_response_grows_with_dose_and_controls_have_none(tmp_path):
    spec = TINY.model_copy(update={"doses": (0.1, 1.0, 10.0), "n_doubles": 0, "cells": 40})
    dataset = open_dataset(make_synthetic(spec, tmp_path / "dosed"))
    size = {dose: [] for dose in ("0.1", "1", "10")}
    for condition, delta in deltas(dataset).items():
        size[condition.covariates[0]].append(np.linalg.norm(delta))
    assert np.mean(size["0.1"]) < np.mean(size["1"]) < np.mean(size["10"])
    assert not dataset.obs.covariates["dose"][dataset.obs.is_control].any()


def test_combinations_add_up_without_interaction_and_saturate_with_it():
    def reach(interaction):
        spec = TINY.model_copy(update={"interaction": interaction})
        world = make_world(spec, design(spec))
        return world.reach((1, 2)), world.reach((1,)) + world.reach((2,))

    together, apart = reach(0.0)
    assert np.allclose(together, apart)
    together, apart = reach(0.6)
    assert together.sum() < 0.9 * apart.sum()


def test_the_total_of_a_cell_tells_nothing_of_what_was_done(demo_dataset):
    total = np.log(np.asarray(demo_dataset.counts).sum(axis=1))
    control = demo_dataset.obs.is_control
    gap = total[~control].mean() - total[control].mean()
    assert abs(gap) < 4 * total.std() / np.sqrt(control.sum())
