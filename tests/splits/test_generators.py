"""What each regime promises beyond what holds for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError, UnknownNameError
from harness.splits.create import create_split, create_splits
from harness.splits.generators.imbalance import normalised_entropy, thin
from harness.splits.split import Role, Split

Grid = Callable[..., PerturbDataset]
PERTS = [f"P{i:02d}" for i in range(40)]


def contexts_of(dataset: PerturbDataset, split: Split, role: Role) -> set[str]:
    rows = split.rows(role)
    return set(dataset.obs.context.names(rows[~dataset.obs.is_control[rows]]))


def perts_of(dataset: PerturbDataset, split: Split, role: Role) -> set[str]:
    rows = split.rows(role)
    return set(dataset.obs.pert.names(rows[~dataset.obs.is_control[rows]]))


class TestContextOod:
    def test_val_and_calib_are_whole_other_contexts_from_five_contexts_on(self, grid: Grid) -> None:
        screen = grid([f"C{i}" for i in range(5)], PERTS[:6])
        split = create_split(screen, "context_ood", holdout_context=("C0",))
        val, calib = (contexts_of(screen, split, role) for role in ("val", "calib"))
        assert contexts_of(screen, split, "test") == {"C0"}
        assert len(val) == len(calib) == 1
        assert not val & calib
        assert split.params["val_context"] == sorted(val)

    def test_calib_is_carved_out_of_val_below_five_contexts(self, grid: Grid) -> None:
        screen = grid(["C0", "C1", "C2", "C3"], PERTS[:10])
        split = create_split(screen, "context_ood", holdout_context=("C0",))
        assert contexts_of(screen, split, "calib") == contexts_of(screen, split, "val")
        assert len(perts_of(screen, split, "calib")) == 3
        assert not perts_of(screen, split, "calib") & perts_of(screen, split, "val")

    def test_perturbations_that_training_has_not_seen_are_set_aside_by_name(self, grid: Grid) -> None:
        screen = grid(["C0", "C1", "C2"], [*PERTS[:6], "ONLY"], without=[("C1", "ONLY"), ("C2", "ONLY")])
        split = create_split(screen, "context_ood", holdout_context=("C0",))
        assert split.set_aside == {"perturbations of test that training has not seen": ["ONLY"]}
        assert "ONLY" not in perts_of(screen, split, "test")
        aside = np.flatnonzero(split.role_codes() < 0)
        assert set(screen.obs.pert.names(aside)) == {"ONLY"}

    def test_controls_have_the_role_of_their_context(self, grid: Grid) -> None:
        screen = grid(["C0", "C1", "C2"], PERTS[:6])
        split = create_split(screen, "context_ood", holdout_context=("C0",))
        controls = split.rows("test")[screen.obs.is_control[split.rows("test")]]
        assert len(controls) == 30
        assert set(screen.obs.context.names(controls)) == {"C0"}

    def test_a_fraction_holds_out_so_many_contexts(self, grid: Grid) -> None:
        screen = grid([f"C{i}" for i in range(8)], PERTS[:4])
        split = create_split(screen, "context_ood", fraction=0.25)
        assert len(contexts_of(screen, split, "test")) == 2

    def test_choices_that_are_written_out_give_the_same_split_as_those_that_were_drawn(
        self, grid: Grid
    ) -> None:
        screen = grid([f"C{i}" for i in range(6)], PERTS[:4])
        drawn = create_split(screen, "context_ood")
        told = {key: tuple(drawn.params[key]) for key in ("holdout_context", "val_context", "calib_context")}
        assert create_split(screen, "context_ood", **told) == drawn

    def test_an_unknown_context_is_refused_with_the_nearest(self, grid: Grid) -> None:
        screen = grid(["K562", "RPE1", "Jurkat"], PERTS[:4])
        with pytest.raises(UnknownNameError, match="did you mean 'Jurkat'"):
            create_split(screen, "context_ood", holdout_context=("Jurcat",))

    def test_two_contexts_are_refused_with_what_is_needed(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match=r"at least three.*\n(.*\n)*.*covariate_transfer"):
            create_split(grid(["C0", "C1"], PERTS[:4]), "context_ood")

    def test_holding_out_every_context_is_refused(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="no context is left to train on"):
            create_split(
                grid(["C0", "C1", "C2"], PERTS[:4]), "context_ood", holdout_context=("C0", "C1", "C2")
            )

    def test_a_context_named_for_two_roles_is_refused(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="named for two roles"):
            create_split(
                grid(["C0", "C1", "C2"], PERTS[:4]),
                "context_ood",
                holdout_context=("C0",),
                val_context=("C0",),
            )


class TestIid:
    def test_small_conditions_train_whole_and_large_ones_give_their_fractions(self, grid: Grid) -> None:
        large = create_split(grid(["C0"], ["A"], cells=100), "iid")
        assert {role: large.counts[role] for role in ("train", "test", "val", "calib")} == {
            "train": 60 + 30,
            "test": 20,
            "val": 10,
            "calib": 10,
        }
        with pytest.raises(HarnessError, match="without cells"):
            create_split(grid(["C0"], ["A"], cells=9), "iid")


class TestPerturbationOod:
    def test_combinations_of_mixed_roles_are_set_aside_by_name(self, grid: Grid) -> None:
        screen = grid(["C0"], [*PERTS, "P00+P01", "P00+P02"])
        split = create_split(screen, "perturbation_ood", holdout_perturbation=("P00", "P01"))
        assert perts_of(screen, split, "test") == {"P00", "P01", "P00+P01"}
        assert split.set_aside == {"combinations of constituents with different roles": ["P00+P02"]}

    def test_calibration_gets_nineteen_perturbations_where_the_data_allow(self, grid: Grid) -> None:
        screen = grid(["C0"], [f"Q{i}" for i in range(130)], cells=1)
        split = create_split(screen, "perturbation_ood")
        assert len(perts_of(screen, split, "calib")) == 19
        assert not any("calib holds" in note for note in split.notes)

    def test_a_small_calibration_set_is_said_in_the_notes(self, grid: Grid) -> None:
        split = create_split(grid(["C0"], PERTS), "perturbation_ood")
        assert any("calib holds 6 perturbations" in note for note in split.notes)


class TestCombo:
    def test_strata_count_the_constituents_that_train_alone(self, everything: PerturbDataset) -> None:
        split = create_split(everything, "combo", seed=3)
        alone = perts_of(everything, split, "train")
        hidden = set()
        for stratum, runs in split.strata.items():
            rows = np.concatenate([np.arange(a, b) for a, b in runs])
            for pert in set(everything.obs.pert.names(rows)):
                assert stratum == f"seen{sum(part in alone for part in pert.split('+'))}"
                hidden.add(pert)
        roles: tuple[Role, ...] = ("test", "val", "calib")
        assert hidden == set().union(*(perts_of(everything, split, role) for role in roles))
        assert {"seen1", "seen2"} <= set(split.strata)

    def test_every_single_trains_when_nothing_is_withheld(self, everything: PerturbDataset) -> None:
        split = create_split(everything, "combo", unseen_fraction=0)
        assert set(split.strata) == {"seen2"}
        assert split.ood_axes == ["combination"]
        assert {f"P{i:02d}" for i in range(24)} <= perts_of(everything, split, "train")

    def test_a_screen_without_combinations_is_refused_with_what_is_needed(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="at least four combinations"):
            create_split(grid(["C0"], PERTS), "combo")


class TestCovariateTransfer:
    def test_no_context_misses_more_than_its_fraction_and_no_perturbation_more_than_one_context(
        self, grid: Grid
    ) -> None:
        screen = grid(["C0", "C1", "C2"], PERTS, without=[("C0", p) for p in PERTS[:20]])
        split = create_split(screen, "covariate_transfer")
        hidden = np.isin(split.role_codes(), (1, 2, 3)) & ~screen.obs.is_control
        pairs = set(zip(screen.obs.context.names(hidden), screen.obs.pert.names(hidden), strict=True))
        for context, measured in (("C0", 20), ("C1", 40), ("C2", 40)):
            assert 0 < sum(c == context for c, _ in pairs) <= 0.3 * measured
        assert len({pert for _, pert in pairs}) == len(pairs)

    def test_one_context_is_refused_with_what_is_needed(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="at least two contexts"):
            create_split(grid(["C0"], PERTS), "covariate_transfer")


class TestScaling:
    @pytest.mark.parametrize("by", ["cells", "conditions"])
    def test_smaller_training_sets_are_contained_in_larger_ones_and_the_test_is_the_same(
        self, grid: Grid, by: str
    ) -> None:
        screen = grid([f"C{i}" for i in range(8)], PERTS[:8])
        fractions = (0.4, 0.7, 1.0)
        splits = [
            create_split(screen, "scaling", train_fraction=f, by=by, iid_conditions=5) for f in fractions
        ]
        trained = [set(split.rows("train")) for split in splits]
        assert trained[0] < trained[1] < trained[2]
        for role in ("val", "calib", "test", "iid"):
            assert splits[0].roles[role] == splits[1].roles[role] == splits[2].roles[role]

    def test_too_small_a_fraction_of_conditions_is_refused_with_the_smallest_possible(
        self, grid: Grid
    ) -> None:
        screen = grid(["C0", "C1", "C2"], PERTS[:8])
        with pytest.raises(HarnessError, match="at least 1 of 8 conditions"):
            create_split(screen, "scaling", train_fraction=0.5, by="conditions")

    def test_the_family_is_four_splits_that_name_their_fraction(self, grid: Grid) -> None:
        screen = grid(["C0", "C1", "C2"], PERTS[:8])
        assert [split.name for split in create_splits(screen, "scaling")] == [
            "scaling-0.1", "scaling-0.25", "scaling-0.5", "scaling-1",
        ]  # fmt: skip


class TestImbalance:
    def test_lower_entropies_are_contained_in_higher_ones_and_the_test_is_the_same(self, grid: Grid) -> None:
        screen = grid([f"C{i}" for i in range(6)], PERTS)
        splits = create_splits(screen, "imbalance")
        trained = [set(split.rows("train")) for split in splits]
        assert trained[0] > trained[1] > trained[2] > trained[3]
        for role in ("val", "calib", "test", "iid"):
            assert len({tuple(split.roles[role]) for split in splits}) == 1

    @pytest.mark.parametrize("entropy", [1.0, 0.9, 0.8, 0.7])
    def test_the_entropy_of_what_trains_is_the_one_asked_for(self, grid: Grid, entropy: float) -> None:
        screen = grid([f"C{i}" for i in range(6)], PERTS)
        split = create_split(screen, "imbalance", entropy=entropy)
        rows = split.rows("train")
        rows = rows[~screen.obs.is_control[rows]]
        pairs = set(zip(screen.obs.context.names(rows), screen.obs.pert.names(rows), strict=True))
        sizes = np.unique([context for context, _ in pairs], return_counts=True)[1]
        assert normalised_entropy(sizes) == pytest.approx(entropy, abs=0.02)

    def test_even_shares_have_entropy_one(self) -> None:
        assert normalised_entropy(np.array([7, 7, 7])) == pytest.approx(1)

    def test_an_entropy_that_so_few_perturbations_cannot_reach_is_refused(self) -> None:
        with pytest.raises(HarnessError, match="cannot be reached"):
            thin(2, 2, 0.97)


class TestOrdered:
    @pytest.mark.parametrize(("kind", "held"), [("extrapolation", 3.0), ("interpolation", 2.0)])
    @pytest.mark.parametrize("axis", ["dose", "time"])
    def test_the_highest_or_the_inner_value_is_held_out_in_every_context(
        self, everything: PerturbDataset, axis: str, kind: str, held: float
    ) -> None:
        split = create_split(everything, axis, kind=kind)
        assert set(split.params["held_out"].values()) == {held}
        hidden = np.isin(split.role_codes(), (1, 2, 3)) & ~everything.obs.is_control
        assert set(everything.obs.covariates[axis][hidden]) == {held}
        assert set(everything.obs.context.names(hidden)) == set(everything.obs.context.levels)
        assert split.ood_axes == [axis]

    def test_a_covariate_that_is_no_intervention_is_refused(self, everything: PerturbDataset) -> None:
        with pytest.raises(HarnessError, match="not part of the intervention"):
            create_split(everything, "dose", covariate="moa")

    def test_a_screen_without_doses_is_refused_with_what_is_needed(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="needs a covariate that describes the intervention"):
            create_split(grid(["C0"], PERTS), "dose")


class TestGroups:
    def test_drugs_of_one_group_have_one_role(self, everything: PerturbDataset) -> None:
        split = create_split(everything, "drug_holdout", groups="moa")
        group_of = dict(
            zip(everything.obs.pert.names(), everything.obs.covariate_text("moa").names(), strict=True)
        )
        roles: tuple[Role, ...] = ("train", "val", "calib", "test")
        groups = [{group_of[p] for p in perts_of(everything, split, r) if "+" not in p} for r in roles]
        assert sum(map(len, groups)) == len(set().union(*groups)) == 8

    def test_whole_mechanisms_are_held_out(self, everything: PerturbDataset) -> None:
        split = create_split(everything, "moa_holdout", holdout_moa=("class 3",))
        assert perts_of(everything, split, "test") == {"P03", "P11", "P19"}

    def test_a_mapping_file_sets_drugs_of_unclear_mechanism_aside_and_is_recorded_by_its_hash(
        self, grid: Grid, tmp_path: Path
    ) -> None:
        screen = grid(["C0"], PERTS)
        table = tmp_path / "moa.tsv"
        table.write_text(
            "".join(f"{p}\t{'unclear' if p == 'P00' else f'class {i % 5}'}\n" for i, p in enumerate(PERTS))
        )
        split = create_split(screen, "moa_holdout", moa=str(table))
        assert split.set_aside == {"perturbations without a group": ["P00"]}
        assert len(split.params["groups_sha256"]) == 64
        assert str(tmp_path) not in str(split.params)

    def test_a_drug_with_two_mechanisms_is_refused(self, grid: Grid, tmp_path: Path) -> None:
        table = tmp_path / "moa.tsv"
        table.write_text("P00\ta\nP00\tb\n")
        with pytest.raises(HarnessError, match="two groups"):
            create_split(grid(["C0"], PERTS), "moa_holdout", moa=str(table))

    def test_no_mapping_at_all_is_refused_with_what_is_needed(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="perturbation<tab>group"):
            create_split(grid(["C0"], PERTS), "moa_holdout")


class TestDrugCell:
    def test_neither_the_drugs_nor_the_contexts_of_test_train(self, grid: Grid) -> None:
        screen = grid([f"C{i}" for i in range(10)], PERTS[:20], cells=2)
        split = create_split(screen, "drug_cell")
        assert len(contexts_of(screen, split, "test")) == 2
        assert len(perts_of(screen, split, "test")) == 4
        assert not contexts_of(screen, split, "test") & contexts_of(screen, split, "train")
        assert not perts_of(screen, split, "test") & perts_of(screen, split, "train")


class TestDatasetOod:
    def test_the_held_out_dataset_is_test_and_another_is_val(self, everything: PerturbDataset) -> None:
        split = create_split(everything, "dataset_ood", test_dataset="lab2", val_dataset="lab3")
        assert contexts_of(everything, split, "test") == {"C2", "C3"}
        assert contexts_of(everything, split, "val") == {"C4", "C5"}
        assert contexts_of(everything, split, "train") == {"C0", "C1"}

    def test_with_two_datasets_val_is_a_context_of_the_one_that_trains(self, grid: Grid) -> None:
        contexts = ["C0", "C1", "C2"]
        origin = ["new" if c == "C2" else "old" for c in contexts for _ in range(30)]
        origin += ["new" if c == "C2" else "old" for c in contexts for _ in range(14 * 8)]
        screen = grid(contexts, PERTS[:8], covariates={"dataset_id": origin})
        split = create_split(screen, "dataset_ood", test_dataset="new")
        assert contexts_of(screen, split, "test") == {"C2"}
        assert len(contexts_of(screen, split, "val")) == 1

    def test_a_screen_of_one_dataset_is_refused_with_what_is_needed(self, grid: Grid) -> None:
        with pytest.raises(HarnessError, match="merged artifact"):
            create_split(grid(["C0", "C1", "C2"], PERTS[:4]), "dataset_ood")
