"""Each leak rule alone: it passes an honest assignment and refuses a sabotaged one by name and row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits import leaks
from harness.splits.assignment import ASIDE, CALIB, TEST, TRAIN, VAL
from harness.splits.create import create_split
from harness.splits.leaks import Case

Grid = Callable[..., PerturbDataset]
CONTEXTS = ["C0", "C1", "C2"]
PERTS = ["A", "B", "C", "A+B"]


@pytest.fixture(scope="module")
def screen(grid: Grid) -> PerturbDataset:
    return grid(CONTEXTS, PERTS, cells=3, controls=6)


def roles(screen: PerturbDataset, **role_of_context: int) -> np.ndarray:
    codes = np.array([role_of_context.get(name, TRAIN) for name in screen.obs.context.levels], np.int8)
    return codes[screen.obs.context.codes]


def rows_of(screen: PerturbDataset, context: str, pert: str) -> np.ndarray:
    obs = screen.obs
    here = (obs.context.codes == obs.context.code(context)) & (obs.pert.codes == obs.pert.code(pert))
    return np.flatnonzero(here)


def refused(rule: leaks.Rule, case: Case, *words: str) -> None:
    with pytest.raises(HarnessError) as refusal:
        rule(case)
    for word in words:
        assert word in str(refusal.value)


def test_a_condition_in_two_roles_is_refused_with_rows_of_both(screen: PerturbDataset) -> None:
    codes = roles(screen, C2=TEST)
    leaks.conditions_apart(Case(screen, codes, {}))
    first, *rest = rows_of(screen, "C2", "B")
    codes[first] = VAL
    shown = f"row {first} (val), rows {rest[0]}, {rest[1]} (test)"
    refused(leaks.conditions_apart, Case(screen, codes, {}), "'C2 · B'", shown)


def test_a_held_out_context_with_training_cells_is_refused_even_if_no_condition_is_shared(
    screen: PerturbDataset,
) -> None:
    codes = roles(screen, C2=TEST)
    leaks.contexts_apart(Case(screen, codes, {}))
    rows = rows_of(screen, "C2", "B")
    codes[rows] = TRAIN
    leaks.conditions_apart(Case(screen, codes, {}))
    refused(leaks.contexts_apart, Case(screen, codes, {}), "context 'C2'", f"rows {rows[0]}, {rows[1]}")


def test_val_and_calib_may_share_a_context_but_not_with_test(screen: PerturbDataset) -> None:
    codes = roles(screen, C1=VAL, C2=TEST)
    codes[rows_of(screen, "C1", "A")] = CALIB
    leaks.contexts_apart(Case(screen, codes, {}))
    codes[rows_of(screen, "C2", "A")] = CALIB
    refused(leaks.contexts_apart, Case(screen, codes, {}), "context 'C2' stands in val and test")


def test_a_held_out_perturbation_inside_a_training_combination_is_refused(screen: PerturbDataset) -> None:
    codes = roles(screen)
    for context in CONTEXTS:
        codes[rows_of(screen, context, "A")] = TEST
        codes[rows_of(screen, context, "A+B")] = ASIDE
    leaks.perturbations_apart(Case(screen, codes, {}))
    codes[rows_of(screen, "C1", "A+B")[0]] = TRAIN
    row = rows_of(screen, "C1", "A+B")[0]
    refused(leaks.perturbations_apart, Case(screen, codes, {}), "perturbation 'A'", f"row {row} (train)")


def test_a_held_out_combination_may_not_train_in_another_context(screen: PerturbDataset) -> None:
    codes = roles(screen)
    codes[rows_of(screen, "C0", "A+B")] = TEST
    refused(leaks.labels_apart, Case(screen, codes, {}), "perturbation 'A+B'")
    for context in CONTEXTS:
        codes[rows_of(screen, context, "A+B")] = TEST
    leaks.labels_apart(Case(screen, codes, {}))


def test_a_pair_in_two_roles_is_refused_whatever_the_dose(everything: PerturbDataset) -> None:
    codes = np.full(everything.n_obs, TRAIN, np.int8)
    rows = rows_of(everything, "C0", "P01")
    high = rows[everything.obs.covariates["dose"][rows] == 3.0]
    codes[high] = TEST
    leaks.conditions_apart(Case(everything, codes, {}))
    refused(leaks.pairs_apart, Case(everything, codes, {}), "pair 'C0 · P01'")


def test_a_held_out_perturbation_that_training_has_not_seen_is_refused(screen: PerturbDataset) -> None:
    codes = roles(screen, C2=TEST)
    leaks.perturbations_seen(Case(screen, codes, {}))
    for context in ("C0", "C1"):
        codes[rows_of(screen, context, "C")] = ASIDE
    refused(
        leaks.perturbations_seen, Case(screen, codes, {}), "'C' is held out, but training has not seen it"
    )


def test_a_withheld_constituent_in_a_training_combination_is_refused(screen: PerturbDataset) -> None:
    codes = roles(screen)
    for context in CONTEXTS:
        codes[rows_of(screen, context, "B")] = ASIDE
    refused(leaks.withheld_unseen, Case(screen, codes, {"withheld": ["B"]}), "constituent 'B'")
    for context in CONTEXTS:
        codes[rows_of(screen, context, "A+B")] = TEST
    leaks.withheld_unseen(Case(screen, codes, {"withheld": ["B"]}))


def test_a_held_out_dataset_with_training_cells_is_refused(everything: PerturbDataset) -> None:
    split = create_split(everything, "dataset_ood", test_dataset="lab2")
    codes = split.role_codes()
    codes[everything.obs.context.codes == everything.obs.context.code("C3")] = VAL
    refused(
        leaks.datasets_apart, Case(everything, codes, split.params), "dataset 'lab2' stands in train and test"
    )


def test_a_training_dose_above_the_held_out_one_is_refused_in_extrapolation_alone(
    everything: PerturbDataset,
) -> None:
    rows = rows_of(everything, "C0", "P01")
    dose = everything.obs.covariates["dose"][rows]
    codes = np.full(everything.n_obs, ASIDE, np.int8)
    codes[rows[dose == 3.0]] = TRAIN
    params = {"covariate": "dose", "held_out": {"P01": 2.0}}
    leaks.values_beyond(Case(everything, codes, params | {"kind": "interpolation"}))
    refused(
        leaks.values_beyond, Case(everything, codes, params | {"kind": "extrapolation"}), "below 2", "dose 3"
    )
