"""Graphs, gates, and what is carried over them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from perturbfm import models
from perturbfm.gating import MODES, EdgeGate, gate_statistics
from perturbfm.learned import untrained
from perturbfm.losses import Goal, Outputs, Weights, training_loss
from perturbfm.shrinkage import shrinkage, temperature


def ring(problem):
    return problem("v2").part().world.graphs["ring"]


def test_a_set_of_genes_is_carried_to_the_genes_whose_rows_name_it(problem):
    edges = ring(problem)
    mask = torch.zeros(1, 12)
    mask[0, 3] = 1.0
    assert edges.spread(mask)[0].nonzero().flatten().tolist() == [4]
    assert edges.reversed().spread(mask)[0].nonzero().flatten().tolist() == [2]


@pytest.mark.parametrize("mode", MODES)
def test_a_gate_is_a_factor_for_each_edge(problem, mode):
    edges = ring(problem)
    gate = EdgeGate(mode, 12, 8)(edges, torch.randn(12, 8))
    assert (gate is None) == (mode == "none")
    assert gate is None or (gate.shape == edges.weight.shape and bool(((gate > 0) & (gate < 1)).all()))
    assert 0 <= gate_statistics(gate)["mean"] <= 1


def test_an_unknown_gating_is_refused():
    with pytest.raises(ValueError, match="one of none, scalar"):
        EdgeGate("open", 3, 2)


@pytest.mark.parametrize("name", ["v1", "v2", "v3"])
def test_another_graph_gives_another_answer_and_no_graph_ignores_it(problem, name):
    for graph, same in (("multi", False), ("none", True)):
        read = problem(name)
        read = replace(read, design=replace(read.design, graph=graph))
        answers = []
        for turned in (False, True):
            part = read.part()
            if turned:
                graphs = {k: edges.reversed() for k, edges in part.world.graphs.items()}
                part.world = replace(part.world, graphs={**graphs, "ring": graphs["jump"]})
            network = untrained(read, getattr(models, name).build, part, 0).eval()
            generator = torch.Generator().manual_seed(1)
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
                answers.append(network(part.inputs(part.training.table[:3])).mean)
        assert torch.equal(*answers) == same


def test_reliance_on_graphs_is_reported(problem):
    for name, graph, least in (("v1", "single", 0.0), ("v2", "multi", 0.1), ("v2", "none", 0.0)):
        read = problem(name)
        read = replace(read, design=replace(read.design, graph=graph))
        network = untrained(read, getattr(models, name).build, read.part(), 0)
        assert least <= network.diagnostics()["graph_reliance"] <= 1


def goal(target: torch.Tensor) -> Goal:
    ones = torch.ones_like(target)
    n = torch.arange(len(target))
    return Goal(target, torch.zeros_like(target), 0.1 * ones, ones, ones, torch.ones(len(target)), 0 * n, n)


def test_every_term_of_the_loss_is_least_at_the_truth():
    target = torch.randn(6, 20, generator=torch.Generator().manual_seed(0))
    for weights in (
        Weights(1, 0, 0, 0), Weights(0, 1, 0, 0), Weights(0, 0, 1, 0), Weights(0, 0, 0, 1),
    ):  # fmt: skip
        right, wrong = (
            training_loss(Outputs(mean, torch.zeros_like(mean)), goal(target), weights, with_variance=True)
            for mean in (target, target.flip(0))
        )
        assert right < wrong


def test_shrinkage_and_temperature_undo_what_is_too_large():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(50, 40, generator=generator)
    outputs = Outputs(2 * target, torch.zeros_like(target))
    assert shrinkage(outputs, goal(target)) == pytest.approx(0.5)
    assert shrinkage(Outputs(-target, target), goal(target)) == 0.0
    wide = temperature(Outputs(torch.zeros_like(target), torch.zeros_like(target)), goal(2 * target), 1.0)
    assert 3.0 < wide < 5.0
