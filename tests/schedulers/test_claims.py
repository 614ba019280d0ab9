"""What a task needs against what a submission claims."""

from __future__ import annotations

import pytest

from harness.contract.manifest import Claims
from harness.schedulers.claims import declined_because
from harness.splits.create import create_split

INPUTS = ("unseen_contexts", "unseen_perturbations", "combinations")


def claims(*able: str, **more) -> Claims:
    return Claims(**dict.fromkeys(INPUTS, False) | dict.fromkeys(able, True) | more)


@pytest.mark.parametrize(
    ("regime", "needs"),
    [
        ("context_ood", {"unseen_contexts"}),
        ("perturbation_ood", {"unseen_perturbations"}),
        ("combo", {"combinations"}),
        ("iid", set()),
    ],
)
def test_each_regime_asks_for_its_own_ability(demo_dataset, regime, needs):
    split = create_split(demo_dataset, regime)
    for name in needs:
        able = [other for other in INPUTS if other != name]
        assert len(declined_because(claims(*able), demo_dataset, split, "val", [])) == 1
    assert declined_because(claims(*INPUTS), demo_dataset, split, "val", []) == []
    if not needs:
        assert declined_because(claims(), demo_dataset, split, "val", []) == []


def test_a_reason_names_what_is_asked_for(tiny, tiny_split):
    (reason,) = declined_because(claims("unseen_perturbations", "combinations"), tiny, tiny_split, "val", [])
    held_out = {
        tiny.conditions.table[i].context for i in tiny.conditions.of_row[tiny_split.rows("val")] if i >= 0
    }
    assert any(context in reason for context in held_out)


def test_inputs_that_the_task_has_are_no_reason(tiny, tiny_split, tmp_path):
    reads = claims(*INPUTS, inputs=["expression", "counts", "graph"])
    assert len(declined_because(reads, tiny, tiny_split, "val", [])) == 1
    assert declined_because(reads, tiny, tiny_split, "val", [tmp_path / "true.npz"]) == []
