"""Canaries cannot be told from real questions, and their truth is random."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from harness.tasks.build import build_task
from harness.tasks.truth import load_truth

PERTS = [f"G{i:02d}" for i in range(12)]


def knowledge(seen):
    """What who has seen these (context, perturbation) pairs knows of a condition."""
    contexts, perts = {c for c, _ in seen}, {p for _, p in seen}
    parts_seen = {part for p in perts for part in p.split("+")}

    def known(condition):
        parts = condition.pert.split("+")
        in_training = condition.context in contexts, condition.pert in perts
        return *in_training, sum(part in parts_seen for part in parts), len(parts)

    return known


def of_kinds(truth, *kinds):
    return [c.condition for c in truth.conditions if c.kind in kinds]


def test_in_held_out_contexts_canaries_are_known_perturbations_that_were_never_measured_there(six, tmp_path):
    dataset, split = six
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    canaries = of_kinds(truth, "canary")
    assert {(c.context, c.pert) for c in canaries} == {
        ("C3", "G01"),
        ("C3", "G05"),
        ("C4", "G02"),
        ("C4", "G07"),
    }
    assert not set(canaries) & set(dataset.conditions.table)


def test_where_pairs_are_plenty_canaries_are_a_tenth_of_what_is_reported_and_at_least_five(make, tmp_path):
    perts = [f"D{i:03d}" for i in range(90)]
    for n_measured, expected in ((20, 5), (80, 8)):
        groups = make.crossed(["C0"], perts, n=1) + make.crossed(["C1"], perts[:n_measured], n=1)
        dataset = make.dataset(tmp_path / f"d{n_measured}", groups)
        split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
        truth = load_truth(build_task(dataset, split, "val", cache=tmp_path / "cache"))
        canaries = of_kinds(truth, "canary")
        assert len(canaries) == expected
        assert {c.context for c in canaries} == {"C1"}
        assert {c.pert for c in canaries} <= set(perts[n_measured:])


def test_no_canary_exists_where_every_known_pair_was_measured(make, tmp_path):
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1"], PERTS))
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    assert of_kinds(truth, "canary") == []
    assert truth.canary.shape == (0, 24)
    assert "no canaries" in " ".join(truth.notes)


def test_where_every_question_is_of_an_unseen_gene_the_invented_ones_are_too(make, tmp_path):
    contexts = ["C0", "C1", "C2"]
    dataset = make.dataset(tmp_path / "d", make.crossed(contexts, PERTS))
    split = make.split(dataset, lambda c, p: "val" if "G08" <= p <= "G11" else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    truth = load_truth(task)
    invented = {c.pert for c in of_kinds(truth, "canary")}
    assert invented
    assert invented <= set(dataset.genes) - set(PERTS)
    asked_contexts = Counter(c.pert for c in of_kinds(truth, "reported", "canary"))
    assert set(asked_contexts.values()) == {3}
    lines = (line.split("\t") for line in (task.public / "query" / "obs.tsv").read_text().splitlines()[1:])
    assert all(pert == genes for _, pert, genes, *_ in lines)


def test_an_unseen_perturbation_that_lacks_in_one_context_is_asked_there_before_any_is_invented(
    make, tmp_path
):
    without = [(c, p) for c, p in zip(["C0", "C1", "C2", "C0", "C1"], PERTS[7:], strict=True)]
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1", "C2"], PERTS, without=without))
    split = make.split(dataset, lambda c, p: "val" if p in PERTS[7:] else "train")
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    assert {(c.context, c.pert) for c in of_kinds(truth, "canary")} == set(without)


def test_invented_combinations_are_of_parts_as_known_as_the_real_ones(make, tmp_path):
    singles = [f"G{i:02d}" for i in range(8)]
    doubles = [f"G{i:02d}+G{i + 1:02d}" for i in range(7)]
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0"], [*singles, *doubles]))
    split = make.split(dataset, lambda c, p: "val" if p in doubles else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    canaries = of_kinds(load_truth(task), "canary")
    assert len(canaries) == 5
    for canary in canaries:
        parts = canary.pert.split("+")
        assert parts == sorted(parts)
        assert len(set(parts)) == 2
        assert set(parts) <= set(singles)
        assert canary.pert not in doubles


def test_invented_drugs_have_names_of_the_same_form(make, tmp_path):
    drugs = [f"DRG-{i:03d}" for i in range(0, 200, 17)]
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1"], drugs))
    split = make.split(dataset, lambda c, p: "val" if p in drugs[8:] else "train")
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    invented = {c.pert for c in of_kinds(truth, "canary")}
    assert invented
    assert not invented & set(drugs)
    assert all(re.fullmatch(r"DRG-\d{3}", name) for name in invented)


def test_no_rule_of_seen_and_unseen_parts_or_frequency_tells_a_canary(make, tmp_path):
    """What is seen of context, perturbation and parts, and how often it is asked, is as for some real question."""
    contexts = ["C0", "C1", "C2", "C3"]
    doubles = [f"G{i:02d}+G{i + 2:02d}" for i in range(8)]
    without = [(c, p) for i, c in enumerate(contexts) for p in PERTS[i : i + 2]]
    dataset = make.dataset(tmp_path / "d", make.crossed(contexts, [*PERTS, *doubles], without=without))
    shapes = {
        "context": lambda c, p: {"C2": "val", "C3": "calib"}.get(c, "train"),
        "perturbation": lambda c, p: "train" if p == "control" or p[:3] < "G08" else "val",
        "combination": lambda c, p: "val" if "+" in p and p[:3] >= "G03" else "train",
        "both": lambda c, p: "val" if c == "C3" and p[:3] >= "G06" and p != "control" else "train",
    }
    for name, rule in shapes.items():
        task = build_task(dataset, make.split(dataset, rule, name=name), "val", cache=tmp_path / "cache")
        truth = load_truth(task)
        train = (
            line.split("\t") for line in (task.public / "train" / "obs.tsv").read_text().splitlines()[1:]
        )
        seen = {(t[3], t[1]) for t in train if t[5] == "0"}
        known = knowledge(seen)
        canaries = of_kinds(truth, "canary")
        real = of_kinds(truth, "reported", "calib")
        assert canaries, name
        assert {known(c) for c in canaries} <= {known(c) for c in real}, name
        times = Counter(c.pert for c in [*canaries, *real])
        assert {times[c.pert] for c in canaries} <= {times[c.pert] for c in real}, name


def test_canary_truth_is_random_centred_and_as_large_as_real_effects(make, tmp_path):
    perts = [f"D{i:03d}" for i in range(400)]
    groups = make.crossed(["C0"], perts, n=2) + make.crossed(["C1"], perts[:200], n=2)
    dataset = make.dataset(tmp_path / "d", groups)
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path / "cache"))
    deltas = np.array([truth.delta(dataset, int(i)) for i in truth.of_kind("canary")])
    assert deltas.shape == (20, 24)
    np.testing.assert_allclose(deltas.mean(axis=1), 0, atol=1e-6)
    real = np.array([truth.delta(dataset, int(i)) for i in truth.of_kind("reported")])
    assert 0.5 < deltas.std() / real.std() < 2.5
    correlation = np.corrcoef(deltas)[np.triu_indices(20, 1)]
    assert abs(correlation.mean()) < 4 / np.sqrt(correlation.size * 24)


def test_who_holds_the_task_alone_cannot_redraw_its_canaries(make, tmp_path):
    """Canaries are drawn from the dataset's content: the same names, split rule and seed over other cells give others."""
    perts = [f"D{i:03d}" for i in range(60)]
    chosen = []
    for seed in (0, 1):
        groups = make.crossed(["C0"], perts, n=1) + make.crossed(["C1"], perts[:20], n=1)
        dataset = make.dataset(tmp_path / str(seed) / "d", groups, seed=seed)
        split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
        chosen.append(
            of_kinds(load_truth(build_task(dataset, split, "val", cache=tmp_path / "cache")), "canary")
        )
    assert chosen[0] != chosen[1]


@pytest.mark.parametrize("eval_split", ["val", "test"])
def test_canaries_never_name_a_perturbation_that_only_other_hidden_rows_have(make, tmp_path, eval_split):
    dataset = make.dataset(
        tmp_path / "d", make.crossed(["C0", "C1"], PERTS, without=[("C1", "G07"), ("C1", "G10")])
    )
    rule = dict.fromkeys(PERTS[6:9], "val") | dict.fromkeys(PERTS[9:], "test")
    split = make.split(dataset, lambda c, p: rule.get(p, "train"))
    truth = load_truth(build_task(dataset, split, eval_split, cache=tmp_path))
    hidden_elsewhere = set(PERTS[9:]) if eval_split == "val" else set()
    assert not {c.pert for c in of_kinds(truth, "canary")} & hidden_elsewhere
