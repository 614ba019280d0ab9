"""`task.json`: what a submission is told, and nothing more."""

from __future__ import annotations

import pytest

from harness.contract.predictions import Expected
from harness.contract.task import TaskCard
from harness.errors import HarnessError

HIDDEN = ("truth", "sealed", "canary", "canaries", "reported", "calib", "iid", "n_test", "n_cells", "strata")


def card() -> TaskCard:
    return TaskCard.read(
        {
            "schema": 1,
            "name": "demo:context_ood",
            "dataset": {"name": "demo", "hash": "ab" * 32},
            "split": {"name": "context_ood", "hash": "cd" * 32},
            "eval_split": "test",
            "seed": 4,
            "unit": "profile",
            "x_kind": "zscore",
            "genes": ["MYC", "TP53", "KRAS"],
            "genes_hash": "ef" * 32,
            "control_label": "DMSO",
            "n_train": 10,
            "n_query": 5,
            "rows_per_condition": 1,
            "rows_limited_by": "profile",
            "perturbed_genes_known": 0,
            "files": {},
        },
        where="task.json",
    )


def test_a_card_is_read_back_from_its_own_document() -> None:
    assert TaskCard.read(card().document(), where="again") == card()
    assert card().document()["schema"] == 1


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        card().seed = 5  # type: ignore[misc]


@pytest.mark.parametrize("key", HIDDEN)
def test_a_card_has_no_place_for_what_is_hidden(key: str) -> None:
    with pytest.raises(HarnessError, match=f"unknown key '{key}'"):
        TaskCard.read({**card().document(), key: 1}, where="task.json")


def test_a_card_says_which_predictions_are_expected() -> None:
    expected = Expected.of(card(), var_required=True)
    assert (expected.n_query, expected.n_genes, expected.var_required) == (5, 3, True)
    assert expected.genes == ["MYC", "TP53", "KRAS"]
    assert expected.all_rows().tolist() == [0, 1, 2, 3, 4]
