"""What holds for every network of the ladder, in every variant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from perturbfm import models
from perturbfm.learned import Learned, untrained
from perturbfm.network import Design
from perturbfm.trainer import predict

from harness.contract.manifest import load_manifest

from .conftest import ASKED, LADDER, SUBMISSIONS

VARIANTS = [
    (name, variant)
    for name in LADDER
    for variant in (None, *sorted(load_manifest(SUBMISSIONS / name).variants))
    if variant not in ("single", "ensemble5")  # an ensemble is many of the same
]


def begun(problem, name: str):
    part = problem.part()
    return part, untrained(problem, getattr(models, name).build, part, 0)


def shaken(network):
    """The network with something in every layer, as after training."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_an_untrained_network_is_its_baseline_bit_for_bit(problem, name, variant):
    read = problem(name, variant)
    part, network = begun(read, name)
    asked = read.task.conditions().table
    found = Learned(network, part).predict(asked)
    np.testing.assert_array_equal(found.mean, part.rule(asked)[0])
    np.testing.assert_array_equal(found.var, part.spreads(asked))


@pytest.mark.parametrize("name", LADDER)
def test_the_id_of_an_unseen_perturbation_has_exactly_no_effect(problem, name):
    part, network = begun(problem(name), name)
    shaken(network)
    inputs = part.inputs(part.training.table[:1])
    nothing = inputs._replace(genes=torch.full_like(inputs.genes, -1), ids=torch.full_like(inputs.ids, -1))
    before = predict(network, nothing).mean
    with torch.no_grad():
        for owner in network.modules():
            if isinstance(getattr(owner, "ids", None), torch.nn.Parameter):
                owner.ids.mul_(1000.0)
    assert torch.equal(before, predict(network, nothing).mean)
    assert not torch.equal(before, predict(network, nothing._replace(ids=inputs.ids)).mean)


@pytest.mark.parametrize("name", LADDER)
def test_perturbations_never_seen_have_no_index_and_all_look_alike(problem, name):
    read = problem(name)
    part, network = begun(read, name)
    drug = next(c for c in read.task.conditions().table if c.pert == "a drug never seen")
    inputs = part.inputs([drug, drug._replace(pert="another")])
    assert inputs.ids.tolist() == [-1, -1]
    assert inputs.genes.tolist() == [[-1], [-1]]
    mean = predict(shaken(network), inputs).mean
    assert torch.equal(mean[0], mean[1])


@pytest.mark.parametrize("name", LADDER)
def test_a_context_enters_by_its_control_state_alone(problem, name):
    part, network = begun(problem(name), name)
    condition = part.training.table[0]
    states = part.scales.states
    renamed = condition._replace(context="a new name")
    states.position["a new name"] = states.position[condition.context]
    mean = predict(shaken(network), part.inputs([condition, renamed])).mean
    assert torch.equal(mean[0], mean[1])


@pytest.mark.parametrize("name", LADDER)
def test_a_context_without_controls_gets_the_average_state(problem, name):
    part, _ = begun(problem(name), name)
    condition = part.training.table[0]._replace(context="nowhere")
    assert not part.inputs([condition]).state.any()


@pytest.mark.parametrize("name", LADDER)
def test_the_order_of_genes_in_a_combination_does_not_matter(problem, name):
    part, network = begun(problem(name), name)
    double = next(c for c in part.training.table if len(c.genes) == 2)
    mean = predict(shaken(network), part.inputs([double, double._replace(genes=double.genes[::-1])])).mean
    assert torch.equal(mean[0], mean[1])


@pytest.mark.parametrize("name", LADDER)
@pytest.mark.parametrize(
    ("left_out", "blind_to"),
    [("perturbation", ("genes", "ids")), ("basal", ("state",)), ("gene_set", ("genes",)), ("ids", ("ids",))],
)
def test_what_a_design_leaves_out_is_not_seen(problem, name, left_out, blind_to):
    read = problem(name)
    read = replace(read, design=replace(read.design, **{left_out: False}))
    part, network = begun(read, name)
    inputs = part.inputs(part.training.table[:6])
    changed = {
        "state": inputs.state.flip(0) + 1.0,
        "genes": (inputs.genes + 1).clamp(max=11),
        "ids": (inputs.ids + 1) % part.world.n_ids,
    }
    other = inputs._replace(**{field: changed[field] for field in blind_to})
    shaken(network)
    assert torch.equal(predict(network, inputs).mean, predict(network, other).mean)


@pytest.mark.parametrize("name", LADDER)
def test_without_context_only_the_systematic_part_sees_the_state(problem, name):
    read = problem(name)
    means = []
    for systematic in (True, False):
        design = replace(read.design, context=False, systematic=systematic)
        part, network = begun(replace(read, design=design), name)
        inputs = part.inputs(part.training.table[:6])
        shaken(network)
        other = inputs._replace(state=inputs.state + 1.0)
        means.append(torch.equal(predict(network, inputs).mean, predict(network, other).mean))
    assert means == [False, True]


def test_a_design_takes_the_parameters_that_are_its_own():
    assert Design.of({"width": 7, "steps": 3, "graph": "multi"}) == Design(width=7, graph="multi")


def test_the_asked_conditions_hold_what_these_tests_speak_of():
    assert ("c3", "a drug never seen") in ASKED
