"""STATE's split files: read with the rules that STATE leaves unchecked, written so that they come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset
from harness.datasets.export import export_h5ad
from harness.errors import ChangedError, HarnessError, UnknownNameError
from harness.splits.create import create_split, verify_split
from harness.splits.split import Role, Split
from harness.splits.state_files import check_files
from harness.splits.state_toml import export_checked, export_toml, import_toml

Grid = Callable[..., PerturbDataset]
GENES = [f"GENE{i}" for i in range(6)]
RECIPE = """
[datasets]
toy = "/abs/path/data"

[training]
toy = "train"

[zeroshot]
"toy.LineC" = "test"

[fewshot]

[fewshot."toy.LineB"]
val = ["GENE0"]
test = ["GENE1", "GENE2"]
"""


@pytest.fixture(scope="module")
def screen(grid: Grid) -> PerturbDataset:
    return grid(["LineA", "LineB", "LineC"], GENES, cells=3, controls=6, name="toy")


def toml(folder: Path, text: str) -> Path:
    path = folder / "split.toml"
    path.write_text(text)
    return path


def perturbed(screen: PerturbDataset, split: Split, role: Role) -> set[tuple[str, str]]:
    rows = split.rows(role)
    rows = rows[~screen.obs.is_control[rows]]
    return set(zip(screen.obs.context.names(rows), screen.obs.pert.names(rows), strict=True))


def test_a_zeroshot_line_is_held_out_whole_and_a_fewshot_line_loses_what_is_listed(
    screen: PerturbDataset, tmp_path: Path
) -> None:
    split = import_toml(toml(tmp_path, RECIPE), screen)
    assert perturbed(screen, split, "val") == {("LineB", "GENE0")}
    assert perturbed(screen, split, "test") == {
        ("LineB", "GENE1"), ("LineB", "GENE2"), *(("LineC", gene) for gene in GENES),
    }  # fmt: skip
    assert perturbed(screen, split, "train") == {
        *(("LineA", gene) for gene in GENES), *(("LineB", gene) for gene in GENES[3:]),
    }  # fmt: skip
    assert split.ood_axes == ["context"]
    verify_split(split, screen)


def test_a_split_round_trips_through_the_format(screen: PerturbDataset, tmp_path: Path) -> None:
    split = import_toml(toml(tmp_path, RECIPE), screen)
    again = import_toml(toml(tmp_path, export_toml(split, screen)), screen)
    assert np.array_equal(again.role_codes(), split.role_codes())


def test_a_native_split_is_exported_when_nothing_hidden_would_be_trained_on(
    grid: Grid, tmp_path: Path
) -> None:
    screen = grid(["Line.A", 'Line "B"', "C", "D"], GENES, cells=3, controls=6, name="my.screen")
    split = create_split(screen, "context_ood", iid_conditions=0)
    text = export_toml(split, screen, calib_as="val")
    again = import_toml(toml(tmp_path, text), screen)
    folded = np.where(split.role_codes() == 2, 1, split.role_codes())
    assert np.array_equal(again.role_codes(), folded)


def test_a_split_that_the_format_cannot_say_is_refused(grid: Grid) -> None:
    screen = grid(["LineA", "LineB", "LineC"], GENES)
    with pytest.raises(HarnessError, match="would train on cells that are hidden"):
        export_toml(create_split(screen, "context_ood"), screen, calib_as="val")
    with pytest.raises(HarnessError, match="calib"):
        export_toml(create_split(screen, "context_ood", iid_conditions=0), screen)


def test_what_is_written_was_read_back(screen: PerturbDataset, tmp_path: Path) -> None:
    split = import_toml(toml(tmp_path, RECIPE), screen)
    assert export_checked(split, screen) == export_toml(split, screen)


@pytest.fixture
def file(screen: PerturbDataset, tmp_path: Path) -> Path:
    """What STATE would train on."""
    export_h5ad(screen, tmp_path / "screen.h5ad")
    return tmp_path / "screen.h5ad"


def test_files_with_the_cells_of_the_dataset_are_taken(screen: PerturbDataset, file: Path) -> None:
    check_files(file, screen, pert_column="pert_id", line_column="context_id")
    check_files(file.parent, screen, pert_column="pert_id", line_column="context_id")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: None, "not categorical"),
        (lambda t: t.obs.drop(columns="context_id", inplace=True), "not there"),
        (
            lambda t: setattr(
                t, "obs", t.obs.assign(pert_id=t.obs["pert_id"].cat.rename_categories({"GENE0": "GEN0"}))
            ),
            "GEN0",
        ),
        (lambda t: t._inplace_subset_obs(range(1, len(t))), "another number of cells"),
        (lambda t: t._inplace_subset_var(t.var_names[::-1]), "another order"),
    ],
)
def test_files_that_say_something_else_are_refused_by_name(
    screen: PerturbDataset, file: Path, change: Callable[[Any], None], said: str
) -> None:
    table = anndata.read_h5ad(file)
    change(table)
    if said == "not categorical":  # anndata writes short text as categories of its own accord
        anndata.AnnData(table.X, var=table.var).write_h5ad(file)
        with h5py.File(file, "r+") as raw:
            raw["obs"]["pert_id"] = table.obs["pert_id"].to_numpy(object)
            raw["obs"]["context_id"] = table.obs["context_id"].astype(str).to_numpy(object)
    else:
        table.write_h5ad(file)
    with pytest.raises(HarnessError) as refused:
        check_files(file, screen, pert_column="pert_id", line_column="context_id")
    assert said in str(refused.value)


def test_an_export_over_another_dataset_is_refused(
    screen: PerturbDataset, grid: Grid, tmp_path: Path
) -> None:
    split = import_toml(toml(tmp_path, RECIPE), screen)
    with pytest.raises(ChangedError):
        export_toml(split, grid(["LineA"], GENES))


@pytest.mark.parametrize(
    ("told", "instead", "nearest"),
    [
        ('"toy.LineC"', '"toy.LinC"', "LineC"),
        ('"toy.LineB"', '"toy.lineB"', "LineB"),
        ('"GENE0"', '"GEN0"', "GENE0"),
        ('= "test"', '= "tset"', "test"),
        ("[zeroshot]", "[zero_shot]", "zeroshot"),
        ("val =", "vall =", "val"),
        ('"toy.LineC"', '"tooy.LineC"', "toy"),
        ('toy = "train"', 'tyo = "train"', "toy"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(
    screen: PerturbDataset, tmp_path: Path, told: str, instead: str, nearest: str
) -> None:
    assert told in RECIPE
    with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
        import_toml(toml(tmp_path, RECIPE.replace(told, instead)), screen)


def test_a_training_role_that_state_would_drop_without_a_word_is_refused(
    screen: PerturbDataset, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match="unknown role"):
        import_toml(toml(tmp_path, RECIPE.replace('toy = "train"', 'toy = "training"')), screen)


def test_a_line_in_both_sections_is_refused(screen: PerturbDataset, tmp_path: Path) -> None:
    text = RECIPE.replace('"toy.LineC" = "test"', '"toy.LineB" = "test"')
    with pytest.raises(HarnessError, match="'LineB' stands in"):
        import_toml(toml(tmp_path, text), screen)


def test_a_perturbation_in_val_and_test_is_refused(screen: PerturbDataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="'GENE0' stands in two lists"):
        import_toml(toml(tmp_path, RECIPE.replace('"GENE1"', '"GENE0"')), screen)


def test_lines_that_training_does_not_take_are_set_aside_by_name(
    screen: PerturbDataset, tmp_path: Path
) -> None:
    split = import_toml(toml(tmp_path, RECIPE.replace('toy = "train"', "")), screen)
    assert split.set_aside == {"lines that [training] does not take": ["LineA"]}


def test_a_file_of_several_datasets_asks_which_is_ours(screen: PerturbDataset, tmp_path: Path) -> None:
    text = RECIPE.replace('toy = "/abs/path/data"', 'mine = "/a"\nother = "/b"').replace("toy", "mine")
    with pytest.raises(UnknownNameError, match="unknown dataset 'toy'"):
        import_toml(toml(tmp_path, text), screen)
    assert import_toml(toml(tmp_path, text), screen, toml_dataset="mine").counts["val"] == 3


@pytest.mark.parametrize(
    "text", ["[datasets", "", "datasets = 3", '[datasets]\na = "x"\n[zeroshot]\nline = "test"']
)
def test_a_file_that_is_no_split_is_refused(screen: PerturbDataset, tmp_path: Path, text: str) -> None:
    with pytest.raises(HarnessError):
        import_toml(toml(tmp_path, text), screen)
