"""The transformer of the ladder begins as its baseline, and reads genes and states, not names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from perturbfm import models
from perturbfm.learned import Learned, Problem, untrained

from harness.contract.manifest import load_manifest
from harness.sdk import Task, load_task

SINGLES = ("G1", "G2", "G3", "G5")
CONTEXTS = ("c0", "c1", "c3")
SUBMISSIONS = Path(__file__).parents[2] / "submissions"
SHORT = {"steps": 15, "evaluate_every": 5, "batch": 16, "width": 16, "heads": 2, "flow_training_steps": 10}
VARIANTS = [
    (name, variant) for name in ("v3a", "diffusion") for variant in load_manifest(SUBMISSIONS / name).variants
]


@pytest.fixture
def make_task(handmade_task):
    """An unseen context, an unseen gene, a drug and a combination."""

    def make(name: str = "v3a", variant: str | None = None, folder: str = "task") -> Task:
        known = [(c, p) for c in CONTEXTS for p in (*SINGLES, "drug")]
        asked = [("c2", p) for p in (*SINGLES, "drug", "G7", "G1+G3", "elsewhere")]
        task = load_task(handmade_task(known, asked, folder=folder))
        task.params = {**load_manifest(SUBMISSIONS / name).resolve(variant, {}), **SHORT}
        return task

    return make


def test_an_untrained_network_is_its_baseline_bit_for_bit(make_task):
    task = make_task()
    problem = Problem.read(task)
    part = problem.part()
    network = untrained(problem, models.v3a.build, part, seed=0).eval()
    asked = task.conditions().table
    assert (Learned(network, part).predict(asked).mean == part.rule(asked)[0]).all()


def test_training_twice_gives_the_same_bits(make_task):
    first, again = (models.v3a.predict(make_task(folder=folder)) for folder in ("one", "two"))
    assert (first.mean == again.mean).all()
    assert (first.var == again.var).all()


def test_names_of_perturbations_do_not_matter(make_task):
    task, renamed = make_task(), make_task(folder="other")
    for table in (renamed.train, renamed.query):
        table.obs["pert_id"] = np.char.add("z", np.char.replace(table.obs["pert_id"].astype(str), "G", "H"))
    assert np.allclose(models.v3a.predict(task).mean, models.v3a.predict(renamed).mean, atol=1e-5)


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_predicts_whatever_is_asked(make_task, name, variant):
    task = make_task(name, variant)
    task.params["members"] = min(task.params["members"], 2)
    predictions = getattr(models, name).predict(task)
    assert np.isfinite(predictions.mean).all()
    assert (predictions.var > 0).all()
    assert set(predictions.supported) == {0, 1, 2}


def network_and_inputs(task: Task):
    problem = Problem.read(task)
    part = problem.part()
    network = untrained(problem, models.v3a.build, part, seed=0).eval()
    torch.nn.init.normal_(network.loadings.weight)
    return network, part, part.inputs(task.conditions().table)


def test_the_order_of_perturbed_genes_and_the_places_left_empty_do_not_matter(make_task):
    network, _, inputs = network_and_inputs(make_task())
    padded = inputs._replace(genes=torch.nn.functional.pad(inputs.genes.flip(1), (0, 3), value=-1))
    assert torch.allclose(network(inputs).mean, network(padded).mean, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "field"), [("no_perturbation_token", "genes"), ("no_context_token", "state")]
)
def test_a_token_that_is_left_out_is_not_read(make_task, variant, field):
    for asked, read in (("full", True), (variant, False)):
        network, _, inputs = network_and_inputs(make_task("v3a", asked, folder=asked))
        other = inputs._replace(**{field: torch.zeros_like(getattr(inputs, field))})
        assert torch.equal(network(inputs).mean, network(other).mean) is not read
