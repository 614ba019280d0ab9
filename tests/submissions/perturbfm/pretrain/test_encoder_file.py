"""Networks that begin with a pretrained encoder: the same answer at first, and no encoder that saw what a task hides."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from perturbfm import models
from perturbfm.encoders import StateEncoder
from perturbfm.learned import Learned, Problem, untrained
from perturbfm.pretrain.encoder_file import PretrainedEncoder, save_encoder
from perturbfm.pretrain.refusal import RefusedError

from harness.sdk import load_task
from harness.splits.create import create_split
from harness.tasks.build import build_task

from ..conftest import with_params  # noqa: TID252


@pytest.fixture
def encoder_file(pretraining, tmp_path):
    def make(folder: str = "encoder", **options):
        run = pretraining(**options)
        run.run()
        return save_encoder(run, tmp_path / folder)

    return make


@pytest.fixture
def task(tiny_dataset, split, tmp_path):
    def make(name: str = "v0", eval_split: str = "val", of=None, **params):
        built = build_task(tiny_dataset, of or split, eval_split, cache=tmp_path / "tasks")
        return with_params(load_task(built.public), name, **params)

    return make


def begun(task, name: str = "v0"):
    problem = Problem.read(task)
    part = problem.part()
    return part, untrained(problem, getattr(models, name).build, part, 0)


@pytest.mark.parametrize("name", ["v0", "v3a"])
@pytest.mark.parametrize("encoder", ["mlp", "transformer"])
def test_a_network_that_begins_with_it_is_still_its_baseline(encoder_file, task, name, encoder):
    heads = {"heads": 4}
    file = encoder_file(encoder=encoder)
    one = task(name, encoder=encoder, pretrained=str(file), **heads)
    part, network = begun(one, name)
    asked = one.conditions().table
    np.testing.assert_array_equal(Learned(network, part).outputs(asked).mean, 0)
    other = begun(task(name, encoder=encoder, **heads), name)[1]
    assert any((a != b).any() for a, b in zip(network.parameters(), other.parameters(), strict=True))


def test_its_encoders_say_of_a_departure_what_the_pretrained_one_says(encoder_file, task):
    file = encoder_file()
    one = task(pretrained=str(file))
    part, network = begun(one)
    encoder = next(m for m in network.eval().modules() if isinstance(m, StateEncoder))
    pretrained = PretrainedEncoder.read(file)
    departure = np.random.default_rng(0).normal(size=(3, len(one.genes)))
    states = torch.from_numpy((departure / part.scales.states.scale).astype(np.float32))
    cells = torch.from_numpy((departure / pretrained.scale).astype(np.float32))
    w = pretrained.weights
    expected = torch.tanh(cells @ w["layers.0.weight"].T) @ w["layers.3.weight"].T
    torch.testing.assert_close(encoder(states), expected, rtol=1e-4, atol=1e-5)


def test_genes_are_matched_by_name_and_unknown_ones_keep_what_they_had(encoder_file, task):
    encoder = PretrainedEncoder.read(encoder_file())
    _, network = begun(task())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    genes = list(encoder.card["genes"])
    swapped = [genes[1], genes[0], "a gene of elsewhere", *genes[3:]]
    scale = encoder.scale[[1, 0, *range(2, len(genes))]].astype(float)
    assert encoder.load_into(network, swapped, scale) == len(genes) - 1
    name = next(n for n in before if n.endswith("layers.0.weight") and "state" in n)
    after = network.state_dict()[name]
    first = encoder.weights["layers.0.weight"]
    torch.testing.assert_close(after[:, [0, 1]], first[:, [1, 0]])
    assert torch.equal(after[:, 2], before[name][:, 2])


def test_the_diagnostics_say_which_file_it_was(encoder_file, task, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_OUTPUT", str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    file = encoder_file()
    models.v0.predict(task(pretrained=str(file), steps=4, evaluate_every=2))
    said = json.loads((tmp_path / "out" / "diagnostics.json").read_text())["pretrained"]
    assert said["sha256"] == PretrainedEncoder.read(file).sha256
    assert said["contamination"].startswith("none")


def test_an_encoder_that_may_have_seen_hidden_rows_is_refused(encoder_file, task, tiny_dataset):
    file = encoder_file()
    other = create_split(tiny_dataset, "iid")
    with pytest.raises(RefusedError, match="may have seen what this task hides") as refused:
        begun(task(of=other, pretrained=str(file)))
    assert "--split iid" in str(refused.value)


def test_an_encoder_of_a_test_task_is_refused_on_validation(encoder_file, pretraining, task, tmp_path):
    from perturbfm.pretrain.source import task_source

    told = task(eval_split="test")
    run = pretraining(of=task_source(told.folder, tmp_path / "rows-of-task"))
    run.run()
    file = save_encoder(run, tmp_path / "encoder")
    begun(task(eval_split="test", pretrained=str(file)))
    with pytest.raises(RefusedError, match="roles train, val"):
        begun(task(pretrained=str(file)))


def test_an_encoder_that_does_not_fit_is_refused(encoder_file, task, tmp_path):
    file = encoder_file(width=16)
    with pytest.raises(RefusedError, match="another shape") as refused:
        begun(task(pretrained=str(file)))
    assert "width 16" in str(refused.value)
    (tmp_path / "noise").write_bytes(b"noise")
    for path in (tmp_path / "noise", tmp_path / "nowhere"):
        with pytest.raises(RefusedError, match="no pretrained encoder here"):
            begun(task(pretrained=str(path)))


def test_an_encoder_of_other_genes_is_refused(pretraining, source, task, tmp_path):
    elsewhere = replace(
        source,
        genes=[f"another {gene}" for gene in source.genes],
        provenance=replace(source.provenance, dataset="0" * 64),
    )
    run = pretraining(of=elsewhere, steps=2)
    run.run()
    with pytest.raises(RefusedError, match="too few of the task's genes"):
        begun(task(pretrained=str(save_encoder(run, tmp_path / "encoder"))))
