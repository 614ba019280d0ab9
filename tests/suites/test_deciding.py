"""Supported, not supported, not decidable: what the numbers make of a claim."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from harness.statistics.intervals import Interval, paired_intervals
from harness.suites.comparison import Comparison, Value, adjusted
from harness.suites.deciding import Word, decide
from harness.suites.decisions import decide_gates
from harness.suites.sentence import parse
from harness.suites.suite_file import DecisionEntry
from harness.suites.tasks import MissingTask
from harness.verdicts.passports import Condition, Passport

BEATS = parse("a beats b on m in t")
HELPS = parse("x helps a over b on m in t")
HELPS_NOT = parse("x does not help a over b on m in t")
NOT_WORSE = parse("a is not worse than b on m in t")
GRANTED = Passport("m", True, (Condition("bracketed", "pass", 1.0, "far apart"),), 30)
REFUSED = Passport("m", False, (Condition("bracketed", "fail", 0.0, "no range"),), 30)
NO_REPLICATE = Passport("m", False, (Condition("bracketed", "fail", None, "0 conditions"),), 0)


def interval(mean: float, sd: float = 0.1, n: int = 30) -> Interval:
    values = np.random.default_rng(1).normal(0, sd, n)
    values += mean - values.mean()
    (found,) = paired_intervals(values[:, None], None, ["c"] * n, [f"p{i}" for i in range(n)], resamples=0)
    return found


def comparison(mean: float = 0.5, **more: object) -> Comparison:
    known = {
        "seeds": 3,
        "interval": interval(mean),
        "passport": GRANTED,
        "span": 1.0,
        "q": 0.001,
        "family": 4,
    }
    honest = {"permutation_p": 0.001, "failed_gates": ()}
    return Comparison("t", "a", "b", "m", **{**known, **honest, **more})


def test_a_clear_difference_with_all_that_a_claim_needs_is_supported():
    found = decide(BEATS, comparison())
    assert found.word is Word.SUPPORTED
    assert not found.reasons
    assert "+0.5 [0.4" in found.numbers
    assert "3 seeds" in found.numbers
    assert "q = 0.001 of 4 tests" in found.numbers


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"interval": interval(-0.5)}, "the other way"),
        ({"interval": interval(0.01)}, "is not above 0"),
        ({"q": 0.2}, "adjusted q = 0.2 of 4 tests"),
        ({"permutation_p": 0.3}, "permutation p = 0.3"),
        ({"failed_gates": ("canaries silent",)}, "gates not passed: canaries silent"),
        ({"left_out": 3}, "no value in 3 conditions"),
    ],
)
def test_what_speaks_against_a_claim_makes_it_not_supported(change, said):
    found = decide(BEATS, comparison(**change))
    assert found.word is Word.NOT_SUPPORTED
    assert any(said in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unknown": "the dataset is not here"}, "not here"),
        ({"interval": interval(0.5, n=1)}, "one condition alone"),
        ({"interval": interval(0.05, sd=1.0)}, "underpowered"),
        ({"passport": None}, "was not determined"),
        ({"passport": REFUSED}, "uninformative here: no range"),
        ({"permutation_p": None}, "labels could be exchanged"),
        ({"failed_gates": None, "gates_unknown": "without controls"}, "without controls"),
    ],
)
def test_what_the_data_cannot_tell_is_said_to_be_undecidable(change, said):
    found = decide(BEATS, comparison(**change))
    assert found.word is Word.NOT_DECIDABLE
    assert any(said in reason for reason in found.reasons)


@pytest.mark.parametrize(("mean", "would"), [(0.5, "would be supported"), (-0.5, "would be not supported")])
def test_fewer_than_three_seeds_describe_and_decide_nothing(mean, would):
    found = decide(BEATS, comparison(interval=interval(mean), seeds=1))
    assert found.word is Word.NOT_DECIDABLE
    assert "descriptive: 1 training seed, 3 are needed" in found.reasons[0]
    assert would in found.reasons[0]


def test_an_ablation_needs_neither_gates_nor_labels_and_no_passport_where_there_is_no_replicate():
    bare = {"permutation_p": None, "failed_gates": None}
    assert decide(HELPS, comparison(**bare)).word is Word.SUPPORTED
    assert decide(HELPS, comparison(**bare, passport=NO_REPLICATE)).word is Word.SUPPORTED
    assert decide(HELPS, comparison(**bare, passport=REFUSED)).word is Word.NOT_DECIDABLE


def test_not_to_help_is_shown_where_a_gain_is_excluded():
    assert decide(HELPS_NOT, comparison(interval=interval(0.0, sd=0.01))).word is Word.SUPPORTED
    assert decide(HELPS_NOT, comparison(interval=interval(0.0, sd=1.0))).word is Word.NOT_DECIDABLE
    assert decide(HELPS_NOT, comparison()).word is Word.NOT_SUPPORTED


def test_not_worse_is_a_matter_of_the_margin():
    assert decide(NOT_WORSE, comparison(interval=interval(-0.01, sd=0.01))).word is Word.SUPPORTED
    assert decide(NOT_WORSE, comparison(interval=interval(-0.5))).word is Word.NOT_SUPPORTED
    assert decide(NOT_WORSE, comparison(interval=interval(0.0, sd=1.0))).word is Word.NOT_DECIDABLE
    assert decide(NOT_WORSE, comparison(span=None)).word is Word.NOT_DECIDABLE


@pytest.mark.parametrize(
    ("limits", "word"),
    [((0.88, 0.93), Word.SUPPORTED), ((0.5, 0.6), Word.NOT_SUPPORTED), ((0.8, 0.9), Word.NOT_DECIDABLE)],
)
def test_a_value_lies_where_its_interval_lies(limits, word):
    said = parse("m of a is within 0.05 of 0.9 in t")
    value = Value(sum(limits) / 2, *limits, "by hand")
    assert decide(said, Comparison("t", "a", "", "m", seeds=3, value=value)).word is word


def test_all_comparisons_of_a_suite_are_one_family():
    weak, strong = comparison(interval=interval(0.02)), comparison()
    alone = adjusted([(weak,)])[0][0]
    among = adjusted([(weak, replace(weak, unknown="lost", interval=None, q=None)), (strong,)])
    assert among[0][0].family == 2
    assert among[0][1].q is None
    assert alone.q == pytest.approx(weak.interval.p)
    assert among[0][0].q >= alone.q - 1e-12
    assert math.isfinite(among[1][0].q)


WORDS = {"yes": Word.SUPPORTED, "no": Word.NOT_SUPPORTED, "open": Word.NOT_DECIDABLE}


@pytest.mark.parametrize(
    ("gate", "answer"),
    [
        ({"all": ["yes"]}, "go"),
        ({"all": ["yes", "no"]}, "no-go"),
        ({"all": ["yes", "open"]}, "not decidable"),
        ({"of": ["yes", "no"], "at_least": 1}, "go"),
        ({"of": ["no", "open"], "at_least": 1}, "not decidable"),
        ({"of": ["yes", "no"], "at_least": 2}, "no-go"),
        ({"of": ["yes", "yes2"], "at_least": 2, "datasets": 2}, "go"),
        ({"of": ["yes"], "at_least": 1, "datasets": 2}, "no-go"),
        ({"all": ["yes"], "seeds": 5}, "not decidable"),
    ],
)
def test_a_gate_goes_stops_or_cannot_be_decided(gate, answer):
    entry = DecisionEntry(name="G", title="t", **gate)
    tasks = {name: MissingTask(name, "not here") for name in ("t1", "t2")}
    evidence = SimpleNamespace(suite=SimpleNamespace(gates=[entry]), task=tasks.__getitem__)
    tested = ((comparison(), None),)
    claims = [
        SimpleNamespace(name=name, word=word, findings=tested, said=SimpleNamespace(tasks=("t1",)))
        for name, word in WORDS.items()
    ]
    claims.append(
        SimpleNamespace(
            name="yes2", word=Word.SUPPORTED, findings=tested, said=SimpleNamespace(tasks=("t2",))
        )
    )
    (decision,) = decide_gates(evidence, claims)
    assert decision.answer == answer
