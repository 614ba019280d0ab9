"""What holds for every regime, found by walking all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.errors import HarnessError, UnknownNameError
from harness.splits.assignment import CODE, IID, TEST, TRAIN, VAL
from harness.splits.create import create_split, create_splits, verify_split
from harness.splits.leaks import Case, check_leaks
from harness.splits.regimes import find_regime, regimes
from harness.splits.split import ROLES, Split, freeze

ONE_MEMBER = {
    "loco": {"holdout_context": "C1"},
    "scaling": {"train_fraction": 0.5},
    "imbalance": {"entropy": 0.8},
}
EVERY = sorted(regimes())
OOD = [name for name in EVERY if name != "iid"]
WANTED = {
    "combo", "context_ood", "covariate_transfer", "dataset_ood", "dose", "drug_cell", "drug_holdout", "iid",
    "imbalance", "loco", "moa_holdout", "perturbation_ood", "scaling", "time",
}  # fmt: skip

Make = Callable[..., Split]


@pytest.fixture(scope="module")
def make(everything: PerturbDataset) -> Make:
    def of(regime: str, seed: int = 0) -> Split:
        return create_split(everything, regime, seed=seed, **ONE_MEMBER.get(regime, {}))

    return of


def test_every_regime_of_the_specification_is_found_by_its_file() -> None:
    assert set(regimes()) == WANTED


@pytest.mark.parametrize("regime", EVERY)
def test_a_regime_says_what_it_does_in_a_sentence(regime: str) -> None:
    assert find_regime(regime).summary.endswith(".")


@pytest.mark.parametrize("regime", EVERY)
def test_the_same_call_gives_the_same_hash_and_another_seed_another_split(make: Make, regime: str) -> None:
    assert make(regime).frozen_hash == make(regime).frozen_hash
    assert make(regime).roles != make(regime, seed=1).roles


@pytest.mark.parametrize("regime", EVERY)
def test_train_val_and_test_hold_perturbed_cells(make: Make, everything: PerturbDataset, regime: str) -> None:
    split = make(regime)
    for role in ("train", "val", "test", "calib"):
        assert not everything.obs.is_control[split.rows(role)].all(), role


@pytest.mark.parametrize("regime", EVERY)
def test_every_control_has_a_role_that_is_not_iid(
    make: Make, everything: PerturbDataset, regime: str
) -> None:
    codes = make(regime).role_codes()[everything.obs.is_control]
    assert (codes >= 0).all()
    assert (codes != IID).all()


@pytest.mark.parametrize("regime", EVERY)
def test_a_split_keeps_the_promises_of_its_regime_when_it_is_verified(
    make: Make, everything: PerturbDataset, regime: str
) -> None:
    verify_split(make(regime), everything)


@pytest.mark.parametrize("regime", OOD)
def test_iid_cells_are_hidden_cells_of_conditions_that_train(
    make: Make, everything: PerturbDataset, regime: str
) -> None:
    split = make(regime)
    of_row = everything.conditions.of_row
    hidden, counts = np.unique(of_row[split.rows("iid")], return_counts=True)
    assert 0 < len(hidden) <= 50
    assert counts.min() >= 4
    assert set(hidden) <= set(of_row[split.rows("train")])


@pytest.mark.parametrize("regime", OOD)
@pytest.mark.parametrize("hidden_role", [TEST, VAL])
def test_one_held_out_cell_given_to_training_is_refused_by_its_row(
    make: Make, everything: PerturbDataset, regime: str, hidden_role: int
) -> None:
    split = make(regime)
    codes = split.role_codes()
    row = np.flatnonzero((codes == hidden_role) & ~everything.obs.is_control)[0]
    codes[row] = TRAIN
    with pytest.raises(HarnessError, match="split leaks") as refusal:
        check_leaks(Case(everything, codes, split.params), find_regime(regime).rules)
    assert f"row {row} (train)" in str(refusal.value)
    assert str(everything.conditions.table[everything.conditions.of_row[row]]) in refusal.value.what


@pytest.mark.parametrize("regime", OOD)
def test_a_leaky_split_that_was_frozen_by_other_means_is_refused_by_verify(
    make: Make, everything: PerturbDataset, regime: str
) -> None:
    split = make(regime)
    codes = split.role_codes()
    codes[np.flatnonzero((codes == TEST) & ~everything.obs.is_control)[-1]] = TRAIN
    leaky = freeze(
        name=split.name,
        dataset=split.dataset,
        regime=split.regime,
        params=split.params,
        seed=split.seed,
        ood_axes=list(split.ood_axes),
        role_of=codes,
    )
    with pytest.raises(HarnessError, match="split leaks"):
        verify_split(leaky, everything)


def test_loco_makes_one_split_per_context(everything: PerturbDataset) -> None:
    splits = create_splits(everything, "loco")
    assert [split.name for split in splits] == [f"loco-C{i}" for i in range(6)]
    for i, split in enumerate(splits):
        rows = split.rows("test")
        assert set(everything.obs.context.names(rows)) == {f"C{i}"}


def test_one_member_of_a_family_can_be_made_alone(everything: PerturbDataset) -> None:
    alone = create_splits(everything, "loco", name="loco-C2", holdout_context="C2")
    assert alone[0] == create_splits(everything, "loco")[2]


def test_an_unknown_regime_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="context_ood"):
        find_regime("context_odd")


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="holdout_context"):
        find_regime("context_ood").parse({"holdout_contxt": ["C0"]})


def test_a_parameter_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(HarnessError, match="iid_fraction"):
        find_regime("context_ood").parse({"iid_fraction": ["a quarter"]})


def test_typed_parameters_are_read_by_their_types() -> None:
    told = {"holdout_context": ["C0", "C1"], "fraction": ["0.5"], "iid_conditions": ["7"]}
    assert find_regime("context_ood").parse(told) == {
        "holdout_context": ("C0", "C1"),
        "fraction": 0.5,
        "iid_conditions": 7,
    }


def test_hidden_cells_whose_controls_are_set_aside_are_refused(
    make: Make, everything: PerturbDataset
) -> None:
    split = make("context_ood")
    codes = split.role_codes()
    codes[everything.obs.in_pool(Pool.A)] = -1
    with pytest.raises(HarnessError, match="controls are set aside"):
        check_leaks(Case(everything, codes, split.params), ())


def test_iid_cells_without_training_cells_beside_them_are_refused(
    make: Make, everything: PerturbDataset
) -> None:
    split = make("context_ood")
    codes = split.role_codes()
    row = split.rows("iid")[0]
    of_row = everything.conditions.of_row
    codes[(of_row == of_row[row]) & (codes == TRAIN)] = -1
    with pytest.raises(HarnessError, match="role iid"):
        check_leaks(Case(everything, codes, split.params), ())


def test_role_codes_are_positions_in_the_list_of_roles() -> None:
    assert [ROLES[CODE[role]] for role in ROLES] == list(ROLES)
