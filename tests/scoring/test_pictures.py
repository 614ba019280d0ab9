"""The numbers behind a page's pictures: of the truth, few, nameless on test, the same each time."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest

from harness.contract.predictions import Expected, open_predictions
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.evaluate import score
from harness.scoring.pictures import MOST_GENES, pictures_document, top_genes
from harness.scoring.seen import ALL_PARTS, SEEN, SOME_PARTS, UNSEEN, seen_class
from harness.storage import canonical_json


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory, tiny, tiny_split, tiny_task):
    draws = np.random.default_rng(11)
    shape = (tiny_task.card.n_query, len(tiny_task.card.genes))
    path = tmp_path_factory.mktemp("predictions") / "p.npz"
    np.savez(path, mean=draws.normal(0, 0.2, shape).astype(np.float32), idx=np.arange(shape[0]))
    file = open_predictions(path, Expected.of(tiny_task.card, var_required=False))
    return score(Engine(ScoreInputs(tiny, tiny_split, tiny_task, file, "cell")), workers=1)


def test_every_scored_condition_has_its_row(evaluation):
    columns = evaluation.pictures()["conditions"]
    assert {len(column) for column in columns.values()} == {len(evaluation.scored.indices)}
    assert all(one > 0 for one in columns["effect"])
    assert all(one is not None for one in columns["distance"])
    assert set(columns["kind"]) <= {"reported", "calib", "iid"}


def test_the_errors_are_those_of_the_metrics(evaluation):
    pictures = evaluation.pictures()
    panel, metric = pictures["error"]["metric"].split(".")
    columns = pictures["conditions"]
    reported = [e for e, kind in zip(columns["error"], columns["kind"], strict=True) if kind == "reported"]
    known = [one for one in reported if one is not None]
    assert np.median(known) == pytest.approx(evaluation.document[panel]["global"][metric]["median"], rel=1e-5)


def test_the_best_the_median_and_the_worst_are_shown(evaluation):
    examples = evaluation.pictures()["examples"]
    assert [one["which"] for one in examples] == ["best", "median", "worst"]
    errors = [one["error"] for one in examples]
    assert errors == sorted(errors)
    assert all(len(one["genes"]) == len(one["observed"]) <= min(MOST_GENES, one["of"]) for one in examples)


def test_the_observed_delta_is_the_truth_and_the_predicted_the_submissions(evaluation):
    example = evaluation.pictures()["examples"][0]
    engine = evaluation.engine
    index = next(
        i
        for i, one in enumerate(engine.truth.conditions)
        if (one.condition.context, one.condition.pert) == (example["context"], example["perturbation"])
        and "|".join(one.condition.covariates) == example["covariates"]
    )
    gene = engine.inputs.task.card.genes.index(example["genes"][0])
    assert example["observed"][0] == pytest.approx(
        engine.truth.delta(engine.inputs.dataset, index)[gene], rel=1e-5
    )
    assert example["predicted"][0] == pytest.approx(engine.answers.mean([index])[0][gene], rel=1e-5)


def test_on_test_no_gene_is_named(evaluation):
    inputs = evaluation.engine.inputs
    hidden = copy(evaluation.engine)
    card = inputs.task.card.model_copy(update={"eval_split": "test"})
    hidden.inputs = replace(inputs, task=replace(inputs.task, card=card))
    pictures = pictures_document(hidden, evaluation.scored)
    assert not pictures["named"]
    assert all(one["genes"] is None and one["observed"] for one in pictures["examples"])


def test_pictures_are_the_same_each_time(evaluation):
    first = canonical_json(pictures_document(evaluation.engine, evaluation.scored))
    assert canonical_json(evaluation.pictures()) == first


def test_the_genes_shown_are_the_strongest_of_both_sides():
    observed, predicted = np.zeros(200), np.zeros(200)
    observed[:60] = np.linspace(3, 1, 60)
    predicted[150:] = 5
    shown = top_genes(observed, predicted, most=20)
    assert shown[:15] == list(range(15))
    assert len(set(shown)) == 20
    assert sum(gene >= 150 for gene in shown) == 5


@pytest.mark.parametrize(
    ("pert", "parts", "found"),
    [
        ("A", {"A"}, SEEN),
        ("A+B", {"A", "B"}, ALL_PARTS),
        ("A+Z", {"A", "Z"}, SOME_PARTS),
        ("Z", {"Z"}, UNSEEN),
        ("drug", set(), UNSEEN),
    ],
)
def test_a_perturbation_is_as_seen_as_its_parts(pert, parts, found):
    assert seen_class(pert, parts, {"A", "B"}, {"A", "B"}) == found
