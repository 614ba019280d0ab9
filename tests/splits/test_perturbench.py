"""PerturBench's split files: imported exactly, refused by name where they do not fit."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.create import create_split, verify_split
from harness.splits.perturbench import export_perturbench, import_perturbench, read_labels
from harness.splits.split import Split

Build = Callable[..., PerturbDataset]
FIXTURES = Path(__file__).parents[1] / "parity" / "perturbench"
CASES = ["split_transfer_one_covariate", "split_combination_one_covariate"]


def table(case: str) -> list[dict[str, str]]:
    with (FIXTURES / f"{case}.obs.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def expected(case: str) -> dict[str, Any]:
    return dict(json.loads((FIXTURES / f"{case}.json").read_text()))


def dataset_of(build: Build, case: str) -> PerturbDataset:
    cells = table(case)
    return build(
        context=[cell["cell_type"] for cell in cells],
        pert=[cell["condition"] for cell in cells],
        cell_ids=[cell["cell_id"] for cell in cells],
        name=case,
    )


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def dataset(build: Build, case: str) -> PerturbDataset:
    return dataset_of(build, case)


@pytest.fixture
def small(build: Build) -> PerturbDataset:
    return build(
        context=["x"] * 6, pert=["control", "A", "B", "A", "control", "B"],
        cell_ids=["0012", "1.0", "7", "3", "1e5", "12"], name="small",
    )  # fmt: skip


def assert_exact(split: Split, dataset: PerturbDataset, case: str) -> None:
    """Cells of each role, in the order of the official table, hash as the official run's do."""
    told = expected(case)
    ids = dataset.cell_ids()
    for role in ("train", "val", "test"):
        ours = set(ids[split.rows(role)])
        in_order = [cell["cell_id"] for cell in table(case) if cell["cell_id"] in ours]
        assert hashlib.sha256("\n".join(in_order).encode()).hexdigest() == told["index_sha256"][role]
        assert split.counts[role] == told["cells_per_split"][role]
        controls = int(dataset.obs.is_control[split.rows(role)].sum())
        assert controls == told["control_cells_per_split"][role]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_an_official_split_is_imported_cell_by_cell(dataset: PerturbDataset, case: str) -> None:
    split = import_perturbench(FIXTURES / f"{case}.split.csv", dataset)
    assert_exact(split, dataset, case)
    verify_split(split, dataset)


@pytest.mark.parametrize("header", ["cell_id,split", ",transfer_split_seed42", "barcode,0"])
def test_a_header_is_passed_over(dataset: PerturbDataset, case: str, header: str, tmp_path: Path) -> None:
    lines = (FIXTURES / f"{case}.split.csv").read_text().splitlines()
    path = write(tmp_path / "with_header.csv", [header, *lines])
    assert_exact(import_perturbench(path, dataset), dataset, case)


def test_the_order_of_the_lines_does_not_matter(dataset: PerturbDataset, case: str, tmp_path: Path) -> None:
    lines = (FIXTURES / f"{case}.split.csv").read_text().splitlines()
    shuffled = [lines[i] for i in np.random.default_rng(3).permutation(len(lines))]
    assert_exact(import_perturbench(write(tmp_path / "s.csv", shuffled), dataset), dataset, case)


def test_cells_without_a_label_are_set_aside(dataset: PerturbDataset, case: str, tmp_path: Path) -> None:
    lines = (FIXTURES / f"{case}.split.csv").read_text().splitlines()
    trained = [i for i, line in enumerate(lines) if line.endswith(",train")]
    excluded = [lines[i].split(",")[0] for i in trained[:40]]
    for i in trained[:40]:
        lines[i] = lines[i].removesuffix("train")
    split = import_perturbench(write(tmp_path / "s.csv", lines), dataset)
    aside = dataset.cell_ids()[split.role_codes() < 0]
    assert sorted(aside) == sorted(excluded)
    assert split.counts["train"] == expected(case)["cells_per_split"]["train"] - 40


def test_what_is_out_of_distribution_is_found_from_the_cells(build: Build) -> None:
    axes = {
        case: import_perturbench(FIXTURES / f"{case}.split.csv", dataset_of(build, case)).ood_axes
        for case in CASES
    }
    assert axes == {CASES[0]: ["context"], CASES[1]: ["combination"]}


def test_ids_that_look_like_numbers_stay_text(small: PerturbDataset, tmp_path: Path) -> None:
    lines = ["1e5,train", "12,test", "7,test", "3,train", "1.0,train", "0012,train"]
    split = import_perturbench(write(tmp_path / "s.csv", lines), small)
    assert sorted(small.cell_ids()[split.rows("test")]) == ["12", "7"]
    with pytest.raises(HarnessError, match="'1'"):
        import_perturbench(write(tmp_path / "t.csv", ["1,train", *lines[:5]]), small)


def test_a_foreign_id_is_refused_by_name(dataset: PerturbDataset, case: str, tmp_path: Path) -> None:
    lines = (FIXTURES / f"{case}.split.csv").read_text().splitlines()
    path = write(tmp_path / "s.csv", [*lines, "STRANGER-1,train"])
    with pytest.raises(HarnessError, match="STRANGER-1"):
        import_perturbench(path, dataset)


def test_a_foreign_id_in_the_first_line_is_not_taken_for_a_header(
    small: PerturbDataset, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match="'stranger'"):
        import_perturbench(write(tmp_path / "s.csv", ["stranger,train", "7,test"]), small)


def test_an_id_that_stands_twice_is_refused_by_name(small: PerturbDataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="'7'"):
        import_perturbench(write(tmp_path / "s.csv", ["7,train", "3,train", "7,test"]), small)


def test_cells_that_the_file_does_not_name_are_counted_and_refused_unless_allowed(
    small: PerturbDataset, tmp_path: Path
) -> None:
    path = write(tmp_path / "s.csv", ["0012,train", "1.0,train", "3,train", "7,test"])
    with pytest.raises(HarnessError, match="does not name 2 of 6 cells"):
        import_perturbench(path, small)
    split = import_perturbench(path, small, allow_missing=True)
    assert sorted(small.cell_ids()[split.role_codes() < 0]) == ["12", "1e5"]


def test_a_misspelt_role_is_refused_with_the_nearest(small: PerturbDataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="did you mean 'train'"):
        import_perturbench(write(tmp_path / "s.csv", ["7,test", "3,trian"]), small)


def test_a_line_without_two_columns_is_refused_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"s\.csv:2"):
        read_labels(write(tmp_path / "s.csv", ["a,train", "b"]))


def test_a_file_that_divides_cells_of_a_condition_is_refused_unless_that_is_its_design(
    small: PerturbDataset, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "s.csv", ["0012,train", "1e5,train", "1.0,train", "3,test", "7,train", "12,train"]
    )
    with pytest.raises(HarnessError, match="split leaks: condition 'x · A'"):
        import_perturbench(path, small)
    split = import_perturbench(path, small, within_conditions=True)
    assert split.ood_axes == []
    verify_split(split, small)


def test_a_byte_order_mark_and_windows_line_ends_are_read(small: PerturbDataset, tmp_path: Path) -> None:
    lines = ["0012,train", "1e5,train", "1.0,train", "3,train", "7,test", "12,test"]
    path = tmp_path / "s.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode())
    assert import_perturbench(path, small).counts["test"] == 2


def test_what_is_exported_is_imported_again_as_it_was(everything: PerturbDataset, tmp_path: Path) -> None:
    split = create_split(everything, "context_ood")
    path = tmp_path / "split.csv"
    path.write_text(export_perturbench(split, everything))
    again = import_perturbench(path, everything, within_conditions=True)
    assert np.array_equal(again.role_codes(), split.role_codes())
