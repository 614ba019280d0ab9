"""Bad input gets one clear report with counts and examples, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.datasets.importers.h5ad import import_h5ad
from harness.datasets.importers.h5ad_options import H5adOptions
from harness.errors import ExistsError, HarnessError


@pytest.fixture
def refusal(tmp_path: Path, write_h5ad: Callable[..., Path]) -> Callable[..., str]:
    """The text of the refusal of some cells; checks that nothing was left."""

    def go(cells: Any, *, table: str = "categorical", **options: Any) -> str:
        source = write_h5ad(cells, table=table)
        with pytest.raises(HarnessError) as refused:
            import_h5ad(source, tmp_path / "out", H5adOptions(**options))
        assert list(tmp_path.iterdir()) == [source]
        return str(refused.value)

    return go


def test_a_column_that_is_not_there_is_refused_with_the_columns_that_are(cells: Any, refusal: Any) -> None:
    text = refusal(cells, pert_column="guide", batch_column="plate")
    assert "no column 'plate' (batch)" in text
    assert "no column 'guide' (perturbation)" in text
    assert "perturbation, cell_type" in text or "batch, cell_type" in text


def test_a_table_without_any_usual_context_column_is_refused_with_its_columns(
    cells: Any, refusal: Any
) -> None:
    cells.obs["weird"] = cells.obs.pop("cell_type")
    text = refusal(cells)
    assert "no context column found; columns: " in text
    assert "weird" in text
    assert "context=NAME" in text


def test_a_context_without_controls_is_refused_with_its_rows(cells: Any, refusal: Any) -> None:
    pairs = zip(cells.obs["perturbation"], cells.obs["cell_type"], strict=True)
    cells.obs["perturbation"] = ["G1" if c == "T cell" and p == "control" else p for p, c in pairs]
    n = cells.obs["cell_type"].count("T cell")
    assert f"1 of 2 contexts have no control cells: T cell ({n} rows)" in refusal(cells)


def test_a_control_label_that_no_row_bears_is_refused_with_the_labels_there_are(
    cells: Any, refusal: Any
) -> None:
    text = refusal(cells, control_label="NTC")
    assert "no row is called 'NTC'" in text
    assert "GX" in text


def test_gene_names_that_stand_twice_are_refused_with_their_number(cells: Any, refusal: Any) -> None:
    cells.genes[3] = cells.genes[4] = "G1"
    assert "1 gene name stands more than once: G1 (×3)" in refusal(cells)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_number_and_place(
    cells: Any, refusal: Any, value: float
) -> None:
    cells.X[5, 2] = cells.X[9, 9] = value
    text = refusal(cells)
    assert "2 values are NaN or infinite" in text
    assert "row 5, column 2" in text


def test_negative_values_are_refused_unless_they_are_said_to_be_deltas(cells: Any, refusal: Any) -> None:
    cells.X[7, 3] = -2
    text = refusal(cells)
    assert "1 value is negative (first: -2 in row 7, column 3)" in text
    assert "values=delta" in text


def test_negative_counts_are_refused_also_where_counts_are_told(cells: Any, refusal: Any) -> None:
    cells.X[7, 3] = -2
    assert "but counts were told" in refusal(cells, values="counts")


def test_values_that_are_neither_counts_nor_logarithms_are_refused(cells: Any, refusal: Any) -> None:
    cells.X = cells.X * 100.5
    assert "neither counts nor logarithms" in refusal(cells)


def test_fractions_are_no_counts(cells: Any, refusal: Any) -> None:
    cells.X[0, 0] = 1.5
    assert "1 of " in refusal(cells, values="counts")


def test_what_the_file_says_of_its_values_must_be_true(cells: Any, refusal: Any) -> None:
    cells.uns["x_kind"] = "counts"
    cells.X[0, 0] = 1.5
    assert "not whole numbers, but counts were told" in refusal(cells)


@pytest.mark.parametrize("gap", ["", "nan", None])
def test_rows_without_a_perturbation_name_are_refused_with_number_and_rows(
    cells: Any, refusal: Any, gap: str | None
) -> None:
    cells.obs["perturbation"][3] = cells.obs["perturbation"][8] = gap
    assert "2 of 240 rows have no name in column 'perturbation' (rows 3, 8)" in refusal(cells)


def test_a_control_column_that_disagrees_with_the_names_is_refused(cells: Any, refusal: Any) -> None:
    flag = np.array([p == "control" for p in cells.obs["perturbation"]])
    flag[np.flatnonzero(flag)[:3]] = False
    cells.obs["is_control"] = flag
    assert "3 rows are called 'control' but are no controls by the control column" in refusal(cells)


def test_a_total_that_is_told_but_too_small_is_refused(cells: Any, refusal: Any) -> None:
    cells.obs["depth"] = cells.X.sum(axis=1) - 1
    assert "less than the sum of the row's counts" in refusal(cells, total_counts_column="depth")


def test_all_faults_are_told_at_once(cells: Any, refusal: Any) -> None:
    cells.genes[3] = "G1"
    cells.X[5, 2] = np.nan
    cells.X[6, 2] = -1
    cells.obs["perturbation"][3] = ""
    text = refusal(cells, batch_column="plate")
    assert "5 faults" in text
    for fault in ("gene name stands", "NaN", "negative", "no name in column", "no column 'plate'"):
        assert fault in text


def test_gene_choice_on_deltas_is_refused(cells: Any, refusal: Any) -> None:
    assert "on expression only" in refusal(cells, values="delta", top_hvg=3)


def test_an_unknown_layer_is_refused_with_the_layers_there_are(cells: Any, refusal: Any) -> None:
    cells.layers["raw_counts"] = cells.X
    assert "raw_counts" in refusal(cells, layer="counts")


def test_a_file_that_is_cut_short_is_refused(
    cells: Any, write_h5ad: Callable[..., Path], tmp_path: Path
) -> None:
    source = write_h5ad(cells)
    source.write_bytes(source.read_bytes()[:-4000])
    with pytest.raises(HarnessError, match="not a readable HDF5 file"):
        import_h5ad(source, tmp_path / "out", H5adOptions())


@pytest.mark.parametrize("part", ["X", "obs", "var"])
def test_a_file_without_its_parts_is_refused(cells: Any, write_h5ad: Any, tmp_path: Path, part: str) -> None:
    source = write_h5ad(cells)
    with h5py.File(source, "r+") as file:
        del file[part]
    with pytest.raises(HarnessError, match="no h5ad file") as refused:
        import_h5ad(source, tmp_path / "out", H5adOptions())
    assert refused.value.got == f"no {part}"


@pytest.mark.parametrize(("matrix", "where"), [("csr", "genes"), ("csc", "rows")])
def test_sparse_indices_beyond_the_matrix_are_refused(
    cells: Any, write_h5ad: Any, tmp_path: Path, matrix: str, where: str
) -> None:
    source = write_h5ad(cells, matrix=matrix)
    with h5py.File(source, "r+") as file:
        file["X/indices"][7] = 100_000
    with pytest.raises(HarnessError, match=f"points at {where} that do not exist"):
        import_h5ad(source, tmp_path / "out", H5adOptions())


def test_a_broken_row_pointer_is_refused(cells: Any, write_h5ad: Any, tmp_path: Path) -> None:
    source = write_h5ad(cells)
    with h5py.File(source, "r+") as file:
        file["X/indptr"][3] = 100_000
    with pytest.raises(HarnessError, match="sparse matrix is broken"):
        import_h5ad(source, tmp_path / "out", H5adOptions())


def test_a_matrix_of_another_size_than_its_tables_is_refused(cells: Any, refusal: Any) -> None:
    cells.ids.append("one more")
    for values in cells.obs.values():
        if isinstance(values, list):
            values.append("control")
    cells.obs = {k: np.append(v, 1) if isinstance(v, np.ndarray) else v for k, v in cells.obs.items()}
    assert "matrix is 240 × 12, but there are 241 rows and 12 genes" in refusal(cells)


def test_an_existing_dataset_is_not_written_over(cells: Any, write_h5ad: Any, small_artifact: Path) -> None:
    with pytest.raises(ExistsError):
        import_h5ad(write_h5ad(cells), small_artifact, H5adOptions())
